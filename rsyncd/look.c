/* One thing on the disk as an entry of a manifest. No link is followed: calls
 * name it below its folder's descriptor; those for attributes, of which there
 * are none "at" a folder, through /proc/self/fd. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lib/beneath.h"

#include "rsyncd/look.h"
#include "rsyncd/manifest_form.h"
#include "rsyncd/walk.h"

#define LIST_MAX 65536 /* the kernel's limit, for lists and values */

const char *
look_shown(const char *path, char out[LOOK_SHOWN])
{
	AUTO_CLEAR(buf) b = { 0 };

	manifest_escape(path, &b);
	snprintf(out, LOOK_SHOWN, "%s", buf_text(&b));
	return out;
}

/* ---- attributes ---- */

/* What is a tree's and can be given to a file. The rest of system.* is another
 * view of what the entry says already. */
static bool
wanted(const char *name)
{
	return !str_starts(name, "system.") ||
	       str_starts(name, "system.posix_acl_");
}

static int
take_value(struct manifest_xattr *x, const char *at, const char *name,
	   struct arena *arena)
{
	AUTO_FREE char *value = base_alloc(LIST_MAX);
	ssize_t len = lgetxattr(at, name, value, LIST_MAX);

	if (len < 0)
		return -1;
	x->name = arena_copy(arena, name, strlen(name));
	x->value = (unsigned char *)arena_copy(arena, value, (size_t)len);
	x->len = (size_t)len;
	return 0;
}

static int
take_xattrs(struct manifest_entry *x, const char *at, const char *list,
	    size_t len, struct arena *arena)
{
	struct manifest_xattr *all;
	const char *name;
	size_t n = 0;

	all = arena_array(arena, MANIFEST_XATTRS_MAX, sizeof(*all));
	for (name = list; name < list + len; name += strlen(name) + 1) {
		if (!wanted(name))
			continue;
		if (n == MANIFEST_XATTRS_MAX) {
			errno = E2BIG;
			return -1;
		}
		if (take_value(&all[n++], at, name, arena) < 0)
			return -1;
	}
	qsort(all, n, sizeof(*all), manifest_xattr_cmp);
	x->xattrs = all;
	x->xattrs_len = (uint8_t)n;
	return 0;
}

static int
look_xattrs(struct manifest_entry *x, int parent, const char *name,
	    struct arena *arena, struct err *e)
{
	char at[300], shown[LOOK_SHOWN], small[1024];
	AUTO_FREE char *large = NULL;
	char *list = small;
	ssize_t len;

	snprintf(at, sizeof(at), "/proc/self/fd/%d/%s", parent, name);
	len = llistxattr(at, small, sizeof(small));
	if (len < 0 && errno == ERANGE) {
		list = large = base_alloc(LIST_MAX);
		len = llistxattr(at, large, LIST_MAX);
	}
	if (len == 0 || (len < 0 && errno == ENOTSUP))
		return 0;
	if (len > 0 && take_xattrs(x, at, list, (size_t)len, arena) == 0)
		return 0;
	return err_sys(e, "%s: extended attributes",
		       look_shown(x->path, shown));
}

/* ---- what statx says ---- */

static int
look_link(struct manifest_entry *x, int parent, const char *name,
	  struct arena *arena, struct err *e)
{
	char text[MANIFEST_PATH_MAX + 2], shown[LOOK_SHOWN];
	ssize_t len = readlinkat(parent, name, text, sizeof(text));

	if (len < 0)
		return err_sys(e, "%s", look_shown(x->path, shown));
	/* what is cut here is longer than a manifest takes */
	x->link = arena_copy(arena, text, (size_t)len);
	return 0;
}

char
look_type(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return 'd';
	case S_IFREG:
		return 'f';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	default:
		return '\0';
	}
}

static void
from_statx(struct look *out, const struct statx *st, const char *path)
{
	struct manifest_entry *x = &out->entry;

	*out = (struct look){ .entry.path = path };
	x->type = look_type(st->stx_mode);
	x->mode = x->type == 'l' ? 0777 : st->stx_mode & 07777;
	x->uid = st->stx_uid;
	x->gid = st->stx_gid;
	x->mtime_s = st->stx_mtime.tv_sec;
	x->mtime_ns = st->stx_mtime.tv_nsec;
	if (x->type == 'f')
		x->size = st->stx_size;
	if (x->type == 'c' || x->type == 'b') {
		x->major = st->stx_rdev_major;
		x->minor = st->stx_rdev_minor;
	}
	out->dev = (dev_t)st->stx_dev_major << 32 | st->stx_dev_minor;
	out->ino = st->stx_ino;
	out->links = st->stx_nlink;
	out->ctime_s = st->stx_ctime.tv_sec;
	out->ctime_ns = st->stx_ctime.tv_nsec;
	out->mount = st->stx_attributes & STATX_ATTR_MOUNT_ROOT;
	out->thin = x->size >= SPARSE_RUN && st->stx_blocks * 512 < x->size;
}

