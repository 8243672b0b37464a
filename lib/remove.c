/* Trees are built in folders with /proc and /dev mounted in them, and a tree
 * has room for what an operator mounts: whoever removes the tree does not mean
 * those. A mount below the same file system has the same device number, so the
 * kernel is asked for mount points by name. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/remove.h"

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

/* Takes `fd`. */
static int
remove_below(int fd, const char *path, struct err *e)
{
	DIR *d = fdopendir(fd);
	struct dirent *x;
	int bad = 0;

	if (!d) {
		err_sys(e, "remove %s", path);
		close(fd);
		return -1;
	}
	while (bad == 0 && (x = readdir(d))) {
		AUTO_FREE char *below = base_printf("%s/%s", path, x->d_name);

		if (!str_eq(x->d_name, ".") && !str_eq(x->d_name, ".."))
			bad = remove_all(fd, x->d_name, below, e);
	}
	closedir(d);
	return bad;
}

int
remove_all(int dirfd, const char *name, const char *path, struct err *e)
{
	int fd;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(e, "remove %s", path);
	fd = open_folder(dirfd, name, path, e);
	if (fd < 0 || remove_below(fd, path, e) < 0)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		return err_sys(e, "remove %s", path);
	return 0;
}
