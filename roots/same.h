#ifndef ROOTS_SAME_H
#define ROOTS_SAME_H

#include <stdbool.h>

#include "lib/err.h"

/* Whether two files hold the same bytes; one that is absent equals none.
 * ERR_SYS when one cannot be read. */
int same_bytes(const char *a, const char *b, bool *same, struct err *e);

#endif
