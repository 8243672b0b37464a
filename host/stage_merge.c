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
look_at(const char *root, const char *prefix, struct manifest **out,
	struct err *e)
{
	AUTO_FREE char *wanted = base_strdup(prefix);
	const struct walk_opts look = {
		.dir = root, .threads = 1, .skip = skip, .ctx = wanted
	};

	return walk(&look, out, e);
}

/* The machine's side. */
static int
look_at_ours(struct stage *s, const char *prefix, bool tell,
	     struct manifest **out, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);

	if (look_at(root, prefix, out, e) < 0)
		return -1;
	return s->strict ? stage_without_strangers(s, out, tell, e) : 0;
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

		/* a folder is kept for what is in it */
		if (what && (r->note != MERGE_KEPT || r->look.type != 'd') &&
		    (r->note != MERGE_KEPT || !is_our_own(s, ours, r)))
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
foretell(struct stage *s, const char *prefix, struct err *e)
{
	struct merge_plan plan __attribute__((cleanup(merge_clear))) = { 0 };
	AUTO(manifest) ours = NULL;

	if (look_at_ours(s, prefix, true, &ours, e) < 0)
		return -1;
	merge_make(&plan, s->was, ours, s->will, prefix);
	tell(s, ours, &plan);
	return 0;
}

int
stage_merge_look(struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);

	return each_merged(s, root, foretell, e);
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

	if (look_at_ours(s, prefix, true, &ours, e) < 0)
		return -1;
	merge_make(&plan, s->was, ours, s->will, prefix);
	if (merge_run(&job, e) < 0)
		return -1;
	tell(s, ours, &plan);
	s->merged =
		base_resize(s->merged, s->merged_len + 1, sizeof(*s->merged));
	s->merged[s->merged_len++] =
		(struct stage_merged){ base_strdup(prefix), STEAL(ours) };
	return 0;
}

/* ---- what was edited meanwhile ---- */

/* What this host's accounts were when they were merged. */
static char *
accounts_then(const struct stage *s)
{
	return versioned_beside(s->on, s->to, ".record/then");
}

static int
merge_again(struct stage *s, const struct stage_merged *m, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_FREE char *to = stage_dir(s);
	AUTO_FREE char *then = accounts_then(s);
	AUTO_FREE char *bases = base_printf("%s/etc", then);
	struct merge_plan plan __attribute__((cleanup(merge_clear))) = { 0 };
	AUTO(manifest) ours = NULL;
	AUTO(manifest) theirs = NULL;
	const struct merge_job job = { .plan = &plan,
				       .ours = root,
				       .theirs = to,
				       .to = to,
				       .prefix = m->prefix,
				       .bases = bases };

	if (look_at_ours(s, m->prefix, false, &ours, e) < 0)
		return -1;
	if (str_eq(ours->root, m->ours->root))
		return 0;
	if (look_at(to, m->prefix, &theirs, e) < 0)
		return -1;
	merge_make(&plan, m->ours, ours, theirs, m->prefix);
	return merge_run(&job, e);
}

int
stage_merge_again(struct stage *s, struct err *e)
{
	AUTO_FREE char *to = stage_dir(s);
	AUTO_FREE char *then = accounts_then(s);
	size_t i;

	for (i = 0; i < s->merged_len; i++)
		if (merge_again(s, &s->merged[i], e) < 0)
			return err_add(e, "/%s", s->merged[i].prefix);
	if (dir_remove(then, e) < 0)
		return -1;
	return stage_sync(to, e);
}

int
stage_merge(struct stage *s, struct err *e)
{
	AUTO_FREE char *tree = stage_dir(s);
	AUTO_FREE char *record = versioned_beside(s->on, s->to, ".record");
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_FREE char *then = accounts_then(s);

	/* the next upgrade's base: once merged, they are this machine's */
	if (pristine_keep(tree, record, e) < 0 ||
	    pristine_keep(root, then, e) < 0 ||
	    each_merged(s, tree, merge, e) < 0)
		return -1;
	return stage_carry(s, e);
}
