/* The kernel counts how long each thread was queued for a processor:
 * /proc/PID/task/TID/schedstat is `RUN QUEUED SLICES`, in nanoseconds. It is
 * opened once: reading it again takes about a microsecond. */
#include "rsyncd/pace.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RUN_MIN_US 1000 /* less tells nothing */

struct pace {
	int fd; /* -1: not counted here */
	uint64_t last_us;
};

struct pace *
pace_new(void)
{
	struct pace *p = base_alloc(sizeof(*p));

	p->fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	return p;
}

void
pace_free(struct pace *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

struct times {
	uint64_t run_us, queued_us;
};

static struct times
look(const struct pace *p)
{
	struct times t = { 0 };
	char line[96], *at;
	ssize_t n = p->fd < 0 ? -1 : pread(p->fd, line, sizeof(line) - 1, 0);

	if (n <= 0)
		return t;
	line[n] = '\0';
	t.run_us = strtoull(line, &at, 10) / 1000;
	t.queued_us = strtoull(at, NULL, 10) / 1000;
	return t;
}

uint64_t
pace_us(struct pace *p)
{
	struct timespec t;
	uint64_t now, queued = look(p).queued_us;

	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	now = now > queued ? now - queued : 0;
	if (now > p->last_us)
		p->last_us = now;
	return p->last_us;
}

unsigned
pace_slow(const struct pace *p)
{
	struct times t = look(p);

	return t.run_us < RUN_MIN_US
		       ? 100
		       : (unsigned)((t.run_us + t.queued_us) * 100 / t.run_us);
}
