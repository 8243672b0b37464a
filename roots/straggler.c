/* Who runs files that are no longer those at their paths: each mapping of a
 * program's memory names the file by device and inode, and stat tells what is
 * at that path today. The mapped file itself, removed or not, is read through
 * /proc/PID/map_files. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/live.h"
#include "roots/same.h"

#define ROOTS "/edeploy/roots"
#define PROC_TEXT_MAX (8 * 1024 * 1024)

/* A mapped file, and whether its content is what stands at its path. */
struct seen {
	unsigned major, minor;
	unsigned long inode;
	bool same;
};

struct look {
	void (*each)(void *ctx, const struct straggler *s);
	void *ctx;
	struct stat root, mounts; /* "/", our mount namespace */
	struct mounts all;
	unsigned major, minor; /* the versions' file system */
	struct seen *seen;     /* libraries are mapped by many */
	size_t len;
};

/* A file of /proc/PID, NULL when the program is gone or hides it. Owned. */
static char *
read_of(const char *pid, const char *name)
{
	AUTO_FREE char *path = base_printf("/proc/%s/%s", pid, name);
	char *text = NULL;
	size_t len;
	struct err ignored;

	if (file_read(path, PROC_TEXT_MAX, &text, &len, &ignored) < 0)
		return NULL;
	return text;
}

struct mapping {
	unsigned long from, to;
	struct seen file;
	const char *path;
};

/* "7f00-7f01 r-xp 00000000 fe:01 1234   /usr/lib/x.so": an executable mapping
 * of a file. */
static bool
parse_mapping(char *line, struct mapping *m)
{
	static const char deleted[] = " (deleted)";
	char mode[5];
	int at = 0;

	*m = (struct mapping){ 0 };
	if (sscanf(line, "%lx-%lx %4s %*x %x:%x %lu %n", &m->from, &m->to, mode,
		   &m->file.major, &m->file.minor, &m->file.inode, &at) != 6 ||
	    mode[2] != 'x' || m->file.inode == 0 || line[at] != '/')
		return false;
	if (str_ends(line, deleted))
		line[strlen(line) - strlen(deleted)] = '\0';
	m->path = line + at;
	return true;
}

/* Its content is what stands at its path; a program that ends meanwhile runs
 * nothing old. */
static bool
has_same_bytes(const char *pid, const struct mapping *m)
{
	AUTO_FREE char *file =
		base_printf("/proc/%s/map_files/%lx-%lx", pid, m->from, m->to);
	bool same = false;
	struct err gone;

	return same_bytes(file, m->path, &same, &gone) < 0 || same ||
	       !file_exists(file);
}

static bool
stands_at(const char *path, unsigned long inode)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == inode;
}

/* The mount through which a program has found its file may be gone with the old
 * root; the path begins at that mount's top then ("/lib/x" for a program below
 * /var). */
static bool
stands_below_mount(const struct look *l, const struct mapping *m)
{
	size_t i;

	for (i = 0; i < l->all.len; i++) {
		AUTO_FREE char *path =
			base_printf("%s%s", l->all.at[i].where, m->path);

		if (l->all.at[i].major == l->major &&
		    l->all.at[i].minor == l->minor &&
		    stands_at(path, m->file.inode))
			return true;
	}
	return false;
}

static bool
is_current(struct look *l, const char *pid, struct mapping *m)
{
	size_t i;

	if (m->file.major != l->major || m->file.minor != l->minor)
		return true; /* of no version: a container's, a program on
				another disk */
	if (stands_at(m->path, m->file.inode))
		return true;
	for (i = 0; i < l->len; i++)
		if (l->seen[i].inode == m->file.inode &&
		    l->seen[i].major == m->file.major &&
		    l->seen[i].minor == m->file.minor)
			return l->seen[i].same;
	m->file.same = stands_below_mount(l, m) || has_same_bytes(pid, m);
	l->seen = base_resize(l->seen, l->len + 1, sizeof(*l->seen));
	l->seen[l->len++] = m->file;
	return m->file.same;
}

