#ifndef HOST_KEEP_H
#define HOST_KEEP_H

#include "host/versioned.h"

/* Remove what no boot can enter any more: versions other than the good one, the
 * one before it, that on trial, the running one, those of which something is
 * mounted and those that a program has for its root; and what calls that were
 * ended left, but for that of `going_on` (NULL: none). Calls `each` for each
 * version that goes. A name that nothing of ours stands beside is left alone.
 * What cannot be removed keeps nothing else from going. ERR_SYS, ERR_REFUSED.
 */
int keep_needed(const struct versioned *v, const char *going_on,
		void (*each)(void *ctx, const char *version), void *ctx,
		struct err *e);

/* The same, beside other work: that something stays is said, and no failure. */
void keep_tidy(const struct versioned *v, const char *going_on,
	       void (*each)(void *ctx, const char *version), void *ctx);

/* All of one version that no boot can enter. Killed in the middle it is
 * finished by keep_needed. */
int keep_not(const struct versioned *v, const char *version, struct err *e);

#endif
