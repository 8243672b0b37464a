/* Walking a tree: first all names with what the kernel says of them, on one
 * thread and one folder at a time, then the contents by several threads. What
 * has changed in between, or while it was read, is no tree that anybody built,
 * and is refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/beneath.h"

#include "rsyncd/look.h"
#include "rsyncd/manifest_form.h"
#include "rsyncd/walk.h"
#include "rsyncd/walk_files.h"

struct walker {
	const struct walk_opts *opts;
	int top;
	struct arena *arena;
	struct look *all;
	size_t len, room;
};

/* ---- names ---- */

static struct look *
add_look(struct walker *w, const struct look *look)
{
	if (w->len == w->room) {
		w->room = w->len ? 2 * w->len : 1024;
		w->all = base_resize(w->all, w->room, sizeof(*w->all));
	}
	w->all[w->len] = *look;
	return &w->all[w->len++];
}

static void
say(const struct walker *w, const char *path, const char *what)
{
	char shown[LOOK_SHOWN], line[LOOK_SHOWN + 80];

	if (!w->opts->say)
		return;
	snprintf(line, sizeof(line), "%s: %s", look_shown(path, shown), what);
	w->opts->say(w->opts->ctx, line);
}

static int
look_name(struct walker *w, int folder, const char *in, const char *name,
	  struct err *e)
{
	char path[MANIFEST_PATH_MAX + 2], shown[LOOK_SHOWN];
	bool top = strcmp(in, ".") == 0;
	struct look look;
	char *kept;
	int len, there;

	len = snprintf(path, sizeof(path), "%s%s%s", top ? "" : in,
		       top ? "" : "/", name);
	if (len > MANIFEST_PATH_MAX)
		return err_set(e, ERR_INPUT, "the path is too long: %s",
			       look_shown(path, shown));
	if (w->opts->skip && w->opts->skip(w->opts->ctx, path))
		return 0;
	if (w->len == MANIFEST_ENTRIES_MAX)
		return err_set(e, ERR_INPUT, "more than %d entries",
			       MANIFEST_ENTRIES_MAX);
	kept = arena_copy(w->arena, path, (size_t)len);
	there = look_at(&look, folder, name, kept, w->arena, e);
	if (there == 0)
		return walk_changed(path, e);
	if (there > 0 && look.entry.type)
		add_look(w, &look);
	else if (there > 0)
		say(w, path, "a socket, left out");
	return there < 0 ? -1 : 0;
}

static int
list_folder(struct walker *w, const char *path, struct err *e)
{
	int fd = open_beneath(w->top, path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char shown[LOOK_SHOWN];
	struct dirent *d;
	int ret = 0;

	if (!dir) {
		err_sys(e, "%s", look_shown(path, shown));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	for (errno = 0; ret == 0 && (d = readdir(dir)); errno = 0)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			ret = look_name(w, fd, path, d->d_name, e);
	if (ret == 0 && errno)
		ret = err_sys(e, "%s", look_shown(path, shown));
	closedir(dir);
	return ret;
}

/* w->all grows while it is gone through: what is found in a folder is found
 * again further behind. */
static int
list_all(struct walker *w, struct err *e)
{
	struct look top;
	size_t i;

	if (look_at(&top, w->top, ".", ".", w->arena, e) < 0)
		return -1;
	top.mount = false;
	add_look(w, &top);
	for (i = 0; i < w->len; i++) {
		const struct look *l = &w->all[i];

		if (l->entry.type != 'd')
			continue;
		if ((l->mount || l->dev != top.dev) && w->opts->no_mounts)
			return err_set(e, ERR_REFUSED,
				       "%s/%s: something else is mounted here, "
				       "and what lies below it cannot be seen: "
				       "unmount it, and try again",
				       w->opts->dir, l->entry.path);
		if (l->mount || l->dev != top.dev)
			say(w, l->entry.path,
			    "something else is mounted here, left out");
		else if (list_folder(w, l->entry.path, e) < 0)
			return -1;
	}
	return 0;
}

/* A folder that gained or lost a name has changed itself. */
static int
check_folders(const struct walker *w, struct err *e)
{
	AUTO(walk_look) pool = walk_look_new();
	size_t i;

	for (i = 0; i < w->len; i++) {
		const struct look *l = &w->all[i];
		struct manifest_entry now;
		int there;

		if (l->entry.type != 'd' || l->mount)
			continue;
		there = walk_look(pool, w->top, l->entry.path, &now, e);
		if (there < 0)
			return -1;
		if (there == 0 || now.type != 'd' ||
		    now.mtime_s != l->entry.mtime_s ||
		    now.mtime_ns != l->entry.mtime_ns)
			return walk_changed(l->entry.path, e);
	}
	return 0;
}

/* ---- hard links ---- */

static int
inode_cmp(const void *a, const void *b)
{
	const struct look *x = *(struct look *const *)a,
			  *y = *(struct look *const *)b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return manifest_path_cmp(x->entry.path, y->entry.path);
}

/* Of all names of an inode the first in the manifest's order is the thing, and
 * the others are links to it. */
static void
find_hard_links(struct walker *w)
{
	AUTO_FREE struct look **many = base_array(w->len, sizeof(*many));
	struct look *first = NULL;
	size_t n = 0, i;

	for (i = 0; i < w->len; i++)
		if (w->all[i].links > 1 && w->all[i].entry.type != 'd')
			many[n++] = &w->all[i];
	qsort(many, n, sizeof(*many), inode_cmp);
	for (i = 0; i < n; i++) {
		if (!first || first->dev != many[i]->dev ||
		    first->ino != many[i]->ino) {
			first = many[i];
			continue;
		}
		many[i]->entry.type = 'h';
		many[i]->entry.link = first->entry.path;
	}
}

/* ---- contents ---- */

static int
read_files(struct walker *w, struct err *e)
{
	AUTO_FREE struct look **file = base_array(w->len + 1, sizeof(*file));
	struct walk_files files = { .top = w->top,
				    .file = file,
				    .threads = w->opts->threads,
				    .progress = w->opts->progress,
				    .ctx = w->opts->ctx };
	size_t i;

	for (i = 0; i < w->len; i++)
		if (w->all[i].entry.type == 'f')
			file[files.len++] = &w->all[i];
	return walk_files(&files, e);
}

/* ---- all of it ---- */

static int
make_manifest(struct walker *w, struct manifest **out, struct err *e)
{
	AUTO(manifest) m = manifest_new();
	size_t i;

	if (list_all(w, e) < 0)
		return -1;
	find_hard_links(w);
	if (read_files(w, e) < 0 || check_folders(w, e) < 0)
		return -1;
	for (i = 0; i < w->len; i++)
		manifest_add(m, &w->all[i].entry);
	if (manifest_seal(m, e) < 0)
		return -1;
	*out = STEAL(m);
	return 0;
}

int
walk(const struct walk_opts *opts, struct manifest **out, struct err *e)
{
	AUTO_CLOSE int top =
		open(opts->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(arena) arena = arena_new();
	struct walker w = { .opts = opts, .top = top, .arena = arena };
	int ret;

	if (top < 0)
		return err_sys(e, "%s", opts->dir);
	ret = make_manifest(&w, out, e);
	free(w.all);
	return ret < 0 ? err_add(e, "%s", opts->dir) : 0;
}
