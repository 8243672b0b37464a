#ifndef RSYNCD_FSCK_H
#define RSYNCD_FSCK_H

#include "lib/sign.h"

#include "rsyncd/manifest.h"

/* All that is published, looked at as a client would, and the rsync views. */
struct fsck_opts {
	const char *top;
	const char *role;               /* NULL: all */
	const struct sign_trust *trust; /* NULL: signatures are not checked */
	int threads;
	/* Something is wrong: where, and what it is, for a person. */
	void (*problem)(void *ctx, const char *line);
	void (*progress)(void *ctx, const char *path, uint64_t bytes);
	void *ctx;
};

struct fsck_result {
	size_t versions, files; /* looked at */
	uint64_t bytes;
	size_t problems;
};

/* ERR_* only when it could not look. */
int fsck(const struct fsck_opts *opts, struct fsck_result *out, struct err *e);

#endif
