#ifndef SPECS_REGEXP_H
#define SPECS_REGEXP_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* One regular expression in the syntax of Python's re, over ASCII text.
 * Immutable after compiling; any number of threads may search with it. */
#define REGEXP_MAX_BYTES 4096

struct regexp;

/* ERR_INPUT with what is wrong and at which character of the expression. What
 * Python's re does not know is refused, even where the library knows it. */
int regexp_compile(struct regexp **out, const char *text, size_t len,
		   struct err *e);

/* 1 when found somewhere in `text`, 0 when not, -1 when the search needed
 * more work than one word is worth. */
int regexp_search(const struct regexp *r, const char *text);

void regexp_free(struct regexp *r);
AUTO_DEFINE(regexp)

#endif
