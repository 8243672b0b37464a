/* Trees are built in folders with /proc and /dev mounted in them, and a tree
 * has room for what an operator mounts: whoever removes the tree does not mean
 * those. A mount below the same file system has the same device number, so the
 * kernel is asked for mount points by name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/remove.h"
#include "lib/swaps.h"

/* Is something mounted on this folder? 1, 0, -1. */
static int
is_mounted(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return -1;
	return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* What cannot be unlinked is a folder, or may not be. */
static int
open_folder(int dirfd, const char *name, const char *path, struct err *e)
{
	int fd = openat(dirfd, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int mounted = fd < 0 ? -1 : is_mounted(fd);

	if (mounted == 0)
		return fd;
	if (fd < 0 && errno == ENOTDIR)
		errno = EPERM;
	if (mounted > 0)
		err_set(e, ERR_REFUSED,
			"%s stays, as something is mounted there: unmount it, "
			"and try again",
			path);
	else
		err_sys(e, "remove %s", path);
	if (fd >= 0)
		close(fd);
	return -1;
}

struct removing {
	bool locked; /* what is immutable, too */
	struct err *e;
};

static int remove_one(const struct removing *r, int dirfd, const char *name,
		      const char *path);

/* ---- chattr ---- */

#define LOCKS (FS_IMMUTABLE_FL | FS_APPEND_FL)

/* The flags that were there; 0: none of these. */
static int
unlock(int fd)
{
	int flags = 0, free_flags;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 ||
	    !(flags & LOCKS))
		return 0;
	free_flags = flags & ~LOCKS;
	return ioctl(fd, FS_IOC_SETFLAGS, &free_flags) < 0 ? 0 : flags;
}

/* Its other names keep what was said of them. */
static bool
unlink_locked(int dirfd, const char *name)
{
	AUTO_CLOSE int fd = openat(
		dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int flags;
	bool gone;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !(flags = unlock(fd)))
		return false;
	gone = unlinkat(dirfd, name, 0) == 0;
	if (!gone || st.st_nlink > 1)
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	return gone;
}

/* ---- folders ---- */

/* Takes `fd`. */
static int
remove_below(const struct removing *r, int fd, const char *path)
{
	DIR *d = fdopendir(fd);
	struct dirent *x;
	bool refused = false;
	int bad = 0;

	if (!d) {
		err_sys(r->e, "remove %s", path);
		close(fd);
		return -1;
	}
	if (r->locked)
		unlock(fd);
	for (errno = 0; !refused && (x = readdir(d)); errno = 0) {
		AUTO_FREE char *below = base_printf("%s/%s", path, x->d_name);
		struct err why = { 0 };
		const struct removing mine = { r->locked, &why };

		if (str_eq(x->d_name, ".") || str_eq(x->d_name, "..") ||
		    remove_one(&mine, fd, x->d_name, below) == 0)
			continue;
		refused = why.kind == ERR_REFUSED;
		if (bad == 0 || refused)
			*r->e = why;
		bad = -1;
	}
	if (bad == 0 && errno)
		bad = err_sys(r->e, "remove %s", path);
	closedir(d);
	return bad;
}

static int
remove_one(const struct removing *r, int dirfd, const char *name,
	   const char *path)
{
	struct stat st;
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(r->e, "remove %s", path);
	if (errno == EPERM && r->locked && unlink_locked(dirfd, name))
		return 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    swaps_has(&st))
		return err_set(r->e, ERR_SYS,
			       "%s stays while the system swaps to that file "
			       "(swapoff)",
			       path);
	fd = open_folder(dirfd, name, path, r->e);
	if (fd < 0 || remove_below(r, fd, path) < 0)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		return err_sys(r->e, "remove %s", path);
	return 0;
}

int
remove_all(int dirfd, const char *name, const char *path, struct err *e)
{
	return remove_one(&(struct removing){ false, e }, dirfd, name, path);
}

int
remove_locked(int dirfd, const char *name, const char *path, struct err *e)
{
	return remove_one(&(struct removing){ true, e }, dirfd, name, path);
}
