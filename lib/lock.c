#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/lock.h"

#define LOCK_STEP_MS 20

/* The holder writes its pid into the file, for this message only. */
static int
held_by_another(const char *path, struct err *e)
{
	AUTO_FREE char *pid = file_line("", path);

	return err_set(e, ERR_REFUSED, "%s: locked by process %s", path,
		       pid && *pid ? pid : "(unknown)");
}

static int
open_lock(const char *path, struct err *e)
{
	AUTO_FREE char *dir = base_strdup(path);
	char *slash = strrchr(dir, '/');
	int fd;

	if (slash && slash != dir) {
		*slash = '\0';
		if (dir_make(dir, 0755, e) < 0)
			return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	return fd;
}

int
lock_take(struct lock *l, const char *path, int wait_ms, struct err *e)
{
	const struct timespec step = { 0, LOCK_STEP_MS * 1000000L };
	int fd = open_lock(path, e);

	if (fd < 0)
		return -1;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK) {
			err_sys(e, "lock %s", path);
			goto close_file;
		}
		if (wait_ms <= 0) {
			held_by_another(path, e);
			goto close_file;
		}
		nanosleep(&step, NULL);
		wait_ms -= LOCK_STEP_MS;
	}
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%ld\n", (long)getpid());
	l->fd = fd;
	return 0;

close_file:
	close(fd);
	return -1;
}

void
lock_clear(struct lock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
