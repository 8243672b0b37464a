/* Who runs files of the running version that the next one changes: by the maps
 * of every program, as roots/straggler.c looks when it has happened. */
#include <ctype.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"

#include "host/affected.h"

#define PROC_MAX (16 * 1024 * 1024)
#define FOLLOW_MOST 256 /* names and links on a path's way */

bool
affected_same(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->type == b->type && a->mode == b->mode && a->uid == b->uid &&
	       a->gid == b->gid && a->size == b->size && a->major == b->major &&
	       a->minor == b->minor &&
	       (a->type != 'f' || digest_eq(&a->hash, &b->hash)) &&
	       str_eq(a->link, b->link);
}

/* ---- what a boot starts ---- */

static bool
is_kernel(const char *path)
{
	return str_starts(path, "boot/vmlinuz") ||
	       str_starts(path, "boot/vmlinux") ||
	       str_starts(path, "boot/kernel-");
}

static bool
is_initrd(const char *path)
{
	return str_starts(path, "boot/initrd") ||
	       str_starts(path, "boot/initramfs");
}

/* Each file of this sort of `a` is one of `b`. */
static bool
has_all_of(const struct manifest *a, const struct manifest *b,
	   bool (*is_sort)(const char *path))
{
	size_t i;

	for (i = 0; i < a->len; i++) {
		const struct manifest_entry *x = &a->entry[i], *y;

		if (!is_sort(x->path))
			continue;
		y = manifest_find(b, x->path);
		if (!y || !affected_same(x, y))
			return false;
	}
	return true;
}

bool
affected_kernel(const struct manifest *was, const struct manifest *will)
{
	return !has_all_of(was, will, is_kernel) ||
	       !has_all_of(will, was, is_kernel);
}

static void
drop_last(struct buf *path)
{
	while (path->len > 0 && path->at[path->len - 1] != '/')
		path->len--;
	if (path->len > 0)
		path->len--;
}

/* The entry that a path leads to, links followed below the tree's top; NULL:
 * to none. */
static const struct manifest_entry *
follow(const struct manifest *m, const char *path)
{
	AUTO_CLEAR(buf) at = { 0 };
	AUTO_FREE char *left = base_strdup(path);
	const struct manifest_entry *x;
	char *rest = left, *name, *next;
	int steps = 0;

	while ((name = strsep(&rest, "/")) && steps++ < FOLLOW_MOST) {
		if (!*name || str_eq(name, "."))
			continue;
		if (str_eq(name, "..")) {
			drop_last(&at);
			continue;
		}
		buf_printf(&at, "%s%s", at.len ? "/" : "", name);
		x = manifest_find(m, buf_text(&at));
		if (!x || x->type != 'l')
			continue;
		if (*x->link == '/')
			at.len = 0;
		else
			drop_last(&at);
		next = base_printf("%s/%s", x->link, rest ? rest : "");
		free(left);
		left = rest = next;
	}
	x = name ? NULL : manifest_find(m, buf_text(&at));
	return x && x->type == 'h' ? manifest_find(m, x->link) : x;
}

bool
affected_start(const struct manifest *was, const struct manifest *will)
{
	const struct manifest_entry *a = follow(was, "sbin/init");
	const struct manifest_entry *b = follow(will, "sbin/init");

	return !has_all_of(was, will, is_initrd) ||
	       !has_all_of(will, was, is_initrd) || !a || !b ||
	       !affected_same(a, b);
}

/* ---- programs ---- */

static char *
read_of(const char *pid, const char *name)
{
	AUTO_FREE char *path = base_printf("/proc/%s/%s", pid, name);
	struct err ignored;
	char *text = NULL;
	size_t len;

	if (file_read(path, PROC_MAX, &text, &len, &ignored) < 0)
		return base_strdup("");
	return text;
}

/* The path of a line of maps, without its slash; NULL: no file that runs. */
static const char *
path_of(const char *line)
{
	const char *path = strchr(line, '/');
	const char *flags = strchr(line, ' ');

	return path && flags && strlen(flags) > 3 && flags[3] == 'x' ? path + 1
								     : NULL;
}

static bool
runs_changed(char *maps, const struct manifest *was,
	     const struct manifest *will)
{
	char *line;

	while ((line = strsep(&maps, "\n"))) {
		const char *path = path_of(line);
		const struct manifest_entry *a =
			path ? manifest_find(was, path) : NULL;
		const struct manifest_entry *b =
			a ? manifest_find(will, path) : NULL;

		if (a && (!b || !affected_same(a, b)))
			return true;
	}
	return false;
}

static char *
unit_of(const char *pid)
{
	AUTO_FREE char *cgroup = read_of(pid, "cgroup");
	AUTO_FREE char *name = read_of(pid, "comm");
	char *at = cgroup, *part, *unit = NULL;

	while (at && (part = strsep(&at, "/\n")))
		if (str_ends(part, ".service") || str_ends(part, ".scope"))
			unit = part;
	name[strcspn(name, "\n")] = '\0';
	return base_strdup(unit ? unit : name);
}

static void
add_once(struct value *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->list.len; i++)
		if (str_eq(list->list.at[i]->str.at, name))
			return;
	value_push(list, value_str(name));
}

static int
by_name(const void *a, const void *b)
{
	return strcmp((*(struct value *const *)a)->str.at,
		      (*(struct value *const *)b)->str.at);
}

struct value *
affected_services(const struct manifest *was, const struct manifest *will)
{
	struct value *list = value_list();
	char **names = dir_names("/proc");
	size_t i;

	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *maps = NULL;
		AUTO_FREE char *unit = NULL;

		if (!isdigit((unsigned char)names[i][0]))
			continue;
		maps = read_of(names[i], "maps");
		if (!runs_changed(maps, was, will))
			continue;
		unit = unit_of(names[i]);
		add_once(list, unit);
	}
	names_free(names);
	if (list->list.len > 1)
		qsort(list->list.at, list->list.len, sizeof(*list->list.at),
		      by_name);
	return list;
}
