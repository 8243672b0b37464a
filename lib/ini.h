#ifndef LIB_INI_H
#define LIB_INI_H

#include "lib/err.h"

/* One KEY of one [section]; names as written. Return -1 with `e` set to
 * refuse it: the message gets path and line in front. */
typedef int ini_key(void *ctx, const char *section, const char *key,
		    const char *value, struct err *e);

/* Read an INI file ("key = value" and "key: value", # and ; comments, at most
 * 64 KiB, 190 bytes a line, 49 a section's name). ERR_SYS, or ERR_INPUT with
 * path:line. */
int ini_read(const char *path, ini_key *each, void *ctx, struct err *e);

#endif
