/* Names in /edeploy/roots: a version's root, and what is beside it with a
 * suffix. What is not complete is no version to anybody, so that a removal
 * starts by making it incomplete. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/file.h"
#include "lib/mounts.h"
#include "lib/remove.h"
#include "lib/swaps.h"

#include "host/keep.h"
#include "host/own.h"

static const char *const beside[] = { ".grub", ".new",   ".fix",   ".mounts",
				      ".post", ".local", ".record" };

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

/* ---- who needs it ---- */

/* What is mounted, here and in each mount namespace of some program: a
 * container may hold a folder of a version that nobody else has. */
struct all_mounts {
	struct mounts *of;
	ino_t *seen; /* the namespaces */
	size_t len;
};

static void
all_mounts_clear(struct all_mounts *a)
{
	while (a->len-- > 0)
		mounts_clear(&a->of[a->len]);
	free(a->of);
	free(a->seen);
}

static bool
is_seen(const struct all_mounts *a, ino_t ns)
{
	size_t i;

	for (i = 0; i < a->len; i++)
		if (a->seen[i] == ns)
			return true;
	return false;
}

/* A program that ends meanwhile holds nothing. */
static int
add_mounts(struct all_mounts *a, const char *pid, struct err *e)
{
	AUTO_FREE char *path = base_printf("/proc/%s/ns/mnt", pid);
	struct mounts m;
	struct stat ns;

	if (stat(path, &ns) < 0 || is_seen(a, ns.st_ino))
		return 0;
	if (mounts_read_of(&m, pid, e) < 0) {
		mounts_clear(&m);
		return -1;
	}
	a->of = base_resize(a->of, a->len + 1, sizeof(*a->of));
	a->seen = base_resize(a->seen, a->len + 1, sizeof(*a->seen));
	a->seen[a->len] = ns.st_ino;
	a->of[a->len++] = m;
	return 0;
}

