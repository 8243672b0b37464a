/* Names in /edeploy/roots: a version's root, and what is beside it with a
 * suffix. What is not complete is no version to anybody, so that a removal
 * starts by making it incomplete. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/mounts.h"

#include "host/keep.h"

static const char *const beside[] = { ".grub",   ".new",   ".fix",
				      ".mounts", ".local", ".record" };

/* "V" of "V.record". Owned. */
static char *
version_of(const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < ARRAY_LEN(beside); i++)
		if (str_ends(name, beside[i]))
			return base_strndup(name, len - strlen(beside[i]));
	return base_strdup(name);
}

static bool
is_mounted(const struct mounts *m, const char *version)
{
	AUTO_FREE char *part = base_printf("/edeploy/roots/%s", version);
	size_t i, len = strlen(part);

	for (i = 0; i < m->len; i++) {
		const char *at = strstr(m->at[i].from, part);

		if (at && (at[len] == '/' || !at[len]))
			return true;
	}
	return false;
}

static bool
is_needed(const struct versioned *v, const struct mounts *m,
	  const char *version)
{
	return str_eq(version, v->state.good) ||
	       str_eq(version, v->state.prev) ||
	       str_eq(version, v->state.trial) || str_eq(version, v->running) ||
	       is_mounted(m, version);
}

/* A file or a folder; nothing there is no failure. */
static int
remove_any(const char *path, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (S_ISDIR(st.st_mode))
		return dir_remove(path, e);
	return unlink(path) < 0 && errno != ENOENT ? err_sys(e, "%s", path) : 0;
}

int
keep_not(const struct versioned *v, const char *version, struct err *e)
{
	AUTO_FREE char *root = versioned_root(v, version);
	size_t i;

	for (i = 0; i < ARRAY_LEN(beside); i++) {
		AUTO_FREE char *path = versioned_beside(v, version, beside[i]);

		/* the record last: with a tree it is of use until then */
		if (i == ARRAY_LEN(beside) - 1 && remove_any(root, e) < 0)
			return -1;
		if (remove_any(path, e) < 0)
			return -1;
	}
	return 0;
}

/* Of a version that is needed only what an ended `verify --fix` left. */
static int
drop_leftovers(const struct versioned *v, const char *version, struct err *e)
{
	AUTO_FREE char *fresh = versioned_beside(v, version, ".new");
	AUTO_FREE char *fix = versioned_beside(v, version, ".fix");

	return remove_any(fresh, e) < 0 ? -1 : remove_any(fix, e);
}

int
keep_needed(const struct versioned *v, const char *going_on,
	    void (*each)(void *ctx, const char *version), void *ctx,
	    struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/roots", v->dir);
	AUTO_CLEAR(mounts) m = { 0 };
	char **names = NULL;
	int bad = mounts_read(&m, e);
	size_t i;

	names = bad ? NULL : dir_names(dir);
	for (i = 0; names && names[i] && !bad; i++) {
		AUTO_FREE char *version = version_of(names[i]);

		if (str_eq(version, going_on))
			continue;
		if (is_needed(v, &m, version)) {
			bad = drop_leftovers(v, version, e);
			continue;
		}
		if (each && versioned_has(v, version))
			each(ctx, version);
		bad = keep_not(v, version, e);
	}
	names_free(names);
	return bad;
}
