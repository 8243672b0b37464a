#ifndef RSYNCD_DELTA_H
#define RSYNCD_DELTA_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"

/* The fence of librsync. Signatures are RS_RK_BLAKE2_SIG_MAGIC with strong sums
 * of 32 bytes; others are refused. All work in streams: memory is bounded by
 * the signature, not by the files. */

/* Signature of the file `fd` (read by pread from 0) into `out`. ERR_SYS. */
int delta_signature(int fd, uint64_t size, struct buf *out, struct err *e);

/* Delta that turns what the signature is of into the file `fd`, given to
 * `sink` in pieces; its failure ends the work. ERR_INPUT for the signature,
 * ERR_SYS. */
int delta_make(const void *signature, size_t len, int fd, uint64_t size,
	       int (*sink)(void *ctx, const void *bytes, size_t len,
			   struct err *e),
	       void *ctx, struct err *e);

/* Apply a delta that comes in pieces to the base `fd`; the result goes to
 * `sink`, at most `max` bytes. */
struct delta_patch;
struct delta_patch *delta_patch_new(int base_fd, uint64_t max,
				    int (*sink)(void *ctx, const void *bytes,
						size_t len, struct err *e),
				    void *ctx);
int delta_patch_feed(struct delta_patch *p, const void *bytes, size_t len,
		     struct err *e);
int delta_patch_end(struct delta_patch *p, struct err *e);
void delta_patch_free(struct delta_patch *p);
AUTO_DEFINE(delta_patch)

/* Which parts of a published file a drifted one holds: what librsync says when
 * it makes the delta from the published file (known by signature only) to the
 * local one. Runs are sorted by `theirs`, never overlap, and are no proof: the
 * whole hash is checked after. ERR_INPUT, ERR_SYS. */
struct delta_run {
	uint64_t theirs, ours, len;
};
int delta_find(const void *signature, size_t len, uint64_t theirs_size, int fd,
	       uint64_t size, struct delta_run **runs, size_t *runs_len,
	       struct err *e);

#endif
