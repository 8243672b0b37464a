#include "lib/base.h"
#include "lib/num.h"
#include "tests/test.h"

static const struct {
	const char *text;
	uint64_t min, max, want;
	int r;
} rows[] = {
	{ "0", 0, 10, 0, 0 },
	{ "10", 0, 10, 10, 0 },
	{ "11", 0, 10, 0, -1 },
	{ "", 0, 10, 0, -1 },
	{ " 1", 0, 10, 0, -1 },
	{ "1 ", 0, 10, 0, -1 },
	{ "+1", 0, 10, 0, -1 },
	{ "-1", 0, 10, 0, -1 },
	{ "0x1", 0, 10, 0, -1 },
	{ "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, 0 },
	{ "18446744073709551616", 0, UINT64_MAX, 0, -1 },
};

static const struct {
	double value;
	const char *want;
} reals[] = {
	{ 3600, "3600.0" },   { 0.1, "0.1" },       { 1e300, "1e+300" },
	{ 1234.5, "1234.5" }, { 0.0001, "0.0001" }, { -2, "-2.0" },
};

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = 0;
		struct err e = { 0 };

		CHECK(i, num_u64(rows[i].text, rows[i].min, rows[i].max, &n,
				 "N", &e) == rows[i].r &&
				 n == rows[i].want);
	}
	for (i = 0; i < ARRAY_LEN(reals); i++) {
		char text[32];

		num_real_text(reals[i].value, text);
		CHECK_SHOW(i, str_eq(text, reals[i].want), "%s", text);
	}
	return test_end();
}
