#ifndef RSYNCD_PAIRS_H
#define RSYNCD_PAIRS_H

#include "rsyncd/manifest.h"

/* Two manifests side by side, path by path: start with a and b set. */
struct pairs {
	const struct manifest *a, *b;
	size_t i, k;
	const struct manifest_entry *in_a, *in_b; /* NULL: only in the other */
};

/* false: no more. */
bool pairs_next(struct pairs *p);

/* All but path and time is the same; time as well. */
bool pairs_alike(const struct manifest_entry *a,
		 const struct manifest_entry *b);
bool pairs_same(const struct manifest_entry *a, const struct manifest_entry *b);

#endif
