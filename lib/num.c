#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/num.h"

static int
refuse(const char *text, const char *what, const char *min, const char *max,
       struct err *e)
{
	return err_set(e, ERR_INPUT,
		       "%s: \"%.40s\" is not a whole number from %s to %s",
		       what, text, min, max);
}

/* Only digits, with one "-" in front if allowed: strtol takes more. */
static int
is_plain(const char *text, int may_be_negative)
{
	if (may_be_negative && *text == '-')
		text++;
	if (!*text)
		return 0;
	for (; *text; text++)
		if (!isdigit((unsigned char)*text))
			return 0;
	return 1;
}

int
num_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out,
	const char *what, struct err *e)
{
	char low[24], high[24];
	uint64_t n = 0;

	errno = 0;
	if (is_plain(text, 0))
		n = strtoull(text, NULL, 10);
	if (!is_plain(text, 0) || errno || n < min || n > max) {
		snprintf(low, sizeof(low), "%" PRIu64, min);
		snprintf(high, sizeof(high), "%" PRIu64, max);
		return refuse(text, what, low, high, e);
	}
	*out = n;
	return 0;
}

int
num_i64(const char *text, int64_t min, int64_t max, int64_t *out,
	const char *what, struct err *e)
{
	char low[24], high[24];
	int64_t n = 0;

	errno = 0;
	if (is_plain(text, 1))
		n = strtoll(text, NULL, 10);
	if (!is_plain(text, 1) || errno || n < min || n > max) {
		snprintf(low, sizeof(low), "%" PRId64, min);
		snprintf(high, sizeof(high), "%" PRId64, max);
		return refuse(text, what, low, high, e);
	}
	*out = n;
	return 0;
}

void
num_real_text(double value, char out[32])
{
	int digits;

	for (digits = 1; digits <= 17; digits++) {
		snprintf(out, 32, "%.*g", digits, value);
		if (strtod(out, NULL) == value)
			break;
	}
	/* 36 digits of "%.17g" never look like this: keep reals real */
	if (isfinite(value) && !strpbrk(out, ".en"))
		snprintf(out + strlen(out), 32 - strlen(out), ".0");
	/* 3.6e+03 is shorter than 3600.0, but people write the latter */
	if (isfinite(value) && strchr(out, 'e') && fabs(value) >= 1e-4 &&
	    fabs(value) < 1e16) {
		for (digits = 1; digits <= 20; digits++) {
			snprintf(out, 32, "%.*f", digits, value);
			if (strtod(out, NULL) == value)
				return;
		}
	}
}
