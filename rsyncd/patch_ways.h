#ifndef RSYNCD_PATCH_WAYS_H
#define RSYNCD_PATCH_WAYS_H

#include "rsyncd/patch_pair.h"
#include "rsyncd/patch_try.h"

/* What was made of a pair: the smallest of each sort. Whoever gets bytes sooner
 * than deflate, or the bits of symbols, are made takes one further down. */
enum made_sort { MADE_GZIP, MADE_SYMBOLS, MADE_PLAIN, MADE_SORTS };
struct made {
	struct attempt of[MADE_SORTS];
};
bool attempt_is_made(const struct attempt *a);
/* Attempts larger than memory go to files without a name in `tmp_dirfd`. */
void made_begin(struct made *made, int tmp_dirfd);
void made_clear(struct made *made);

/* A pair, opened; what of it is not large is in the worker's rooms. */
struct pair_files {
	const struct patch_pair *pair;
	struct side old, new;
};
/* Fill `made`, which has begun. `thorough`: every way, else what is likely to
 * be worth its time. What stays was taken as a client takes it, and none needs
 * more bytes and more work than another. ERR_REFUSED: it gives something else,
 * so a file is not what its manifest says; ERR_SYS. */
int patch_ways(struct patch_worker *w, struct pair_files *f, bool thorough,
	       struct made *made, struct err *e);

#endif
