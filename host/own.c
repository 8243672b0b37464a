/* A link and the folder that it leads to change places in one call, so that at
 * each moment edeploy/state/NAME is the folder: who has it mounted sees nothing
 * of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "rsyncd/pull.h"

#include "roots/merge_do.h"

#include "host/own.h"
#include "host/show.h"

static size_t
first_part(const char *path)
{
	return strcspn(path, "/");
}

bool
own_is(const struct manifest *tree, const struct classes *c, const char *path)
{
	/* each root has these, or may have */
	static const char *const no[] = { ".",   "dev", "edeploy",   "proc",
					  "run", "sys", "lost+found" };
	AUTO_FREE char *name = base_strndup(path, first_part(path));
	size_t i;

	for (i = 0; i < ARRAY_LEN(no); i++)
		if (str_eq(name, no[i]))
			return false;
	if (str_ends(name, MERGE_SUFFIX)) /* a merge that was ended */
		return false;
	for (i = 0; i < c->len; i++)
		if (str_starts(c->row[i].path, name) &&
		    first_part(c->row[i].path) == strlen(name))
			return false;
	return !manifest_find(tree, name);
}

static char *
place_of(const struct versioned *v, const char *name)
{
	return base_printf("%s/state/%s", v->dir, name);
}

/* Where the link at `place` leads; NULL when it is none. Owned. */
static char *
read_link(const char *place)
{
	char text[4096];
	ssize_t len = readlink(place, text, sizeof(text) - 1);

	return len < 0 ? NULL : base_strndup(text, (size_t)len);
}

static char *
way_to(const char *version, const char *name)
{
	return base_printf("../roots/%s/%s", version, name);
}

int
own_lead(const struct versioned *v, const char *version, const char *name,
	 struct err *e)
{
	AUTO_FREE char *place = place_of(v, name);
	AUTO_FREE char *way = way_to(version, name);
	AUTO_FREE char *is = read_link(place);

	if (str_eq(is, way))
		return 0;
	/* it led to what somebody has removed since */
	if (is && !file_exists(place) && unlink(place) < 0)
		return err_sys(e, "%s", place);
	if (symlink(way, place) == 0)
		return 0;
	return errno == EEXIST
		       ? err_set(e, ERR_REFUSED,
				 "/%s is this host's own, and so is "
				 "/edeploy/state/%s: give one of the two "
				 "another name",
				 name, name)
		       : err_sys(e, "%s", place);
}

bool
own_is_led(const struct versioned *v, const char *version, const char *below)
{
	AUTO_FREE char *name = base_strndup(below, first_part(below));
	AUTO_FREE char *place = place_of(v, name);
	AUTO_FREE char *way = way_to(version, name);
	AUTO_FREE char *is = read_link(place);

	return str_eq(is, way);
}

static int
adopt(const struct versioned *v, const char *version, const char *name,
      struct err *e)
{
	AUTO_FREE char *place = place_of(v, name);
	AUTO_FREE char *there =
		base_printf("%s/roots/%s/%s", v->dir, version, name);

