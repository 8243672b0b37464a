/* A machine that is installed once is upgraded for years: beside the tree
 * stands what it was, and what was added to it here. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/sign.h"

#include "rsyncd/pull.h"

#include "roots/classes.h"
#include "roots/local.h"
#include "roots/pristine.h"
#include "roots/top.h"

#include "agent/install.h"
#include "agent/tree.h"

/* Where nobody asks for one, and this can be. */
#define LAYOUT_USUAL "plain"

/* ---- plain or versioned ---- */

/* NULL, or why versions cannot stand beside one another. Owned. */
static char *
unfit(const struct deploy *d, const char *version, bool published)
{
	AUTO_CLEAR(classes) c = { 0 };

	if (!top_version_ok(version))
		return base_printf("\"%s\" is the name of what stands beside "
				   "a version",
				   version);
	if (!file_exists(INSTALL_INIT))
		return base_printf("this initrd holds no edeploy-init "
				   "(initrd/build --root-init FILE)");
	if (!published)
		return base_printf("the tree is not published, and versions "
				   "to come could not be brought beside it");
	classes_default(&c);
	return layout_unfit(&d->layout, &c, "/sys");
}

int
install_divide(struct deploy *d, const struct script_result *p, bool published,
	       struct err *e)
{
	const char *asked = p->layout ? p->layout : d->words.layout;
	AUTO_FREE char *why = NULL;

	if (!str_eq(asked ? asked : LAYOUT_USUAL, "versioned"))
		return 0;
	why = unfit(d, p->version, published);
	if (why && !asked) {
		journal_line(d->journal, "layout plain: %s", why);
		return 0;
	}
	if (why)
		return err_set(e, ERR_REFUSED,
			       "layout versioned: %s. Nothing was installed; "
			       "LAYOUT=plain installs it as one root",
			       why);
	journal_line(d->journal, "layout versioned: /edeploy/roots/%s",
		     p->version);
	return layout_divide(&d->layout, p->version, e);
}

/* ---- what upgrades start from ---- */

char *
install_record(const struct layout *l)
{
	return l->version ? base_printf("%s.record", l->root)
			  : base_printf("%s" TREE_RECORD, l->root);
}

int
install_keep(struct deploy *d, struct err *e)
{
	AUTO_FREE char *record = install_record(&d->layout);

	return pristine_keep(d->layout.root, record, e);
}

/* The log still grows. */
static bool
is_log(void *ctx, const char *path)
{
	(void)ctx;
	return str_eq(path, "var/log/edeploy");
}

int
install_note(struct deploy *d, struct err *e)
{
	const struct layout *l = &d->layout;
	AUTO_FREE char *record = install_record(l);
	AUTO_FREE char *path = base_printf("%s%s", l->root,
					   l->version ? ".local" : LOCAL_FILE);
	AUTO(seal) seal = NULL;
	AUTO(manifest) tree = NULL;
	AUTO(manifest) local = NULL;
	struct sign_trust trust = { 0 };

	if (sign_trust_read(&trust, TREE_TRUST, e) < 0 ||
	    record_read(record, &trust, &seal, &tree, e) < 0)
		return -1;
	if (!tree)
		return err_set(e, ERR_SYS, "%s has no record of the tree",
			       record);
	if (local_make(&local, l->root, tree, is_log, NULL, e) < 0)
		return -1;
	return local_write(local, path, e);
}
