/* Three sides of the merged folders: the running version as published, as it
 * is now, and the new version as published. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "rsyncd/walk.h"

#include "roots/classes.h"
#include "roots/merge_do.h"
#include "roots/pristine.h"

#include "host/stage.h"

/* `path` is `prefix` or below it. */
static bool
is_below(const char *path, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(path, prefix, len) == 0 &&
	       (path[len] == '/' || !path[len]);
}

/* All but the way to the folder and what is in it. */
static bool
skip(void *ctx, const char *path)
{
	const char *prefix = ctx;

	return !is_below(path, prefix) && !is_below(prefix, path) &&
	       !str_eq(path, ".");
}

static int
look_at_ours(const struct stage *s, const char *prefix, struct manifest **out,
	     struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_FREE char *wanted = base_strdup(prefix);
	const struct walk_opts look = {
		.dir = root, .threads = 1, .skip = skip, .ctx = wanted
	};

	return walk(&look, out, e);
}

/* What the installation or an upgrade put there is nobody's edit, and tells
 * nothing when it is kept. */
static bool
is_our_own(const struct stage *s, const struct manifest *ours,
	   const struct merge_row *r)
{
	const struct manifest_entry *was =
		s->local ? manifest_find(s->local, r->path) : NULL;
	const struct manifest_entry *is = manifest_find(ours, r->path);

	return was && is && was->type == is->type &&
	       (was->type != 'f' ||
		(was->size == is->size && digest_eq(&was->hash, &is->hash)));
}

static void
tell(struct stage *s, const struct manifest *ours, const struct merge_plan *p)
{
	size_t i;

	for (i = 0; i < p->len; i++) {
		const struct merge_row *r = &p->row[i];
		const char *what = merge_note_text(r);

		if (what && (r->note != MERGE_KEPT || !is_our_own(s, ours, r)))
			stage_note(s, r->path, what);
	}
}

static int
each_merged(struct stage *s, const char *tree,
	    int (*each)(struct stage *s, const char *prefix, struct err *e),
	    struct err *e)
{
	AUTO_CLEAR(classes) c = { 0 };
	size_t i;

	if (classes_of_root(&c, tree, e) < 0)
		return -1;
	for (i = 0; i < c.len; i++)
		if (c.row[i].class == CLASS_MERGED &&
		    each(s, c.row[i].path, e) < 0)
			return err_add(e, "/%s", c.row[i].path);
	return 0;
}

static int
look_at(struct stage *s, const char *prefix, struct err *e)
{
	struct merge_plan plan __attribute__((cleanup(merge_clear))) = { 0 };
	AUTO(manifest) ours = NULL;

	if (look_at_ours(s, prefix, &ours, e) < 0)
		return -1;
	merge_make(&plan, s->was, ours, s->will, prefix);
	tell(s, ours, &plan);
	return 0;
}

int
stage_merge_look(struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);

	return each_merged(s, root, look_at, e);
}

static int
merge(struct stage *s, const char *prefix, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_FREE char *to = stage_dir(s);
	AUTO_FREE char *bases =
		versioned_beside(s->on, s->on->running, ".record/etc");
	struct merge_plan plan __attribute__((cleanup(merge_clear))) = { 0 };
	AUTO(manifest) ours = NULL;
	const struct merge_job job = { .plan = &plan,
				       .ours = root,
				       .theirs = to,
				       .to = to,
				       .prefix = prefix,
				       .bases = bases };

	if (look_at_ours(s, prefix, &ours, e) < 0)
		return -1;
	merge_make(&plan, s->was, ours, s->will, prefix);
	if (merge_run(&job, e) < 0)
		return -1;
	tell(s, ours, &plan);
	return 0;
}

int
stage_merge(struct stage *s, struct err *e)
{
	AUTO_FREE char *tree = stage_dir(s);
	AUTO_FREE char *record = versioned_beside(s->on, s->to, ".record");

	/* the next upgrade's base: once merged, they are this machine's */
	if (pristine_keep(tree, record, e) < 0 ||
	    each_merged(s, tree, merge, e) < 0)
		return -1;
	return stage_carry(s, e);
}
