#ifndef ROOTS_ACCOUNTS_H
#define ROOTS_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* passwd, group, shadow, gshadow, subuid and subgid are merged line by line: a
 * machine adds its people, a version its services, in the same files. */
#define ACCOUNTS_TEXT_MAX (64 * 1024 * 1024)

/* `path` below the root ("etc/passwd") is one of them. */
bool accounts_known(const char *path);

/* The i-th of them, NULL past the last. */
const char *accounts_path(size_t i);

/* Merge `ours` and `theirs`, which both came from `base` ("" when that is not
 * known). A line is its name's; a line that both sides changed is merged field
 * by field, where members of a group are a set, and ours win but for numbers.
 * Lines of no account (comments, "+" of NIS) stay as ours has them.
 * *out is owned by the caller. ERR_REFUSED names both sides where one name has
 * two new numbers, or one number two names, in a range, too. */
int accounts_merge(const char *path, const char *base, const char *ours,
		   const char *theirs, char **out, struct err *e);

#endif
