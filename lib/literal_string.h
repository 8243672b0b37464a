#ifndef LIB_LITERAL_STRING_H
#define LIB_LITERAL_STRING_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

/* Read one string token at `text`: '…' "…" '''…''' """…""", escapes as in
 * Python (\n \t \r \a \b \f \v \\ \' \" \ooo \xhh \uhhhh \Uhhhhhhhh, a
 * backslash before a newline joins lines, unknown ones keep the backslash).
 * Appends the content to `out`; returns the bytes used, 0 when refused. */
size_t literal_string(const char *text, size_t len, struct buf *out,
		      struct err *e);

#endif
