#ifndef RSYNCD_SCAN_H
#define RSYNCD_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/hash.h"

/* The texts of published trees (docs/formats.md "Trees"), read strictly and
 * from front to back. The first thing that is wrong goes to `e` as ERR_INPUT,
 * with name and line, and ends the text: whatever is asked afterwards is zero.
 * So a reader asks for all fields of a line and then looks at `bad` once. */
struct scan {
	const char *at, *end;
	const char *name; /* of the text, for messages */
	size_t line;      /* from 1 */
	bool bad;
	struct err *e;
};

void scan_begin(struct scan *s, const char *text, size_t len, const char *name,
		struct err *e);

/* Something is wrong here. Returns -1; only the first one counts. */
int scan_fail(struct scan *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* These bytes come next (no newline among them, but perhaps at their end). */
void scan_text(struct scan *s, const char *want);
/* They do, and are taken; or false. */
bool scan_try(struct scan *s, const char *text);
void scan_blank(struct scan *s);
void scan_newline(struct scan *s);

/* Up to the next blank or newline, at least one byte, none of them a control
 * byte. Borrowed; its length, 0 when there is none. */
size_t scan_word(struct scan *s, const char **word, const char *what);
/* Decimal, no leading zero, at most `max`. */
uint64_t scan_number(struct scan *s, uint64_t max, const char *what);
/* `len` bytes as lower-case hex, and nothing more. */
void scan_hex(struct scan *s, unsigned char *out, size_t len, const char *what);
void scan_digest(struct scan *s, struct digest *out, const char *what);

/* A line "WORD N": how many lines of at least `line_min` bytes follow. No more
 * than the text can hold, so room for them may be asked for. */
size_t scan_count(struct scan *s, const char *word, size_t line_min);

/* 0 when nothing was wrong and nothing is left. */
int scan_end(struct scan *s);

/* Value of a lower-case hex digit, or -1. */
int scan_hex_digit(char c);

#endif
