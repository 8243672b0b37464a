#ifndef RSYNCD_ORDERED_H
#define RSYNCD_ORDERED_H

#include <stddef.h>

#include "lib/err.h"

/* Jobs that are made by several threads in any order, and taken by the caller
 * in theirs: so the result is the same however many threads there are. */
#define ORDERED_AHEAD 256 /* jobs that may be made and not yet taken */
#define ORDERED_THREADS_MAX 64

struct ordered {
	size_t jobs;
	int threads; /* 0: as many as processors, at most 8 */
	/* What a thread keeps from job to job. */
	void *(*worker_new)(void *ctx);
	void (*worker_free)(void *worker);
	int (*make)(void *ctx, void *worker, size_t job, struct err *e);
	int (*take)(void *ctx, size_t job, struct err *e);
	void *ctx;
};

/* 0, or -1 with the error of the first job, in their order, that failed;
 * no job behind it was taken then, though some may have been made. */
int ordered_run(const struct ordered *o, struct err *e);

#endif