static int
read_all_mounts(struct all_mounts *a, struct err *e)
{
	char **names;
	struct err gone;
	size_t i;

	*a = (struct all_mounts){ 0 };
	if (add_mounts(a, "self", e) < 0)
		return -1;
	if (dir_list("/proc", &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++)
		if (isdigit((unsigned char)names[i][0]))
			add_mounts(a, names[i], &gone);
	names_free(names);
	return 0;
}

/* A folder of it; the machine's own there goes on elsewhere. */
static bool
holds(const struct versioned *v, const char *from, const char *root,
      const char *version)
{
	const char *at = strstr(from, root);

	if (!at)
		return false;
	at += strlen(root);
	return !*at || (*at == '/' && !own_is_led(v, version, at + 1));
}

static bool
is_mounted(const struct versioned *v, const struct all_mounts *a,
	   const char *version)
{
	AUTO_FREE char *root = base_printf("/edeploy/roots/%s", version);
	struct stat disk;
	size_t i, k;

	if (stat(v->dir, &disk) < 0)
		return true; /* nothing is known */
	for (i = 0; i < a->len; i++)
		for (k = 0; k < a->of[i].len; k++) {
			const struct mount_row *m = &a->of[i].at[k];

			if (m->major == major(disk.st_dev) &&
			    m->minor == minor(disk.st_dev) &&
			    holds(v, m->from, root, version))
				return true;
		}
	return false;
}

/* A program's root is that of `version`: a service in mounts of its own, which
 * nobody has restarted since the system went on in another one. */
static bool
is_stood_in(const struct versioned *v, const char *version)
{
	AUTO_FREE char *path = versioned_root(v, version);
	struct stat root, its;
	bool found = false;
	char **names;
	size_t i;

	if (stat(path, &root) < 0)
		return false;
	names = dir_names("/proc");
	for (i = 0; names && names[i] && !found; i++) {
		AUTO_FREE char *at = base_printf("/proc/%s/root/", names[i]);

		found = isdigit((unsigned char)names[i][0]) &&
			stat(at, &its) == 0 && its.st_ino == root.st_ino &&
			its.st_dev == root.st_dev;
	}
	names_free(names);
	return found;
}

static bool
is_needed(const struct versioned *v, const struct all_mounts *m,
	  const char *version)
{
	return str_eq(version, v->state.good) ||
	       str_eq(version, v->state.prev) ||
	       str_eq(version, v->state.trial) || str_eq(version, v->running) ||
	       is_mounted(v, m, version) || is_stood_in(v, version);
}

/* ---- removing ---- */

/* A file or a folder; nothing there is no failure. */
static int
remove_any(const char *path, struct err *e)
{
	return remove_locked(AT_FDCWD, path, path, e);
}

/* Nothing is left of it but names of files that the system swaps to. They take
 * no room, for the running version has them, too. */
static bool
is_swap_alone(const char *root)
{
	char **names = dir_names(root);
	bool only = names && names[0];
	size_t i;

	for (i = 0; only && names[i]; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", root, names[i]);
		struct stat st;

		only = lstat(path, &st) == 0 && swaps_has(&st);
	}
	names_free(names);
	return only;
}

/* The folder of a root; 1: its record stays, that the rest is tried again. */
static int
remove_root(const char *root, struct err *e)
{
	struct err why = { 0 };

	if (remove_any(root, &why) == 0)
		return 0;
	if (is_swap_alone(root))
		return 1;
	*e = why;
	return -1;
}

int
keep_not(const struct versioned *v, const char *version, struct err *e)
{
	AUTO_FREE char *root = versioned_root(v, version);
	size_t i;

	for (i = 0; i < ARRAY_LEN(beside); i++) {
		AUTO_FREE char *path = versioned_beside(v, version, beside[i]);

		/* the record last: with a tree it is of use until then */
		int left = 0;

		if (i == ARRAY_LEN(beside) - 1 &&
		    (own_adopt(v, version, e) < 0 ||
		     (left = remove_root(root, e)) < 0))
			return -1;
		if (!left && remove_any(path, e) < 0)
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

/* A name without anything of ours beside it is somebody's own. */
static bool
is_ours(const struct versioned *v, const char *name, const char *version)
{
	AUTO_FREE char *record = versioned_beside(v, version, ".record");
	AUTO_FREE char *grub = versioned_beside(v, version, ".grub");

	return !str_eq(name, version) || file_exists(record) ||
	       file_exists(grub);
}

static int
keep_one(const struct versioned *v, const struct all_mounts *m,
	 const char *version, void (*each)(void *ctx, const char *version),
	 void *ctx, struct err *e)
{
	if (is_needed(v, m, version))
		return drop_leftovers(v, version, e);
	if (each && versioned_has(v, version))
		each(ctx, version);
	return keep_not(v, version, e);
}

int
keep_needed(const struct versioned *v, const char *going_on,
	    void (*each)(void *ctx, const char *version), void *ctx,
	    struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/roots", v->dir);
	struct all_mounts m __attribute__((cleanup(all_mounts_clear)));
	char **names;
	int bad = 0;
	struct err more;
	size_t i;

	if (read_all_mounts(&m, e) < 0 || dir_list(dir, &names, e) < 0)
		return -1;
	for (i = 0; names[i]; i++) {
		AUTO_FREE char *version = version_of(names[i]);

		if (!str_eq(version, going_on) &&
		    is_ours(v, names[i], version) &&
		    keep_one(v, &m, version, each, ctx, bad ? &more : e) < 0)
			bad = -1;
	}
	names_free(names);
	return bad;
}

void
keep_tidy(const struct versioned *v, const char *going_on,
	  void (*each)(void *ctx, const char *version), void *ctx)
{
	struct err e = { 0 };

	if (keep_needed(v, going_on, each, ctx, &e) < 0)
		fprintf(stderr,
			"edeploy: warning: %s (\"edeploy gc\" tries it "
			"again)\n",
			e.text);
}
