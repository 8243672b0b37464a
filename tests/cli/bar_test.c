#include "tests/test.h"

#include <string.h>

#include "cli/bar.h"
#include "lib/base.h"

static const struct {
	int64_t n;
	const char *rate, *bytes, *time;
} numbers[] = {
	{ 0, "0 kB/s", "0 B", "0:00" },
	{ -5, "0 kB/s", "0 B", "0:00" },
	{ 59, "0 kB/s", "59 B", "0:59" },
	{ 750, "1 kB/s", "750 B", "12:30" },
	{ 3599, "4 kB/s", "3.6 kB", "59:59" },
	{ 3600, "4 kB/s", "3.6 kB", "1:00:00" },
	{ 345600, "346 kB/s", "345.6 kB", "96:00:00" },
	{ 345601, "346 kB/s", "345.6 kB", "4 d" },
	{ 999949, "1000 kB/s", "999.9 kB", "11 d" },
	{ 999950, "1.0 MB/s", "1.0 MB", "11 d" },
	{ 112400000, "112.4 MB/s", "112.4 MB", "1300 d" },
	{ 999950000, "1.0 GB/s", "1.0 GB", "11573 d" },
	{ 1250000000, "1.2 GB/s", "1.2 GB", "14467 d" },
	{ 5000000000000000, "5000.0 TB/s", "5000.0 TB", "57870370370 d" },
};

static const struct {
	struct bar bar;
	size_t columns;
	const char *want;
} lines[] = {
	{ { 43, 112400000, 12 },
	  80,
	  "[#################.......................]  43 %  112.4 MB/s  "
	  "0:12 left" },
	/* the bar goes first, then the time, then the rate */
	{ { 43, 112400000, 12 },
	  46,
	  "[######........]  43 %  112.4 MB/s  "
	  "0:12 left" },
	{ { 43, 112400000, 12 },
	  42,
	  "[####......]  43 %  112.4 MB/s  "
	  "0:12 left" },
	{ { 43, 112400000, 12 }, 41, " 43 %  112.4 MB/s  0:12 left" },
	{ { 43, 112400000, 12 }, 28, " 43 %  112.4 MB/s  0:12 left" },
	{ { 43, 112400000, 12 }, 27, " 43 %  112.4 MB/s" },
	{ { 43, 112400000, 12 }, 17, " 43 %  112.4 MB/s" },
	{ { 43, 112400000, 12 }, 16, " 43 %" },
	{ { 43, 112400000, 12 }, 5, " 43 %" },
	{ { 43, 112400000, 12 }, 4, "" },
	{ { 43, 112400000, 12 }, 0, "" },
	/* its ends, and what is beyond them */
	{ { 0, 0, -1 }, 42, "[..........]   0 %" },
	{ { 99, 0, -1 }, 42, "[#########.]  99 %" },
	{ { 100, 5000000, 0 }, 42, "[##########] 100 %  5.0 MB/s" },
	{ { 130, 0, 7 }, 42, "[##########] 100 %" },
	/* not known */
	{ { -1, 0, -1 }, 80, "" },
	{ { -1, 5000000, -1 }, 80, "  5.0 MB/s" },
	{ { 5, 5000000, -1 }, 42, "[..........]   5 %  5.0 MB/s" },
};

static void
check_text(size_t row, struct buf *got, const char *want)
{
	CHECK_SHOW(row, str_eq(buf_text(got), want), "got \"%s\", want \"%s\"",
		   buf_text(got), want);
	buf_reset(got);
}

int
main(void)
{
	AUTO_CLEAR(buf) out = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		bar_rate(numbers[i].n, &out);
		check_text(i, &out, numbers[i].rate);
		bar_bytes(numbers[i].n, &out);
		check_text(i, &out, numbers[i].bytes);
		bar_time(numbers[i].n, &out);
		check_text(i, &out, numbers[i].time);
	}
	for (i = 0; i < ARRAY_LEN(lines); i++) {
		bar_line(&lines[i].bar, lines[i].columns, &out);
		CHECK(i, out.len <= lines[i].columns);
		check_text(i, &out, lines[i].want);
	}
	bar_words(&lines[0].bar, &out);
	check_text(0, &out, "43 %  112.4 MB/s  0:12 left");
	return test_end();
}
