#ifndef RSYNCD_PATCH_PAIR_H
#define RSYNCD_PATCH_PAIR_H

#include "lib/buf.h"

#include "rsyncd/manifest.h"

/* Which old content a new one is likeliest made of. */
struct patch_pair {
	const struct content *new, *old; /* old NULL: nothing is like it */
};

/* The contents of `new` that `old` has nowhere, in their order, each with its
 * partner: that at the same path; at a path that differs in numbers and
 * versions only; with such a base name, of the nearest size. Pure. The caller
 * frees *out. */
size_t patch_pairs(const struct manifest *old, const struct contents *olds,
		   const struct manifest *new, const struct contents *news,
		   struct patch_pair **out);

/* A path with each run of digits (and `.+~:_-` between them) as `#`. */
void patch_pair_key(const char *path, struct buf *out);

#endif
