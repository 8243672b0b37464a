/* A machine that is installed once is upgraded for years: beside the tree
 * stands what it was, and what was added to it here. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/sign.h"

#include "rsyncd/pull.h"

#include "roots/classes.h"
#include "roots/local.h"
#include "roots/pristine.h"
#include "roots/top.h"

#include "agent/boot.h"
#include "agent/install.h"
#include "agent/tree.h"

/* Where nobody asks for one, and this can be. */
#define LAYOUT_USUAL "versioned"

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
			       "%s installs it as one root",
			       why,
			       p->layout ? "layout('plain') in the script"
					 : "LAYOUT=plain");
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

/* The log still grows; a held grub.cfg is known by its later name. */
static bool
is_passing(void *ctx, const char *path)
{
	(void)ctx;
	return str_eq(path, "var/log/edeploy") ||
	       str_ends(path, "/grub.cfg" BOOT_HELD);
}

struct seen {
	const char *root;
	dev_t device;
};

/* A version is what lies below what is mounted there: the ESP has a mode of its
 * own, and is not mounted any more where the version is one of several. */
static bool
is_passing_or_mounted(void *ctx, const char *path)
{
	const struct seen *s = ctx;
	AUTO_FREE char *full = base_printf("%s/%s", s->root, path);
	struct stat st;

	return is_passing(NULL, path) ||
	       (lstat(full, &st) == 0 && st.st_dev != s->device);
}

static int
look(const struct layout *l, const struct manifest *tree,
     struct manifest **local, struct err *e)
{
	struct seen seen = { .root = l->root };
	struct stat st;
	int bad;

	if (l->version && stat(l->root, &st) < 0)
		return err_sys(e, "%s", l->root);
	if (l->version) {
		seen.device = st.st_dev;
		return local_make(local, l->root, tree, is_passing_or_mounted,
				  &seen, e);
	}
	if (boot_cover(l, e) < 0)
		return -1;
	bad = local_make(local, l->root, tree, is_passing, NULL, e);
	return boot_uncover(l, bad ? &(struct err){ 0 } : e) < 0 ? -1 : bad;
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
	if (look(l, tree, &local, e) < 0)
		return -1;
	return local_write(local, path, e);
}
