/* Three sides of the merged folders: the running version as published, as it
 * is now, and the new version as published. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "rsyncd/walk.h"

#include "roots/merge_do.h"
#include "roots/pristine.h"

#include "host/late.h"
#include "host/stage.h"

/* All but the way to the folder and what is in it. */
static bool
skip(void *ctx, const char *path)
{
	const char *prefix = ctx;

	return !path_is_within(path, prefix) && !path_is_within(prefix, path) &&
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

int
stage_ours(struct stage *s, const char *prefix, bool tell,
	   struct manifest **out, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);

	if (look_at(root, prefix, out, e) < 0)
		return -1;
	return s->strict ? stage_without_strangers(s, out, tell, e) : 0;
}

bool
stage_same_file(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->type == b->type &&
	       (a->type != 'f' ||
		(a->size == b->size && digest_eq(&a->hash, &b->hash)));
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

	return was && is && stage_same_file(was, is);
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
each_merged(struct stage *s,
	    int (*each)(struct stage *s, const char *prefix, struct err *e),
	    struct err *e)
{
	size_t i;

	for (i = 0; i < s->classes.len; i++)
		if (classes_merged_top(&s->classes, i) &&
		    each(s, s->classes.row[i].path, e) < 0)
			return err_add(e, "/%s", s->classes.row[i].path);
	return 0;
}

static int
foretell(struct stage *s, const char *prefix, struct err *e)
{
	struct merge_plan plan __attribute__((cleanup(merge_clear))) = { 0 };
	AUTO(manifest) ours = NULL;

	if (stage_ours(s, prefix, true, &ours, e) < 0)
		return -1;
	merge_make(&plan, s->was, ours, s->will, prefix, &s->classes);
	tell(s, ours, &plan);
	return 0;
}

int
stage_merge_look(struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);

	classes_clear(&s->classes);
	if (classes_of_root(&s->classes, root, e) < 0)
		return -1;
	return each_merged(s, foretell, e);
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

	if (stage_ours(s, prefix, true, &ours, e) < 0)
		return -1;
	merge_make(&plan, s->was, ours, s->will, prefix, &s->classes);
	if (merge_run(&job, e) < 0)
		return -1;
	tell(s, ours, &plan);
	return 0;
}

int
stage_merge_again(struct stage *s, struct err *e)
{
	AUTO_FREE char *to = stage_dir(s);

	return late_bring(s->on, s->to, to, e) < 0 ? -1 : 0;
}

int
stage_merge(struct stage *s, struct err *e)
{
	AUTO_FREE char *tree = stage_dir(s);
	AUTO_FREE char *record = versioned_beside(s->on, s->to, ".record");

	classes_clear(&s->classes);
	/* the next upgrade's base: once merged, they are this machine's */
	if (pristine_keep(tree, record, e) < 0 ||
	    classes_of_root(&s->classes, tree, e) < 0 ||
	    stage_classes(s, e) < 0 ||
	    late_keep(s->on, s->to, &s->classes, e) < 0 ||
	    each_merged(s, merge, e) < 0)
		return -1;
	return stage_carry(s, e);
}
