/* See the header: what GRUB would read must stand in its own place. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "lib/base.h"

#include "roots/flush.h"

#ifndef EXT4_IOC_CHECKPOINT /* Linux 5.14, fs/ext4/ext4.h: not in its uapi */
#define EXT4_IOC_CHECKPOINT _IOW('f', 43, __u32)
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* The child is out of reach of a signal for the caller's group, and a frozen
 * file system cannot hold it up: it has its file open and writes nothing. */
static void
freeze_and_thaw(int fd)
{
	int bad;

	setsid();
	signal(SIGTERM, SIG_IGN);
	bad = ioctl(fd, FIFREEZE, 0) < 0 ? errno : 0;
	if (!bad && ioctl(fd, FITHAW, 0) < 0)
		bad = errno;
	_exit(bad);
}

static int
settle(const char *dir, int fd, struct err *e)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return err_sys(e, "fork");
	if (child == 0)
		freeze_and_thaw(fd);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return err_sys(e, "freezing %s for a moment, so that GRUB sees it",
		       dir);
}

static int
checkpoint(const char *dir, int fd, struct err *e)
{
	__u32 flags = 0;

	if (ioctl(fd, EXT4_IOC_CHECKPOINT, &flags) == 0)
		return 0;
	/* made without a journal: what is synced is in its place */
	if (errno == ENODEV)
		return 0;
	/* a kernel before 5.14 knows no such call */
	if (errno != ENOTTY && errno != EOPNOTSUPP && errno != EINVAL)
		return err_sys(e, "emptying the journal of %s", dir);
	return settle(dir, fd, e);
}

int
flush(const char *dir, struct err *e)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, "%s", dir);
	if (syncfs(fd) < 0)
		return err_sys(e, "not all of %s is on the disk", dir);
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC:
		return checkpoint(dir, fd, e);
	case XFS_SUPER_MAGIC:
		return settle(dir, fd, e);
	case BTRFS_SUPER_MAGIC:
	case MSDOS_SUPER_MAGIC:
		return 0;
	default:
		return err_set(e, ERR_REFUSED,
			       "%s is on a file system (0x%lx) that GRUB is "
			       "not known to read after a write",
			       dir, (unsigned long)fs.f_type);
	}
}
