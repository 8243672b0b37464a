#ifndef RSYNCD_FETCH_H
#define RSYNCD_FETCH_H

#include "lib/base.h"
#include "lib/hash.h"

#include "rsyncd/source.h"

/* Pieces of published files whose hash is known. What does not have it (a
 * cache's damage, a file cut short, a file missing) is asked for again past
 * every cache; what is wrong even then is refused: ERR_PEER, with place. */

struct fetch_piece {
	uint64_t at; /* in the file */
	uint64_t size;
	const struct digest *hash;
};

/* The `n` pieces, in rising order of `at`, never overlapping; near ones come
 * in one range. `give` owns the bytes: of malloc, or of `room` where that is
 * not NULL; then what was not given goes to `unroom` in the end. -1 of `give`
 * and NULL of `room` end it. Any failure of source_range.
 *
 * Pieces are given in their order. Some of them may be kept back for some
 * milliseconds, as long as `room` has no more than `hold` bytes: several hashes
 * are quicker taken together than one by one. */
struct fetch_list {
	const char *path;
	const struct fetch_piece *piece;
	size_t n;
	size_t hold; /* bytes; 0: each is given at once */
	int (*give)(void *ctx, size_t i, unsigned char *bytes, struct err *e);
	unsigned char *(*room)(void *ctx, size_t size, struct err *e);
	void (*unroom)(void *ctx, unsigned char *bytes);
	void *ctx;
	size_t *damaged; /* out, or NULL: the piece that cannot be had; SIZE_MAX
			    when that is not why it ended */
};
int fetch_pieces(struct source *s, const struct fetch_list *list,
		 struct err *e);

/* One piece, added to `out`. */
int fetch_one(struct source *s, const char *path,
	      const struct fetch_piece *piece, struct buf *out, struct err *e);

/* How many bytes fetch_pieces takes: with what lies between near ones. */
uint64_t fetch_cost(const struct fetch_piece *piece, size_t n);

#endif
