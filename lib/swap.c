/* rename(2) alone would lose what an editor saved in the moment before it. So
 * the new file and the old change names in one step (RENAME_EXCHANGE), what
 * came out is looked at, and if it is not what was read the step is undone. A
 * read lease tells whether somebody has the file open for writing. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/swap.h"

static int64_t
nanoseconds(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct stamp
stamp_of(const struct stat *st)
{
	return (struct stamp){ .dev = st->st_dev,
			       .ino = st->st_ino,
			       .size = st->st_size,
			       .mtime_ns = nanoseconds(&st->st_mtim),
			       .ctime_ns = nanoseconds(&st->st_ctim) };
}

int
stamp_get(struct stamp *out, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		*out = stamp_of(&st);
		return 0;
	}
	if (errno != ENOENT)
		return err_sys(e, "%s", path);
	*out = (struct stamp){ .size = -1 };
	return 0;
}

bool
stamp_eq(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* A rename changes the time of the last change of the file itself, so that one
 * does not count where a file was moved. */
static bool
same_bytes(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

/* Whether another process has it open for writing. File systems without
 * leases cannot tell. */
static bool
is_being_written(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static int
refuse(struct err *e, const char *path)
{
	return err_set(e, ERR_REFUSED, "%s is being edited", path);
}

static int
check_unchanged(const char *path, const struct stamp *was, int old,
		struct err *e)
{
	struct stamp here;

	if (stamp_get(&here, path, e) < 0)
		return -1;
	if (!stamp_eq(&here, was) || is_being_written(old))
		return refuse(e, path);
	return 0;
}

/* A file beside `path` with these bytes, on the disk; its stamp. */
static int
write_fresh(const char *fresh, int fd, const struct stat *like,
	    const void *bytes, size_t len, struct err *e)
{
	if (fd_look_like(fd, like) < 0)
		return err_sys(e, "chown %s", fresh);
	if (fd_write_all(fd, bytes, len, e) < 0)
		return err_add(e, "%s", fresh);
	return fsync(fd) < 0 ? err_sys(e, "fsync %s", fresh) : 0;
}

/* Change names; where the file system cannot, the last look was just now. */
static int
exchange(const char *fresh, const char *path, bool *swapped)
{
	*swapped = renameat2(AT_FDCWD, fresh, AT_FDCWD, path,
			     RENAME_EXCHANGE) == 0;
	if (*swapped)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return rename(fresh, path);
}

/* The names are changed: is what came out the file that we read? */
static int
judge_displaced(const char *fresh, const char *path, const struct stamp *was,
		struct err *e)
{
	struct stamp out;

	if (stamp_get(&out, fresh, e) == 0 && same_bytes(&out, was)) {
		unlink(fresh);
		return 0;
	}
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) < 0)
		return err_sys(e, "%s: somebody's edit is in %s now", path,
			       fresh);
	unlink(fresh);
	return refuse(e, path);
}

static int
sync_dir(const char *path, struct err *e)
{
	AUTO_FREE char *dir = base_strdup(path);
	char *slash = strrchr(dir, '/');
	AUTO_CLOSE int fd = -1;

	*slash = '\0';
	fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "fsync of the folder of %s", path);
	return 0;
}

/* `path` has no links in it any more. */
static int
swap(const char *path, const struct stamp *was, const void *bytes, size_t len,
     int old, struct stamp *now, struct err *e)
{
	AUTO_FREE char *fresh = base_printf("%s.new.XXXXXX", path);
	AUTO_CLOSE int fd = -1;
	struct stat st;
	bool swapped;

	/* looked at twice: before leaving a trace in the folder, and after the
	 * time that writing took */
	if (check_unchanged(path, was, old, e) < 0)
		return -1;
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "create %s", fresh);
	if (fstat(old, &st) < 0 ||
	    write_fresh(fresh, fd, &st, bytes, len, e) < 0)
		goto unlink_fresh;
	if (check_unchanged(path, was, old, e) < 0)
		goto unlink_fresh;
	if (exchange(fresh, path, &swapped) < 0) {
		err_sys(e, "rename %s", path);
		goto unlink_fresh;
	}
	if (swapped && judge_displaced(fresh, path, was, e) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	*now = stamp_of(&st);
	return sync_dir(path, e);

unlink_fresh:
	unlink(fresh);
	return -1;
}

int
file_swap(const char *path, const struct stamp *was, const void *bytes,
	  size_t len, struct stamp *now, struct displaced *old, struct err *e)
{
	AUTO_FREE char *real = realpath(path, NULL);
	AUTO_CLOSE int fd = real ? open(real, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return errno == ENOENT ? refuse(e, path)
				       : err_sys(e, "%s", path);
	if (swap(real, was, bytes, len, fd, now, e) < 0)
		return -1;
	displaced_clear(old);
	*old = (struct displaced){ fd, was->size, was->mtime_ns };
	fd = -1;
	return 0;
}

char *
displaced_changed(const struct displaced *d, size_t max)
{
	AUTO_FREE char *text = NULL;
	struct stat st;
	size_t len;

	if (d->fd < 0 || fstat(d->fd, &st) < 0 ||
	    (st.st_size == d->size && nanoseconds(&st.st_mtim) == d->mtime_ns))
		return NULL;
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return NULL;
	len = (size_t)st.st_size;
	text = base_alloc(len + 1);
	if (pread(d->fd, text, len, 0) != (ssize_t)len)
		return NULL;
	return STEAL(text);
}

void
displaced_clear(struct displaced *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