/* Borrowed from `maps`. */
static const char *
old_file(struct look *l, const char *pid, char *maps)
{
	struct mapping m;
	char *line;

	while ((line = strsep(&maps, "\n")))
		if (parse_mapping(line, &m) && !is_current(l, pid, &m))
			return m.path;
	return NULL;
}

/* The last part of its cgroup that is a unit. Owned, "" when none. */
static char *
unit_of(const char *pid)
{
	AUTO_FREE char *text = read_of(pid, "cgroup");
	char *at = text, *part, *unit = NULL;

	while (at && (part = strsep(&at, "/\n")))
		if (str_ends(part, ".service") || str_ends(part, ".scope"))
			unit = part;
	return base_strdup(unit ? unit : "");
}

/* ---- one program ---- */

enum where { AT_ROOT, AT_OLD_ROOT, ELSEWHERE };

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static bool
is_version(const struct stat *root)
{
	char **names = dir_names(ROOTS);
	bool found = false;
	size_t i;

	for (i = 0; names && names[i] && !found; i++) {
		AUTO_FREE char *path = base_printf(ROOTS "/%s", names[i]);
		struct stat st;

		found = stat(path, &st) == 0 && is_same(&st, root);
	}
	names_free(names);
	return found;
}

/* With mounts of its own a program may stand at the root of another version, as
 * it was when it was started, or at a container's. */
static enum where
where_is(const struct look *l, const char *pid)
{
	AUTO_FREE char *ns = base_printf("/proc/%s/ns/mnt", pid);
	AUTO_FREE char *path = base_printf("/proc/%s/root/", pid);
	struct stat mounts, root;

	if (stat(ns, &mounts) < 0 || stat(path, &root) < 0)
		return ELSEWHERE; /* gone */
	if (is_same(&mounts, &l->mounts) || is_same(&root, &l->root))
		return AT_ROOT;
	return is_version(&root) ? AT_OLD_ROOT : ELSEWHERE;
}

static void
look_at(struct look *l, const char *pid)
{
	AUTO_FREE char *maps = read_of(pid, "maps");
	AUTO_FREE char *name = read_of(pid, "comm");
	AUTO_FREE char *unit = NULL;
	struct straggler s = { .pid = (pid_t)atoi(pid) };
	enum where at;

	if (!maps || !*maps || !name) /* gone, or a kernel's thread */
		return;
	at = where_is(l, pid);
	if (at == AT_OLD_ROOT)
		s.path = "/";
	else if (at == AT_ROOT)
		s.path = old_file(l, pid, maps);
	if (!s.path)
		return;
	name[strcspn(name, "\n")] = '\0';
	unit = unit_of(pid);
	s.name = name;
	s.unit = unit;
	l->each(l->ctx, &s);
}

/* What a program's maps call the file system of "/". */
static void
find_device(struct look *l)
{
	size_t i;

	for (i = 0; i < l->all.len; i++)
		if (str_eq(l->all.at[i].where, "/")) {
			l->major = l->all.at[i].major;
			l->minor = l->all.at[i].minor;
		}
}

static int
look_at_all(struct look *l, struct err *e)
{
	char **names;
	size_t i;

	if (mounts_read(&l->all, e) < 0)
		return -1;
	find_device(l);
	if (stat("/", &l->root) < 0 ||
	    stat("/proc/self/ns/mnt", &l->mounts) < 0 ||
	    !(names = dir_names("/proc")))
		return err_sys(e, "/proc");
	for (i = 0; names[i]; i++)
		if (isdigit((unsigned char)names[i][0]))
			look_at(l, names[i]);
	names_free(names);
	return 0;
}

int
live_stragglers(void (*each)(void *ctx, const struct straggler *s), void *ctx,
		struct err *e)
{
	struct look l = { .each = each, .ctx = ctx };
	int bad = look_at_all(&l, e);

	mounts_clear(&l.all);
	free(l.seen);
	return bad;
}
