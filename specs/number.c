/* strtold reads more than is a number here (0x10, nan(1)), so the spelling is
 * checked first. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "specs/number.h"

#define BLANKS " \t\n\r\f\v"
#define NUMBER_MAX 512

static bool
is_infinity(const char *text, size_t len)
{
	return (len == 3 && strncasecmp(text, "inf", 3) == 0) ||
	       (len == 8 && strncasecmp(text, "infinity", 8) == 0);
}

/* Digits, with at most what strtold will itself check the order of. */
static bool
is_spelled(const char *text, size_t len)
{
	return len > 0 && len <= NUMBER_MAX &&
	       strspn(text, "0123456789.eE+-") >= len && text[0] != '+' &&
	       text[0] != '-' && text[0] != 'e' && text[0] != 'E';
}

bool
number_read(const char *text, long double *out)
{
	const char *start = text + strspn(text, BLANKS);
	size_t len = strlen(start);
	bool minus = *start == '-';
	char *end;

	while (len > 0 && strchr(BLANKS, start[len - 1]))
		len--;
	if (len > 0 && (minus || *start == '+')) {
		start++;
		len--;
	}
	if (is_infinity(start, len)) {
		*out = minus ? -__builtin_infl() : __builtin_infl();
		return true;
	}
	if (!is_spelled(start, len))
		return false;
	*out = strtold(start, &end);
	if (end != start + len)
		return false;
	*out = minus ? -*out : *out;
	return true;
}
