/* The kernel walks the path: what is checked before and opened after can be
 * exchanged in between. Where openat2 is not to be had, each folder is opened
 * here, from the one above it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/beneath.h"

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* A folder, and no link to one. */
static int
step_into(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st = { 0 };

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)))
		return fd;
	close(fd);
	return fail(S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR);
}

/* No ".." at all: the folder may have been moved meanwhile. */
static int
walk_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	AUTO_CLOSE int at = -1;
	const char *slash;

	if (*path == '/')
		return fail(EXDEV);
	for (; (slash = strchr(path, '/')); path = slash + 1) {
		AUTO_FREE char *name =
			base_strndup(path, (size_t)(slash - path));
		int next;

		if (str_eq(name, ".."))
			return fail(EXDEV);
		next = step_into(at < 0 ? dirfd : at, *name ? name : ".");
		if (next < 0)
			return -1;
		if (at >= 0)
			close(at);
		at = next;
	}
	if (str_eq(path, ".."))
		return fail(EXDEV);
	return openat(at < 0 ? dirfd : at, path,
		      flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode);
}

int
open_beneath(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	/* openat2 refuses what openat would ignore */
	if (!(flags & O_PATH))
		how.flags |= O_NOCTTY;
	if (!(flags & O_CREAT) && (flags & O_TMPFILE) != O_TMPFILE)
		how.mode = 0;
	fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	/* systemd's RestrictSUIDSGID= takes it away, for its filter cannot see
	 * what a pointer leads to */
	return fd < 0 && errno == ENOSYS
		       ? walk_beneath(dirfd, path, flags, mode)
		       : fd;
}

int
open_parent(int dirfd, const char *path, const char **base, struct err *e)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *parent =
		slash ? base_strndup(path, (size_t)(slash - path))
		      : base_strdup(".");
	int fd = open_beneath(dirfd, parent, O_PATH | O_DIRECTORY, 0);

	*base = slash ? slash + 1 : path;
	return fd < 0 ? err_sys(e, "%s", parent) : fd;
}
