/* Each part once, in any company; what fails ends it and is what is told. */
#include <stdatomic.h>
#include <stdio.h>

#include "lib/base.h"

#include "rsyncd/team.h"

#include "tests/test.h"

#define PARTS 1000
#define NEVER ((size_t)-1)

static const struct {
	size_t parts;
	int threads;
	size_t fails; /* the part that does */
} rows[] = {
	{ 0, 0, NEVER },     { 0, 3, NEVER },         { 1, 1, NEVER },
	{ 1, 8, NEVER },     { PARTS, 0, NEVER },     { PARTS, 1, NEVER },
	{ PARTS, 3, NEVER }, { PARTS, 8, NEVER },     { PARTS, 99, NEVER },
	{ PARTS, 1, 0 },     { PARTS, 1, 500 },       { PARTS, 3, 0 },
	{ PARTS, 3, 500 },   { PARTS, 8, PARTS - 1 },
};

struct work {
	size_t fails;
	atomic_int done[PARTS];
	atomic_int ticks;
};

static int
part(void *ctx, size_t i, struct err *e)
{
	struct work *w = ctx;

	atomic_fetch_add(&w->done[i], 1);
	if (i != w->fails)
		return 0;
	return err_set(e, ERR_REFUSED, "part %zu fails", i);
}

static void
test_rows(void)
{
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct work w = { .fails = rows[i].fails };
		struct team_opts opts = { .parts = rows[i].parts,
					  .threads = rows[i].threads,
					  .part = part,
					  .ctx = &w };
		bool fails = rows[i].fails != NEVER;
		size_t once = 0, most = fails ? rows[i].fails : 0;
		AUTO_FREE char *want = base_printf("part %zu fails", most);
		struct err e = { 0 };

		CHECK(i, team_run(&opts, &e) == (fails ? -1 : 0));
		CHECK(i, !fails || (e.kind == ERR_REFUSED &&
				    str_eq(e.text, want)));
		for (k = 0; k < PARTS; k++)
			once += atomic_load(&w.done[k]) == 1;
		/* all before the one that failed were begun, in order */
		CHECK(i, fails ? once > most : once == rows[i].parts);
		if (fails && rows[i].threads == 1)
			CHECK(i, once == most + 1);
	}
}

static int
slow_part(void *ctx, size_t i, struct err *e)
{
	(void)ctx;
	(void)i;
	(void)e;
	usleep(400000);
	return 0;
}

static void
tick(void *ctx)
{
	struct work *w = ctx;

	atomic_fetch_add(&w->ticks, 1);
}

static void
test_tick(void)
{
	struct work w = { 0 };
	struct team_opts opts = { .parts = 4,
				  .threads = 2,
				  .part = slow_part,
				  .tick = tick,
				  .ctx = &w };
	struct err e = { 0 };

	CHECK(0, team_run(&opts, &e) == 0);
	CHECK(0, atomic_load(&w.ticks) >= 2);
}

int
main(void)
{
	test_rows();
	test_tick();
	CHECK(0, team_size(3) == 3 && team_size(99) == TEAM_MAX);
	CHECK(0, team_size(0) >= 1 && team_size(0) <= TEAM_MAX);
	return test_end();
}