	if (renameat2(AT_FDCWD, there, AT_FDCWD, place, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno == ENOENT && unlink(place) == 0)
		return 0;
	return err_sys(e, "%s, this host's own folder", there);
}

/* ---- what nobody led to ---- */

static bool
is_in(const struct stat *st, const char *than, const char *name)
{
	AUTO_FREE char *path = than ? base_printf("%s/%s", than, name) : NULL;
	struct stat there;

	return path && lstat(path, &there) == 0 && there.st_ino == st->st_ino &&
	       there.st_dev == st->st_dev;
}

/* Files below `path` that folder `than` has not. */
static bool
holds_more(const char *path, const char *than)
{
	char **names = dir_names(path);
	/* what cannot be read may hold anything */
	bool found = !names && errno != ENOENT && errno != ENOTDIR;
	struct stat st;
	size_t i;

	for (i = 0; names && names[i] && !found; i++) {
		AUTO_FREE char *below = base_printf("%s/%s", path, names[i]);
		AUTO_FREE char *other =
			than ? base_printf("%s/%s", than, names[i]) : NULL;

		if (lstat(below, &st) < 0)
			found = errno != ENOENT;
		else if (S_ISDIR(st.st_mode))
			found = holds_more(below, other);
		else
			found = !is_in(&st, than, names[i]);
	}
	names_free(names);
	return found;
}

bool
own_holds_files(const char *path)
{
	return holds_more(path, NULL);
}

/* A folder with something in it that the running root has not; a file that it
 * has not, since files were linked. */
static bool
would_be_lost(const struct versioned *v, const char *path, const char *name)
{
	AUTO_FREE char *running = versioned_here(v);
	AUTO_FREE char *there = base_printf("%s/%s", running, name);
	struct stat st, other;

	if (lstat(path, &st) < 0)
		return errno != ENOENT;
	if (S_ISDIR(st.st_mode))
		return holds_more(path, there);
	return S_ISREG(st.st_mode) && st.st_size > 0 &&
	       lstat(there, &other) < 0;
}

static int
keep(const struct versioned *v, const char *version, const char *name,
     struct err *e)
{
	AUTO_FREE char *path =
		base_printf("%s/roots/%s/%s", v->dir, version, name);
	AUTO_FREE char *place = place_of(v, name);
	AUTO_CLEAR(buf) shown = { 0 };
	struct stat st;
	size_t n;

	if (!would_be_lost(v, path, name))
		return 0;
	for (n = 1; lstat(place, &st) == 0; n++) {
		free(place);
		place = base_printf("%s/state/%s.%s.%zu", v->dir, name, version,
				    n);
	}
	if (rename(path, place) < 0)
		return errno == EBUSY
			       ? err_set(e, ERR_REFUSED,
					 "%s stays, as something is mounted "
					 "there: unmount it, and try again",
					 path)
			       : err_sys(e, "%s, this host's own", path);
	show_path(place, &shown);
	fprintf(stderr,
		"edeploy: %s goes, and what no version brought there is kept "
		"as %s\n",
		version, buf_text(&shown));
	return 0;
}

/* As it was published; where nobody can tell any more, as what runs was. */
static int
read_tree(const struct versioned *v, const char *version, struct manifest **out,
	  struct err *e)
{
	AUTO(seal) seal = NULL;
	AUTO(seal) other = NULL;
	struct err ignored;

	return versioned_record(v, version, &seal, out, &ignored) == 0
		       ? 0
		       : versioned_record(v, v->running, &other, out, e);
}

static int
keep_all(const struct versioned *v, const char *version,
	 const struct manifest *tree, struct err *e)
{
	AUTO_FREE char *root = versioned_root(v, version);
	AUTO_CLEAR(classes) classes = { 0 };
	char **names;
	int bad = 0;
	size_t i;

	if (dir_list(root, &names, e) < 0)
		return -1;
	/* a list that was damaged is nobody's any more */
	if (classes_of_root(&classes, root, &(struct err){ 0 }) < 0) {
		classes_clear(&classes);
		classes_default(&classes);
	}
	for (i = 0; names[i] && !bad; i++)
		if (own_is(tree, &classes, names[i]))
			bad = keep(v, version, names[i], e);
	names_free(names);
	return bad;
}

static int
adopt_all(const struct versioned *v, const char *version, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/state", v->dir);
	char **names;
	int bad = 0;
	size_t i;

	if (dir_list(dir, &names, e) < 0)
		return -1;
	for (i = 0; names[i] && !bad; i++)
		if (own_is_led(v, version, names[i]))
			bad = adopt(v, version, names[i], e);
	names_free(names);
	return bad;
}

int
own_adopt_of(const struct versioned *v, const char *version,
	     const struct manifest *tree, struct err *e)
{
	return adopt_all(v, version, e) < 0 ? -1
					    : keep_all(v, version, tree, e);
}

int
own_adopt(const struct versioned *v, const char *version, struct err *e)
{
	AUTO_FREE char *root = versioned_root(v, version);
	AUTO(manifest) tree = NULL;

	if (adopt_all(v, version, e) < 0)
		return -1;
	if (!file_exists(root) && errno == ENOENT)
		return 0;
	return read_tree(v, version, &tree, e) < 0
		       ? -1
		       : keep_all(v, version, tree, e);
}
