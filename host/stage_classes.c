/* A path may be of another class in the next version: what this host has there
 * must not go out of sight without a word. */
#include "lib/file.h"

#include "host/stage.h"

/* ---- what is merged no more ---- */

/* This host's own, or edited here. */
static bool
is_edited(const struct stage *s, const struct manifest_entry *is)
{
	const struct manifest_entry *was = manifest_find(s->was, is->path);
	const struct manifest_entry *local =
		s->local ? manifest_find(s->local, is->path) : NULL;

	if (is->type == 'd' || (local && stage_same_file(local, is)))
		return false;
	return !was || !stage_same_file(was, is);
}

/* It would stay behind in the version that runs, and go with it. Where state of
 * that name is there already somebody has seen to it. */
static int
check_left(const struct stage *s, const struct classes *now,
	   const struct manifest_entry *is, struct err *e)
{
	enum path_class class = classes_of(&s->classes, is->path);
	AUTO_FREE char *place =
		base_printf("%s/state/%s", s->on->dir, is->path);

	if (class == CLASS_MERGED ||
	    classes_of(now, is->path) != CLASS_MERGED || !is_edited(s, is) ||
	    (class == CLASS_STATE && file_exists(place)))
		return 0;
	if (class == CLASS_STATE)
		return err_set(e, ERR_REFUSED,
			       "/%s was edited or made here, and is state in "
			       "%s, which would begin without it: copy it to "
			       "%s first (and what else is beside it)",
			       is->path, s->to, place);
	return err_set(e, ERR_REFUSED,
		       "/%s was edited or made here, and belongs to the "
		       "version in %s, which has its own: move it elsewhere "
		       "first, or make it as %s has it",
		       is->path, s->to, s->on->running);
}

static int
check_folder(struct stage *s, const struct classes *now, const char *prefix,
	     struct err *e)
{
	AUTO(manifest) ours = NULL;
	size_t i;

	if (stage_ours(s, prefix, false, &ours, e) < 0)
		return -1;
	for (i = 0; i < ours->len; i++)
		if (path_is_within(ours->entry[i].path, prefix) &&
		    check_left(s, now, &ours->entry[i], e) < 0)
			return -1;
	return 0;
}

static int
check_merged(struct stage *s, const struct classes *now, struct err *e)
{
	size_t i;

	for (i = 0; i < now->len; i++) {
		bool other = classes_of(&s->classes, now->row[i].path) !=
			     CLASS_MERGED;
		size_t k;

		if (!classes_merged_top(now, i))
			continue;
		for (k = 0; !other && k < s->classes.len; k++)
			other = s->classes.row[k].class != CLASS_MERGED &&
				path_is_below(s->classes.row[k].path,
					      now->row[i].path) &&
				classes_of(now, s->classes.row[k].path) ==
					CLASS_MERGED;
		if (other && check_folder(s, now, now->row[i].path, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- what is state no more ---- */

static bool
holds_something(const char *path)
{
	char **names;
	struct err ignored;
	bool some;

	if (!dir_exists(path))
		return file_exists(path);
	if (dir_list(path, &names, &ignored) < 0)
		return true;
	some = names[0] != NULL;
	names_free(names);
	return some;
}

static bool
lists(const struct classes *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->len; i++)
		if (str_eq(c->row[i].path, path))
			return true;
	return false;
}

/* `listed`: whose rows are gone through, `now` or those of the new tree. */
static void
tell_state(struct stage *s, const struct classes *now,
	   const struct classes *listed)
{
	size_t i;

	for (i = 0; i < listed->len; i++) {
		const char *path = listed->row[i].path;
		AUTO_FREE char *place =
			base_printf("%s/state/%s", s->on->dir, path);
		AUTO_FREE char *what = NULL;

		if (classes_of(now, path) != CLASS_STATE ||
		    classes_of(&s->classes, path) == CLASS_STATE ||
		    (listed != now && lists(now, path)) ||
		    !holds_something(place))
			continue;
		what = base_printf("state until now, and %s has its own: what "
				   "this host has stays in /edeploy/state/%s, "
				   "where that version does not see it",
				   s->to, path);
		stage_note(s, path, what);
	}
}

int
stage_classes(struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_CLEAR(classes) now = { 0 };

	if (classes_of_root(&now, root, e) < 0 || check_merged(s, &now, e) < 0)
		return -1;
	tell_state(s, &now, &now);
	tell_state(s, &now, &s->classes);
	return 0;
}
