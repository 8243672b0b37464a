#ifndef RSYNCD_TEAM_H
#define RSYNCD_TEAM_H

#include <stddef.h>

#include "lib/err.h"

#define TEAM_MAX 8

/* Work in numbered parts that know nothing of each other, done by several
 * threads at once. Parts are begun in order; after the first failure no more
 * are begun, and it is the one that is told. */
struct team_opts {
	size_t parts;
	int threads; /* 0: as many as processors, at most TEAM_MAX */
	int (*part)(void *ctx, size_t i, struct err *e);
	/* About four times a second, on the thread that called; or NULL. */
	void (*tick)(void *ctx);
	void *ctx;
};
int team_run(const struct team_opts *opts, struct err *e);

/* How many threads that means. */
int team_size(int asked);

#endif
