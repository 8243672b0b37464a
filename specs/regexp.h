#ifndef SPECS_REGEXP_H
#define SPECS_REGEXP_H

#include <stdbool.h>

#include "lib/base.h"
#include "lib/err.h"

/* A regular expression in Python `re` syntax, searched unanchored, case
 * sensitive. Compiled once, safe for many threads. */
struct regexp;

/* ERR_INPUT with the offset when it is not one, or uses what PCRE2 does not
 * have. */
int regexp_compile(struct regexp **out, const char *pattern, struct err *e);

/* Does it occur in `text`? A search over its limits counts as no. */
bool regexp_found(const struct regexp *r, const char *text);

void regexp_free(struct regexp *r);
AUTO_DEFINE(regexp)

#endif
