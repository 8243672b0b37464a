/* Walking a tree: first all names with what the kernel says of them, on one
 * thread and one folder at a time, then the contents by several threads. What
 * has changed in between, or while it was read, is no tree that anybody built,
 * and is refused. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lib/beneath.h"

#include "rsyncd/look.h"
#include "rsyncd/manifest_form.h"
#include "rsyncd/team.h"
#include "rsyncd/walk.h"

#define CHUNK ((size_t)128 << 10) /* read at once, on a thread's stack */

struct walker {
	const struct walk_opts *opts;
	int top;
	struct arena *arena;
	struct look *all;
	size_t len, room;
	struct look **file; /* those to be read */
	size_t files;
	atomic_ullong done, bytes;
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
gone(const char *path, struct err *e)
{
	char shown[LOOK_SHOWN];

	return err_set(e, ERR_REFUSED,
		       "%s changed while the tree was looked at: wait until "
		       "nothing writes into it, and try again",
		       look_shown(path, shown));
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
		return gone(path, e);
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
			return gone(l->entry.path, e);
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
hash_file(struct walker *w, int fd, struct look *l, struct err *e)
{
	char shown[LOOK_SHOWN], chunk[CHUNK];
	struct digest_run run;
	uint64_t left = l->entry.size;
	ssize_t got;

	digest_begin(&run);
	do {
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "%s",
				       look_shown(l->entry.path, shown));
		if ((uint64_t)got > left)
			return gone(l->entry.path, e);
		digest_add(&run, chunk, (size_t)got);
		left -= (uint64_t)got;
		atomic_fetch_add_explicit(&w->bytes, (uint64_t)got,
					  memory_order_relaxed);
	} while (got != 0);
	digest_end(&run, &l->entry.hash);
	return left > 0 ? gone(l->entry.path, e) : 0;
}

static int
read_file(void *ctx, size_t i, struct err *e)
{
	struct walker *w = ctx;
	struct look *l = w->file[i], now;
	const char *path = l->entry.path;
	char shown[LOOK_SHOWN];
	/* O_NONBLOCK: what has become a pipe meanwhile must not be waited for
	 */
	AUTO_CLOSE int fd =
		open_beneath(w->top, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return gone(path, e); /* removed, or no file any more */
	if (fd < 0)
		return err_sys(e, "%s", look_shown(path, shown));
	if (hash_file(w, fd, l, e) < 0)
		return -1;
	if (l->thin) /* moves the place where is read */
		l->entry.sparse = look_sparse(fd, l->entry.size);
	if (look_fd(&now, fd, path, e) < 0)
		return -1;
	if (!look_same(l, &now))
		return gone(path, e);
	atomic_fetch_add_explicit(&w->done, 1, memory_order_relaxed);
	return 0;
}

static void
tell(void *ctx)
{
	struct walker *w = ctx;

	if (w->opts->progress)
		w->opts->progress(w->opts->ctx, atomic_load(&w->done),
				  atomic_load(&w->bytes));
}

static int
read_files(struct walker *w, struct err *e)
{
	struct team_opts team = { .threads = w->opts->threads,
				  .part = read_file,
				  .tick = tell,
				  .ctx = w };
	size_t i;

	w->file = base_array(w->len, sizeof(struct look *));
	for (i = 0; i < w->len; i++)
		if (w->all[i].entry.type == 'f')
			w->file[w->files++] = &w->all[i];
	team.parts = w->files;
	return team_run(&team, e);
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
	tell(w);
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
	free(w.file);
	free(w.all);
	return ret < 0 ? err_add(e, "%s", opts->dir) : 0;
}
