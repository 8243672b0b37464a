/* One walk of the path by the kernel for each file, then everything by its
 * descriptor: measured as fast as keeping the folders open, and nothing to
 * keep. */
#include "rsyncd/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/remove.h"
#include "rsyncd/dress.h"

#define HOLE 4096
#define NAMES_MAX 65536

int
place_folder(struct place_folder *f, int top, const char *path,
	     const char **base)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*base = slash ? slash + 1 : path;
	if (f->fd >= 0 && strncmp(f->path, path, len) == 0 &&
	    f->path[len] == '\0')
		return f->fd;
	place_folder_close(f);
	f->path = base_strndup(path, len);
	f->fd = open_beneath(top, len ? f->path : ".", O_PATH | O_DIRECTORY, 0);
	return f->fd;
}

void
place_folder_close(struct place_folder *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	free(STEAL(f->path));
}

/* ---- away ---- */

int
place_remove(int top, const char *path, bool all, struct err *e)
{
	const char *base;
	AUTO_CLOSE int parent = open_parent(top, path, &base, e);

	if (parent < 0)
		return -1;
	if (unlinkat(parent, base, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, "remove %s", path);
	if (unlinkat(parent, base, AT_REMOVEDIR) == 0)
		return 0;
	/* a file that somebody made immutable is no folder */
	return all || errno == ENOTDIR ? remove_locked(parent, base, path, e)
				       : err_sys(e, "remove %s", path);
}

/* ---- files ---- */

int
place_open(int top, const char *path, struct err *e)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL;
	int fd = open_beneath(top, path, flags, 0600);

	if (fd < 0 && errno == EEXIST) {
		if (place_remove(top, path, false, e) < 0)
			return -1;
		fd = open_beneath(top, path, flags, 0600);
	}
	return fd < 0 ? err_sys(e, "create %s", path) : fd;
}

