#include <time.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "tests/test.h"

static const struct {
	int64_t ms;
	const char *want;
} rows[] = {
	{ 0, "1970-01-01T00:00:00Z" },
	{ 999, "1970-01-01T00:00:00Z" },
	{ 1000, "1970-01-01T00:00:01Z" },
	{ 1763687723000, "2025-11-21T01:15:23Z" },
	{ 951782400000, "2000-02-29T00:00:00Z" },
	{ 4102444799000, "2099-12-31T23:59:59Z" },
	{ INT64_MAX, "(no time)" },
};

int
main(void)
{
	const struct timespec moment = { 0, 20 * 1000000L };
	int64_t boot = clock_boot_ms(), wall = clock_wall_ms();
	char text[24];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		clock_text(rows[i].ms, text);
		CHECK_SHOW(i, str_eq(text, rows[i].want), "%s", text);
	}
	nanosleep(&moment, NULL);
	CHECK(0, clock_boot_ms() - boot >= 19);
	CHECK(1, clock_wall_ms() - wall >= 19);
	CHECK(2, wall / 1000 - time(NULL) <= 1 && wall > 1700000000000);
	return test_end();
}
