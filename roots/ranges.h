#ifndef ROOTS_RANGES_H
#define ROOTS_RANGES_H

#include "lib/err.h"

/* Lines NAME:FIRST:COUNT of etc/subuid and etc/subgid (subuid(5)), merged to
 * `text`: what only `ours` says and what only `theirs` says must not give one
 * number to two names. Who shares within one side shares on purpose; a line
 * that is no range is let be. ERR_REFUSED names both. */
int ranges_check(const char *path, const char *text, const char *ours,
		 const char *theirs, struct err *e);

#endif
