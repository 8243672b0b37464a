/* The time that is left is told while bytes come, and not while none do. */
#include <time.h>

#include "lib/base.h"
#include "rsyncd/job.h"

#include "tests/test.h"

#define ALL 100000000

static struct pull_progress last;
static size_t told;

static void
keep(void *ctx, const struct pull_progress *p)
{
	(void)ctx;
	last = *p;
	told++;
}

static void
pass(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static void
tick(struct job *j)
{
	struct err e = { 0 };

	CHECK(told, stage_tick(j, &e) == 0);
}

int
main(void)
{
	struct pull_opts o = { .progress = keep };
	struct job j = { .o = &o };
	size_t before;
	int i;

	stage_begin(&j, "fetch", ALL);
	CHECK(0, told == 1 && last.eta_s == -1 && last.percent == 0);
	before = told;
	tick(&j);
	CHECK(1, told == before); /* not four times a second */
	for (i = 0; i < 3; i++) {
		stage_add(&j, ALL / 10);
		pass(260);
		tick(&j);
	}
	CHECK_SHOW(2, last.eta_s >= 0 && last.eta_s < 60 && last.percent == 30,
		   "%lld s", (long long)last.eta_s);
	for (i = 0; i < 9; i++) {
		pass(260);
		tick(&j);
	}
	CHECK_SHOW(3, last.eta_s == -1, "%lld s", (long long)last.eta_s);
	for (i = 0; i < 2; i++) {
		stage_add(&j, ALL / 10);
		pass(260);
		tick(&j);
	}
	CHECK_SHOW(4, last.eta_s >= 0 && last.eta_s < 60, "%lld s",
		   (long long)last.eta_s);
	stage_add(&j, ALL / 2);
	stage_end(&j);
	CHECK(5, last.percent == 100 && last.bytes == ALL);
	return test_end();
}
