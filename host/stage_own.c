/* What is this machine's own in the top of the running root comes along. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "rsyncd/dress.h"
#include "rsyncd/walk.h"

#include "roots/copy.h"

#include "host/own.h"
#include "host/stage.h"

static bool
is_led_already(const struct enter_places *places, const char *name)
{
	size_t i;

	for (i = 0; i < places->len; i++)
		if (places->at[i].state && str_eq(places->at[i].path, name))
			return true;
	return false;
}

/* One that cannot be mounted in the new version is kept all the same. */
static void
take_folder(struct stage *s, const char *name, bool is_new)
{
	bool fits = enter_path_ok(name), ours = !manifest_find(s->will, name);

	if (!ours)
		stage_note(s, name,
			   "no version brought it until this one: yours is "
			   "kept in /edeploy/state");
	else if (!fits)
		stage_note(s, name,
			   "no version brought it, and a name with blanks "
			   "cannot be mounted: it is kept in /edeploy/state");
	else if (is_new)
		stage_note(s, name,
			   "no version brought it: it is this host's own, one "
			   "for all versions from here on");
	enter_places_add(&s->own, fits && ours, name);
}

static void
take_file(struct stage *s, const char *name)
{
	if (manifest_find(s->will, name)) {
		stage_note(s, name,
			   "no version brought it until this one, which has "
			   "its own: yours stays behind");
		return;
	}
	s->own_files = base_resize(s->own_files, s->own_files_len + 1,
				   sizeof(*s->own_files));
	s->own_files[s->own_files_len++] = base_strdup(name);
}

static void
take(struct stage *s, const char *root, const char *name,
     const struct enter_places *places)
{
	AUTO_FREE char *path = base_printf("%s/%s", root, name);
	bool led = is_led_already(places, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (!S_ISDIR(st.st_mode))
		take_file(s, name);
	/* where something is mounted is found elsewhere (stage_points.c) */
	else if (led || own_holds_files(path))
		take_folder(s, name, !led);
}

int
stage_own_find(struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->on->running);
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(classes) classes = { 0 };
	char **names;
	size_t i;

	stage_own_clear(s);
	if (classes_of_root(&classes, root, e) < 0 ||
	    enter_places_read(&places, s->on->dir, s->on->running, e) < 0)
		return -1;
	if (dir_list(root, &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++)
		if (own_is(s->was, &classes, names[i]))
			take(s, root, names[i], &places);
	names_free(names);
	return 0;
}

static int
copy_own(int from, int to, const char *name, struct err *e)
{
	AUTO(walk_look) pool = walk_look_new();
	struct manifest_entry is;

	if (walk_look(pool, from, name, &is, e) < 0)
		return -1;
	if (is.type == 'f')
		return copy_file(from, to, name, &is, e);
	return is.type ? dress_make(to, name, &is, e) : 0;
}

/* The same inode: who writes into it writes into both, as with a folder. The
 * kernel links nothing that is immutable. */
static int
link_file(int from, int to, const char *name, struct err *e)
{
	if (linkat(from, name, to, name, 0) == 0 || errno == EEXIST)
		return 0;
	if (errno == EPERM || errno == EMLINK)
		return copy_own(from, to, name, e);
	return err_sys(e, "/%s, which is this host's own", name);
}

int
stage_own_put(struct stage *s, int from, int to, struct err *e)
{
	const char *running = s->on->running;
	size_t i;

	for (i = 0; i < s->own.len; i++) {
		const struct enter_place *p = &s->own.at[i];
		AUTO_FREE char *place =
			base_printf("%s/state/%s", s->on->dir, p->path);
		AUTO_FREE char *here = base_printf("%s/roots/%s/%s", s->on->dir,
						   running, p->path);

		/* else the running version has it mounted from its place */
		if (own_holds_files(here) &&
		    own_lead(s->on, running, p->path, e) < 0)
			return -1;
		if (p->state && mkdirat(to, p->path, 0755) < 0 &&
		    errno != EEXIST)
			return err_sys(e, "create /%s", p->path);
	}
	for (i = 0; i < s->own_files_len; i++)
		if (link_file(from, to, s->own_files[i], e) < 0)
			return -1;
	return 0;
}

bool
stage_own_has(const struct stage *s, const char *path)
{
	AUTO_FREE char *name = base_strndup(path, strcspn(path, "/"));
	size_t i;

	for (i = 0; i < s->own_files_len; i++)
		if (str_eq(s->own_files[i], name))
			return true;
	for (i = 0; i < s->own.len; i++)
		if (str_eq(s->own.at[i].path, name))
			return true;
	return false;
}

void
stage_own_clear(struct stage *s)
{
	while (s->own_files_len > 0)
		free(s->own_files[--s->own_files_len]);
	free(s->own_files);
	s->own_files = NULL;
	enter_places_clear(&s->own);
}
