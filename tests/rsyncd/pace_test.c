/* A clock that stands still while others have the processor. */
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rsyncd/pace.h"
#include "tests/test.h"

#define SPAN_US 200000
#define TRIES 50 /* the machine may be busy by itself */

static uint64_t
wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
spin(void)
{
	uint64_t end = wall_us() + SPAN_US;

	while (wall_us() < end)
		;
}

static void
rest(void)
{
	usleep(SPAN_US);
}

static const struct {
	int others; /* that spin on the same processor */
	void (*span)(void);
	unsigned low, high; /* percent of the time that went by on the wall */
} rows[] = {
	{ 0, rest, 70, 100 } /* waiting is no queue */,
	{ 4, spin, 0, 50 },
};

/* How far the clock went, in percent. */
static unsigned
share(struct pace *p, void (*span)(void))
{
	uint64_t at = pace_us(p), wall = wall_us();

	span();
	at = pace_us(p) - at;
	return (unsigned)(at * 100 / (wall_us() - wall));
}

static void
check_row(size_t i)
{
	AUTO(pace) p = pace_new();
	pid_t other[8];
	unsigned got = 0;
	int n;

	for (n = 0; n < rows[i].others; n++) {
		other[n] = fork();
		if (other[n] == 0)
			prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (other[n] == 0)
			;
	}
	for (n = 0; n < TRIES; n++) {
		got = share(p, rows[i].span);
		if (got >= rows[i].low && got <= rows[i].high)
			break;
	}
	CHECK_SHOW(i, n < TRIES, "%u %%", got);
	for (n = 0; n < rows[i].others; n++) {
		kill(other[n], SIGKILL);
		waitpid(other[n], NULL, 0);
	}
}

int
main(void)
{
	cpu_set_t one;
	size_t i;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	CHECK(0, sched_setaffinity(0, sizeof(one), &one) == 0);
	if (access("/proc/thread-self/schedstat", R_OK) == 0)
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			check_row(i);
	return test_end();
}
