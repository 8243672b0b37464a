/* Machines, runs and units over time, where the wire is no part of it. */
#include "lib/clock.h"
#include "tests/site/fixture.h"

static void
test_feed(void)
{
	static const struct {
		int wait_ms, least_ms, most_ms;
	} rows[] = { { 0, 0, 300 }, { 400, 380, 3000 }, { 1100, 1080, 4000 } };
	struct fixture f = { 0 };

	fixture_open(&f, "[('vm', '*')]\n");
	fixture_start(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		__attribute__((cleanup(value_freep))) struct value *v = NULL;
		int64_t start = clock_boot_ms(), took;
		struct err e = { 0 };

		CHECK(i, site_feed(f.site, 1000, rows[i].wait_ms, &v, &e) == 0);
		took = clock_boot_ms() - start;
		CHECK_SHOW(i, took >= rows[i].least_ms, "%lld ms",
			   (long long)took);
		CHECK_SHOW(i, took <= rows[i].most_ms, "%lld ms",
			   (long long)took);
	}
	fixture_close(&f);
}

int
main(void)
{
	test_feed();
	return test_end();
}
