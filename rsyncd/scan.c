/* One spelling for everything: what is read here and written again is the same
 * text, byte by byte, so hashes and signatures of texts are hashes and
 * signatures of what they say. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/base.h"

#include "rsyncd/scan.h"

void
scan_begin(struct scan *s, const char *text, size_t len, const char *name,
	   struct err *e)
{
	*s = (struct scan){
		.at = text, .end = text + len, .name = name, .line = 1, .e = e
	};
}

int
scan_fail(struct scan *s, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	if (s->bad)
		return -1;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	err_set(s->e, ERR_INPUT, "%s line %zu: %s", s->name, s->line, what);
	s->bad = true;
	s->at = s->end;
	return -1;
}

bool
scan_try(struct scan *s, const char *text)
{
	size_t len = strlen(text);

	if (s->bad || (size_t)(s->end - s->at) < len ||
	    memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	if (len > 0 && text[len - 1] == '\n')
		s->line++;
	return true;
}

void
scan_text(struct scan *s, const char *want)
{
	if (!scan_try(s, want))
		scan_fail(s, "\"%.*s\" is missing", (int)strcspn(want, "\n"),
			  want);
}

void
scan_blank(struct scan *s)
{
	if (s->at < s->end && *s->at == ' ')
		s->at++;
	else
		scan_fail(s, "a blank is missing");
}

void
scan_newline(struct scan *s)
{
	if (s->at < s->end && *s->at == '\n') {
		s->at++;
		s->line++;
	} else {
		scan_fail(s, "the line does not end where it should");
	}
}

size_t
scan_word(struct scan *s, const char **word, const char *what)
{
	const char *at = s->at;

	while (at < s->end && (unsigned char)*at > ' ' && *at != 0x7f)
		at++;
	*word = s->at;
	if (at == s->at) {
		scan_fail(s, "%s is missing", what);
		return 0;
	}
	s->at = at;
	return (size_t)(at - *word);
}

uint64_t
scan_number(struct scan *s, uint64_t max, const char *what)
{
	const char *at = s->at;
	uint64_t n = 0;

	while (at < s->end && *at >= '0' && *at <= '9') {
		uint64_t digit = (uint64_t)(*at++ - '0');

		if (n > (max - digit) / 10 || digit > max) {
			scan_fail(s, "%s is more than %llu", what,
				  (unsigned long long)max);
			return 0;
		}
		n = n * 10 + digit;
	}
	if (at == s->at || (*s->at == '0' && at > s->at + 1)) {
		scan_fail(s, "%s is not a number as it should be written",
			  what);
		return 0;
	}
	s->at = at;
	return n;
}

/* Values of hex digits plus one. A table, because the digits of a hash are
 * noise: branches on them are guessed wrong, and took two thirds of the time of
 * reading a manifest. */
static const unsigned char digits[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

int
scan_hex_digit(char c)
{
	return digits[(unsigned char)c] - 1;
}

void
scan_hex(struct scan *s, unsigned char *out, size_t len, const char *what)
{
	const unsigned char *at = (const unsigned char *)s->at;
	bool good = (size_t)(s->end - s->at) / 2 >= len;
	size_t i;

	for (i = 0; good && i < len; i++) {
		unsigned hi = digits[at[2 * i]], lo = digits[at[2 * i + 1]];

		good = hi && lo;
		out[i] = (unsigned char)((hi - 1) << 4 | (lo - 1));
	}
	if (!good) {
		memset(out, 0, len);
		scan_fail(s, "%s is not %zu lower-case hex digits", what,
			  2 * len);
		return;
	}
	s->at += 2 * len;
}

void
scan_digest(struct scan *s, struct digest *out, const char *what)
{
	scan_hex(s, out->b, sizeof(out->b), what);
}

size_t
scan_count(struct scan *s, const char *word, size_t line_min)
{
	size_t n;

	scan_text(s, word);
	scan_blank(s);
	n = scan_number(s, SIZE_MAX, word);
	if (n > (size_t)(s->end - s->at) / line_min)
		scan_fail(s, "%s %zu: the text is too short for that", word, n);
	scan_newline(s);
	return s->bad ? 0 : n;
}

int
scan_end(struct scan *s)
{
	if (!s->bad && s->at < s->end)
		scan_fail(s, "nothing more should follow");
	return s->bad ? -1 : 0;
}
