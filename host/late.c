/* A merge like that of an upgrade: from what this host's folders were then, to
 * what they are now on the one side, and to the new version, which has all of
 * then already, on the other. */
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"

#include "roots/merge_do.h"
#include "roots/merge_look.h"
#include "roots/pristine.h"

#include "host/late.h"
#include "host/stage.h"

#define THEN_MAX (256 * 1024 * 1024)

static char *
then_of(const struct versioned *v, const char *to)
{
	return versioned_beside(v, to, ".record/then");
}

/* ---- keeping ---- */

int
late_keep(const struct versioned *v, const char *to, const struct classes *c,
	  struct err *e)
{
	AUTO_FREE char *root = versioned_root(v, v->running);
	AUTO_FREE char *then = then_of(v, to);
	AUTO_FREE char *is = base_printf("%s/manifest", then);
	AUTO_FREE char *from = base_printf("%s/from", then);
	AUTO(manifest) m = NULL;

	if (dir_remove(then, e) < 0 || merge_look(root, c, &m, e) < 0 ||
	    pristine_keep(root, then, e) < 0 ||
	    file_replace(is, m->text, m->text_len, 0600, e) < 0)
		return -1;
	return file_replace(from, v->running, strlen(v->running), 0600, e);
}

/* ---- bringing ---- */

struct bringing {
	const struct classes *classes;
	const char *from, *root, *bases;
	struct manifest *was, *is, *will;
};

static void
bringing_clear(struct bringing *b)
{
	manifest_free(b->was);
	manifest_free(b->is);
	manifest_free(b->will);
}

static int
read_then(const char *then, char **from, struct manifest **was, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s/manifest", then);
	AUTO_FREE char *name = base_printf("%s/from", then);
	AUTO_FREE char *text = NULL;
	size_t len;

	if (file_read(name, STATE_VERSION, from, NULL, e) < 0 ||
	    file_read(path, THEN_MAX, &text, &len, e) < 0)
		return -1;
	if (!versioned_name_ok(*from))
		return err_set(e, ERR_INPUT, "%s: \"%.60s\" is not a version",
			       name, *from);
	return manifest_parse(was, text, len, path, e);
}

static int
merge(const struct bringing *b, const char *prefix, struct err *e)
{
	struct merge_plan plan __attribute__((cleanup(merge_clear))) = { 0 };
	const struct merge_job job = { .plan = &plan,
				       .ours = b->from,
				       .theirs = b->root,
				       .to = b->root,
				       .prefix = prefix,
				       .bases = b->bases };

	merge_make(&plan, b->was, b->is, b->will, prefix, b->classes);
	return merge_run(&job, e);
}

static int
merge_all(const struct bringing *b, struct err *e)
{
	size_t i;

	for (i = 0; i < b->classes->len; i++) {
		const char *prefix = b->classes->row[i].path;

		if (classes_merged_top(b->classes, i) &&
		    merge(b, prefix, e) < 0)
			return err_add(e, "/%s", prefix);
	}
	return 1;
}

static int
bring(const struct versioned *v, const char *then, const char *root,
      struct err *e)
{
	struct bringing b __attribute__((cleanup(bringing_clear))) = { 0 };
	AUTO_CLEAR(classes) classes = { 0 };
	AUTO_FREE char *bases = base_printf("%s/etc", then);
	AUTO_FREE char *name = NULL;
	AUTO_FREE char *from = NULL;

	if (read_then(then, &name, &b.was, e) < 0 ||
	    classes_of_root(&classes, root, e) < 0)
		return -1;
	from = versioned_root(v, name);
	if (merge_look(from, &classes, &b.is, e) < 0)
		return -1;
	if (str_eq(b.was->root, b.is->root))
		return 0;
	if (merge_look(root, &classes, &b.will, e) < 0)
		return -1;
	b.classes = &classes;
	b.from = from;
	b.root = root;
	b.bases = bases;
	return merge_all(&b, e);
}

int
late_bring(const struct versioned *v, const char *to, const char *root,
	   struct err *e)
{
	AUTO_FREE char *then = then_of(v, to);
	AUTO_FREE char *from = base_printf("%s/from", then);
	struct err ignored;
	int came;

	if (!file_exists(from))
		return 0;
	came = bring(v, then, root, e);
	/* merged is on the disk before what it is merged from is gone */
	if (came > 0 && stage_sync(root, e) < 0)
		return -1;
	if (dir_remove(then, came < 0 ? &ignored : e) < 0)
		return -1;
	return came;
}
