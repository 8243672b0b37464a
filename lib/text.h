#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

/* UTF-8 as Unicode has it: no overlong forms, no surrogates. */
bool text_is_utf8(const char *text, size_t len);

/* Append `text` so that a POSIX shell reads it back as one word. */
void text_shell_quote(const char *text, struct buf *out);

/* Append `text` with control bytes and invalid UTF-8 as \xNN, for a terminal
 * or a log; a newline becomes \n when `one_line`. */
void text_show(const char *text, size_t len, int one_line, struct buf *out);

/* Value of a hex digit, or -1. */
int text_hex_digit(char c);

/* Append `text` percent-encoded (RFC 3986 unreserved kept). */
void text_url_encode(const char *text, struct buf *out);

/* Decode %XX and "+" in place; returns the new length, or -1 when an escape
 * is malformed or gives a NUL byte. */
long text_url_decode(char *text);

/* Remove blanks (space, tab, CR, LF) at both ends, in place. */
char *text_trim(char *text);

#endif
