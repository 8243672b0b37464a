/* Edited since it came is what the file system says was changed behind the
 * writing of VERSION.local, the last of its merge; and what is the same in both
 * was brought by a merge, or edited in both. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "roots/merge_look.h"

#include "host/left.h"
#include "host/show.h"

struct side {
	char *root;
	struct classes classes;
	struct manifest *now;
};

struct sides {
	struct side from, to;
	struct manifest *from_tree, *to_tree; /* as published */
	struct timespec came;                 /* when `from` was merged */
	struct value *notes;
};

static int
look(struct side *s, struct err *e)
{
	if (classes_of_root(&s->classes, s->root, e) < 0)
		return -1;
	return merge_look(s->root, &s->classes, &s->now, e);
}

static bool
is_merged(const struct side *s, const struct manifest_entry *x)
{
	return x->type != 'd' &&
	       classes_of(&s->classes, x->path) == CLASS_MERGED;
}

/* To who reads it. */
static bool
is_same(const struct manifest_entry *a, const struct manifest_entry *b)
{
	if (!a || !b || a->type != b->type)
		return a == b;
	if (a->mode != b->mode || a->uid != b->uid || a->gid != b->gid)
		return false;
	if (a->type == 'f')
		return a->size == b->size && digest_eq(&a->hash, &b->hash);
	return !a->link || str_eq(a->link, b->link);
}

static bool
is_newer(const struct sides *s, const char *path)
{
	AUTO_FREE char *all = base_printf("%s/%s", s->from.root, path);
	struct stat st;

	if (lstat(all, &st) < 0)
		return false;
	return st.st_ctim.tv_sec != s->came.tv_sec
		       ? st.st_ctim.tv_sec > s->came.tv_sec
		       : st.st_ctim.tv_nsec > s->came.tv_nsec;
}

static void
tell_edited(struct sides *s)
{
	size_t i;

	for (i = 0; i < s->from.now->len; i++) {
		const struct manifest_entry *x = &s->from.now->entry[i];
		const struct manifest_entry *there =
			manifest_find(s->to.now, x->path);

		if (is_merged(&s->from, x) && !is_same(x, there) &&
		    is_newer(s, x->path))
			show_row(s->notes, x->path, there ? "changed" : "new");
	}
}

/* `to` has it, and the merge that made `from` would have kept it. */
static void
tell_removed(struct sides *s)
{
	size_t i;

	for (i = 0; i < s->to.now->len; i++) {
		const struct manifest_entry *x = &s->to.now->entry[i];

		/* what a merge put beside is done with by removing it */
		if (!is_merged(&s->to, x) ||
		    manifest_find(s->from.now, x->path) ||
		    str_ends(x->path, ".edeploy-new"))
			continue;
		if (manifest_find(s->from_tree, x->path) ||
		    !is_same(x, manifest_find(s->to_tree, x->path)))
			show_row(s->notes, x->path, "removed");
	}
}

static int
compare(struct sides *s, const struct versioned *on, const char *from,
	const char *to, struct err *e)
{
	AUTO_FREE char *local = versioned_beside(on, from, ".local");
	AUTO(seal) from_seal = NULL;
	AUTO(seal) to_seal = NULL;
	struct stat st;

	/* a version that was installed came by no merge, and nothing ran
	 * before it */
	if (lstat(local, &st) < 0)
		return 0;
	s->came = st.st_mtim;
	if (versioned_record(on, from, &from_seal, &s->from_tree, e) < 0 ||
	    versioned_record(on, to, &to_seal, &s->to_tree, e) < 0 ||
	    look(&s->from, e) < 0 || look(&s->to, e) < 0)
		return -1;
	tell_edited(s);
	tell_removed(s);
	return 0;
}

static void
side_clear(struct side *s)
{
	free(s->root);
	classes_clear(&s->classes);
	manifest_free(s->now);
}

int
left_behind(const struct versioned *on, const char *from, const char *to,
	    struct value *notes, struct err *e)
{
	struct sides s = { .from.root = versioned_root(on, from),
			   .to.root = versioned_root(on, to),
			   .notes = notes };
	int bad = compare(&s, on, from, to, e);

	side_clear(&s.from);
	side_clear(&s.to);
	manifest_free(s.from_tree);
	manifest_free(s.to_tree);
	return bad;
}