int
look_at(struct look *out, int parent, const char *name, const char *path,
	struct arena *arena, struct err *e)
{
	char shown[LOOK_SHOWN];
	struct statx st;

	if (statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "%s", look_shown(path, shown));
	}
	from_statx(out, &st, path);
	if (!arena || !out->entry.type)
		return 1;
	if (out->entry.type == 'l' &&
	    look_link(&out->entry, parent, name, arena, e) < 0)
		return -1;
	return look_xattrs(&out->entry, parent, name, arena, e) < 0 ? -1 : 1;
}

int
look_fd(struct look *out, int fd, const char *path, struct err *e)
{
	char shown[LOOK_SHOWN];
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return err_sys(e, "%s", look_shown(path, shown));
	from_statx(out, &st, path);
	return 0;
}

bool
look_same(const struct look *a, const struct look *b)
{
	/* whatever is changed of an inode changes its ctime, too; reading
	 * does not */
	return a->dev == b->dev && a->ino == b->ino &&
	       a->entry.type == b->entry.type &&
	       a->entry.size == b->entry.size &&
	       a->entry.mtime_s == b->entry.mtime_s &&
	       a->entry.mtime_ns == b->entry.mtime_ns &&
	       a->ctime_s == b->ctime_s && a->ctime_ns == b->ctime_ns;
}

/* ---- holes ---- */

bool
look_sparse(int fd, uint64_t size)
{
	off_t hole = 0, end;

	for (;;) {
		hole = lseek(fd, hole, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole >= size)
			return false; /* the hole behind the file's end */
		end = lseek(fd, hole, SEEK_DATA);
		if (end < 0) /* no data behind it */
			end = (off_t)size;
		hole = (hole + SPARSE_RUN - 1) / SPARSE_RUN * SPARSE_RUN;
		if (end - hole >= (off_t)SPARSE_RUN)
			return true;
		hole = end;
	}
}

/* ---- one at a time ---- */

struct walk_look {
	struct arena *arena;
	char *folder; /* path of the folder that `fd` is, or NULL */
	int top, fd;
};

struct walk_look *
walk_look_new(void)
{
	struct walk_look *l = base_alloc(sizeof(*l));

	l->arena = arena_new();
	l->top = l->fd = -1;
	return l;
}

void
walk_look_forget(struct walk_look *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	free(STEAL(l->folder));
}

void
walk_look_free(struct walk_look *l)
{
	if (!l)
		return;
	walk_look_forget(l);
	arena_free(l->arena);
	free(l);
}

/* The folder of `path` is open in l->fd. 0: it is not there. */
static int
open_folder(struct walk_look *l, int top, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*name = slash ? slash + 1 : path;
	if (l->fd >= 0 && l->top == top && strlen(l->folder) == len &&
	    memcmp(l->folder, path, len) == 0)
		return 1;
	walk_look_forget(l);
	l->top = top;
	l->folder = base_strndup(path, len);
	l->fd = open_beneath(top, len ? l->folder : ".",
			     O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (l->fd >= 0)
		return 1;
	/* a link or a file in the place of a folder: not this tree's path */
	return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
}

static bool
is_sparse(int parent, const char *name, uint64_t size)
{
	AUTO_CLOSE int fd = open_beneath(parent, name,
					 O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);

	return fd >= 0 && look_sparse(fd, size);
}

int
walk_look(struct walk_look *l, int dirfd, const char *path,
	  struct manifest_entry *out, struct err *e)
{
	char shown[LOOK_SHOWN];
	const char *name;
	struct look look;
	int there = open_folder(l, dirfd, path, &name);

	arena_reset(l->arena);
	if (there < 0)
		return err_sys(e, "%s", look_shown(path, shown));
	if (there > 0)
		there = look_at(&look, l->fd, name, path, l->arena, e);
	if (there <= 0)
		return there;
	if (look.thin && look.entry.type == 'f')
		look.entry.sparse = is_sparse(l->fd, name, look.entry.size);
	*out = look.entry;
	return 1;
}