static int
write_all(int fd, const char *p, size_t len, uint64_t at, const char *path,
	  struct err *e)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write %s", path);
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool
is_zeros(const char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Bytes from `at` to the end of its block. A block that comes in two parts is a
 * hole when both are zeros, and whole when one is not. */
static size_t
block_left(uint64_t at, size_t len)
{
	size_t left = HOLE - at % HOLE;

	return left < len ? left : len;
}

int
place_write(int fd, const struct place_bytes *b, const char *path,
	    struct err *e)
{
	const char *p = b->bytes;
	size_t done = 0, from = 0;

	if (!b->sparse)
		return write_all(fd, p, b->len, b->at, path, e);
	while (done < b->len) {
		size_t n = block_left(b->at + done, b->len - done);

		if (is_zeros(p + done, n)) {
			if (write_all(fd, p + from, done - from, b->at + from,
				      path, e) < 0)
				return -1;
			from = done + n;
		}
		done += n;
	}
	return write_all(fd, p + from, done - from, b->at + from, path, e);
}

int
place_close(int fd, const struct manifest_entry *entry, struct err *e)
{
	AUTO_CLOSE int mine = fd;

	if (entry->sparse && ftruncate(mine, (off_t)entry->size) < 0)
		return err_sys(e, "%s", entry->path);
	return dress_fd(mine, entry, e);
}

/* ---- reading ---- */

/* All bytes of `fd` through `room`: hashed, and written to `to` unless NULL. */
struct pass {
	int fd, to;
	uint64_t size;
	unsigned char *room;
	const struct manifest_entry *entry; /* of `to` */
};

static int
pass_through(const struct pass *p, struct digest *hash, const char *path,
	     struct err *e)
{
	struct digest_run run;
	uint64_t at = 0;

	digest_begin(&run);
	for (;;) {
		ssize_t n = pread(p->fd, p->room, PLACE_ROOM, (off_t)at);
		struct place_bytes b = { p->room, (size_t)n, at,
					 p->entry && p->entry->sparse };

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read %s", path);
		if (n == 0)
			break;
		if ((uint64_t)n > p->size - at)
			return err_set(e, ERR_INPUT, "%s: larger than it was",
				       path);
		digest_add(&run, p->room, (size_t)n);
		if (p->entry && place_write(p->to, &b, path, e) < 0)
			return -1;
		at += (uint64_t)n;
	}
	if (at != p->size)
		return err_set(e, ERR_INPUT, "%s: smaller than it was", path);
	digest_end(&run, hash);
	return 0;
}

int
place_hash(int fd, uint64_t size, unsigned char *room, struct digest *hash,
	   const char *path, struct err *e)
{
	struct pass p = { .fd = fd, .size = size, .room = room };

	return pass_through(&p, hash, path, e);
}

int
place_copy(int top, const struct manifest_entry *entry, struct place_from *from,
	   struct digest *hash, struct err *e)
{
	AUTO_CLOSE int fd = place_open(top, entry->path, e);
	struct pass p = { .fd = from->fd,
			  .to = fd,
			  .size = entry->size,
			  .room = from->room,
			  .entry = entry };
	int own;

	if (fd < 0)
		return -1;
	if (from->reflink && ioctl(fd, FICLONE, from->fd) == 0) {
		p.fd = fd; /* what was shared is what is looked at */
		p.entry = NULL;
		from->shared = true;
	}
	if (pass_through(&p, hash, entry->path, e) < 0)
		return -1;
	if (!digest_eq(hash, &entry->hash))
		return 0;
	own = fd;
	fd = -1;
	return place_close(own, entry, e);
}

/* ---- all else ---- */

static int
make_link(int top, int parent, const char *base,
	  const struct manifest_entry *entry, struct err *e)
{
	const char *target;
	AUTO_CLOSE int from = open_parent(top, entry->link, &target, e);

	if (from < 0)
		return -1;
	if (linkat(from, target, parent, base, 0) < 0)
		return err_sys(e, "link %s to %s", entry->path, entry->link);
	return 0;
}

static int
make_folder(int parent, const char *base, const struct manifest_entry *entry,
	    struct err *e)
{
	struct stat st;

	if (mkdirat(parent, base, 0700) == 0)
		return 0;
	if (errno == EEXIST &&
	    fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode))
		return 0;
	return err_sys(e, "make folder %s", entry->path);
}

int
place_make(int top, const struct manifest_entry *entry, struct err *e)
{
	const char *base;
	AUTO_CLOSE int parent = open_parent(top, entry->path, &base, e);

	if (parent < 0)
		return -1;
	if (entry->type == 'd')
		return make_folder(parent, base, entry, e);
	if (unlinkat(parent, base, 0) < 0 && errno != ENOENT &&
	    unlinkat(parent, base, AT_REMOVEDIR) < 0)
		return err_sys(e, "remove %s", entry->path);
	return entry->type == 'h' ? make_link(top, parent, base, entry, e)
				  : dress_make(parent, base, entry, e);
}

/* A folder that was there may have attributes that it shall not have. */
static int
undress(int fd, const struct manifest_entry *entry, struct err *e)
{
	AUTO_FREE char *names = NULL;
	ssize_t len = flistxattr(fd, NULL, 0);
	char *p;

	if (len <= 0 || len > NAMES_MAX)
		return 0;
	names = base_alloc((size_t)len);
	len = flistxattr(fd, names, (size_t)len);
	for (p = names; len > 0 && p < names + len; p += strlen(p) + 1)
		if (!manifest_has_xattr(entry, p) &&
		    !str_eq(p, "security.selinux") && fremovexattr(fd, p) < 0 &&
		    errno != ENODATA)
			return err_sys(e, "%s: remove attribute %s",
				       entry->path, p);
	return 0;
}

int
place_dress(int top, const struct manifest_entry *entry, struct err *e)
{
	AUTO_CLOSE int fd =
		open_beneath(top, entry->path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return err_sys(e, "%s", entry->path);
	return undress(fd, entry, e) < 0 ? -1 : dress_fd(fd, entry, e);
}
