/* Who runs files that are no longer those at their paths: each mapping of a
 * program's memory names the file by device and inode, and stat tells what is
 * at that path today. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/live.h"

#define PROC_TEXT_MAX (8 * 1024 * 1024)

struct look {
	bool (*same)(void *ctx, const char *path);
	void (*each)(void *ctx, const struct straggler *s);
	void *ctx;
	struct stat root;
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

/* "7f00-7f01 r-xp 00000000 fe:01 1234   /usr/lib/x.so": executable mappings of
 * files. True when the file at that path is another one now. */
static bool
is_old(const struct look *l, char *line, const char **path)
{
	unsigned major, minor;
	unsigned long inode;
	char mode[5];
	int at = 0;
	struct stat st;

	if (sscanf(line, "%*s %4s %*x %x:%x %lu %n", mode, &major, &minor,
		   &inode, &at) != 4 ||
	    mode[2] != 'x' || inode == 0 || line[at] != '/')
		return false;
	*path = line + at;
	if (str_ends(line, " (deleted)"))
		line[strlen(line) - strlen(" (deleted)")] = '\0';
	else if (stat(*path, &st) == 0 && st.st_ino == inode)
		return false;
	return !l->same || !l->same(l->ctx, *path);
}

/* Its maps. Borrowed from `maps`. */
static const char *
old_file(const struct look *l, char *maps)
{
	const char *path = NULL;
	char *line;

	while ((line = strsep(&maps, "\n")))
		if (is_old(l, line, &path))
			return path;
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

/* In a namespace of its own, at a root that is the top of some version. */
static bool
has_old_root(const struct look *l, const char *pid)
{
	AUTO_FREE char *ns = base_printf("/proc/%s/ns/mnt", pid);
	AUTO_FREE char *root = base_printf("/proc/%s/root/", pid);
	AUTO_FREE char *top = base_printf("/proc/%s/root/edeploy", pid);
	struct stat st, ours;

	return stat(ns, &st) == 0 && stat("/proc/self/ns/mnt", &ours) == 0 &&
	       st.st_ino != ours.st_ino && stat(root, &st) == 0 &&
	       (st.st_ino != l->root.st_ino || st.st_dev != l->root.st_dev) &&
	       st.st_dev == l->root.st_dev && file_exists(top);
}

static void
look_at(const struct look *l, const char *pid)
{
	AUTO_FREE char *maps = read_of(pid, "maps");
	AUTO_FREE char *name = read_of(pid, "comm");
	AUTO_FREE char *unit = NULL;
	struct straggler s = { .pid = (pid_t)atoi(pid) };

	if (!maps || !*maps || !name) /* gone, or a kernel's thread */
		return;
	s.path = has_old_root(l, pid) ? "/" : old_file(l, maps);
	if (!s.path)
		return;
	name[strcspn(name, "\n")] = '\0';
	unit = unit_of(pid);
	s.name = name;
	s.unit = unit;
	l->each(l->ctx, &s);
}

int
live_stragglers(bool (*same)(void *ctx, const char *path),
		void (*each)(void *ctx, const struct straggler *s), void *ctx,
		struct err *e)
{
	struct look l = { .same = same, .each = each, .ctx = ctx };
	char **names = dir_names("/proc");
	size_t i;

	if (!names)
		return err_sys(e, "/proc");
	if (stat("/", &l.root) < 0) {
		names_free(names);
		return err_sys(e, "/");
	}
	for (i = 0; names[i]; i++)
		if (isdigit((unsigned char)names[i][0]))
			look_at(&l, names[i]);
	names_free(names);
	return 0;
}
