/* All ways to make one content of another that are worth trying: what a client
 * may want of them stays. */
#include <string.h>

#include "lib/base.h"

#include "rsyncd/patch_ways.h"

#define LARGE (64UL << 20)    /* old + new: librsync is tried, too */
#define GZIP_MIN (64UL << 10) /* smaller gzip files: when thorough only */
#define SYMBOLS_MIN (2UL << 10)
/* Symbols that any client makes a file of in the time of a question: a larger
 * patch of it would only lie between two that are asked for. */
#define SYMBOLS_ALONE (512UL << 10)
#define WHOLE_SHARE 4 /* a patch above 1/4: whole is tried, too */

void
made_begin(struct made *made, int tmp_dirfd)
{
	int i;

	for (i = 0; i < MADE_SORTS; i++)
		made->of[i] = (struct attempt){ .packed = { .dirfd = tmp_dirfd,
							    .fd = -1 } };
}

void
made_clear(struct made *made)
{
	int i;

	for (i = 0; i < MADE_SORTS; i++)
		attempt_clear(&made->of[i]);
}

/* The smaller one stays in `best`; of equals the one that needs no base. */
static void
keep_smaller(struct attempt *best, struct attempt *a)
{
	struct attempt loser = *a;
	uint64_t most = best->packed.len - (a->op.kind == PATCH_WHOLE ? 0 : 1);

	if (best->op.pieces == 0 || a->packed.len <= most) {
		loser = *best;
		*best = *a;
	}
	attempt_clear(&loser);
}

/* In the order in which they are tried. */
enum way { WAY_SYMBOLS, WAY_GZIP, WAY_ZSTD, WAY_WHOLE, WAY_RSYNC, WAYS };

static enum made_sort
sort_of(enum way way)
{
	return way == WAY_SYMBOLS ? MADE_SYMBOLS
	       : way == WAY_GZIP  ? MADE_GZIP
				  : MADE_PLAIN;
}

bool
attempt_is_made(const struct attempt *a)
{
	return a->op.pieces > 0;
}

/* Other matches were chosen all over the file, or none can be made again. */
static bool
symbols_are_poor(const struct made *made, uint64_t size)
{
	const struct attempt *a = &made->of[MADE_SYMBOLS];

	return !attempt_is_made(a) || a->packed.len > size / 4 * 3;
}

static bool
worth_trying(enum way way, bool thorough, const struct pair_files *f,
	     const struct made *made)
{
	const uint64_t size = f->new.size;

	switch (way) {
	case WAY_SYMBOLS:
		return f->pair->old && (thorough || size >= SYMBOLS_MIN);
	case WAY_ZSTD: /* two gzip files have no more than a header in common */
		return f->pair->old &&
		       (thorough || !attempt_is_made(&made->of[MADE_SYMBOLS]));
	case WAY_WHOLE:
		return !f->pair->old || thorough ||
		       !attempt_is_made(&made->of[MADE_PLAIN]) ||
		       made->of[MADE_PLAIN].packed.len > size / WHOLE_SHARE;
	case WAY_GZIP:
		return f->pair->old &&
		       (thorough ||
			(size >= GZIP_MIN && symbols_are_poor(made, size)));
	case WAY_RSYNC:
		return f->pair->old && (thorough || f->old.size + size > LARGE);
	default:
		return false;
	}
}

static int
try_way(enum way way, struct patch_worker *w, struct pair_files *f,
	struct attempt *a, struct err *e)
{
	switch (way) {
	case WAY_WHOLE:
		return try_zstd(w, NULL, &f->new, a, e);
	case WAY_SYMBOLS:
		return try_symbols(w, &f->old, &f->new, a, e);
	case WAY_GZIP:
		return try_gzip(w, &f->old, &f->new, a, e);
	case WAY_RSYNC:
		return try_rsync(w, &f->old, &f->new, a, e);
	default:
		return try_zstd(w, &f->old, &f->new, a, e);
	}
}

/* More bytes for more work are of no use. */
static void
drop_useless(struct made *made)
{
	struct attempt *best = NULL;
	int i;

	for (i = MADE_SORTS; i-- > 0;) {
		struct attempt *a = &made->of[i];

		if (!attempt_is_made(a))
			continue;
		if (best && a->packed.len >= best->packed.len)
			attempt_clear(a);
		else
			best = a;
	}
	if (best == &made->of[MADE_SYMBOLS] &&
	    best->op.new_raw <= SYMBOLS_ALONE)
		attempt_clear(&made->of[MADE_PLAIN]);
}

static int
try_ways(struct patch_worker *w, struct pair_files *f, bool thorough,
	 struct made *made, struct err *e)
{
	enum way way;

	for (way = 0; way < WAYS; way++) {
		struct attempt a = { .packed = { .dirfd = w->tmp_dirfd,
						 .fd = -1 } };
		int got;

		if (!worth_trying(way, thorough, f, made))
			continue;
		got = try_way(way, w, f, &a, e);
		if (got >= 0 && attempt_is_made(&a))
			keep_smaller(&made->of[sort_of(way)], &a);
		else
			attempt_clear(&a);
		if (got < 0)
			return -1;
	}
	return 0;
}

static void
fill_op(struct patch_op *op, const struct patch_pair *pair)
{
	memcpy(op->new_head, pair->new->hash.b, sizeof(op->new_head));
	op->new_size = pair->new->size;
	if (op->kind == PATCH_WHOLE)
		return;
	memcpy(op->old_head, pair->old->hash.b, sizeof(op->old_head));
	op->old_size = pair->old->size;
}

int
patch_ways(struct patch_worker *w, struct pair_files *f, bool thorough,
	   struct made *made, struct err *e)
{
	int i;

	if (try_ways(w, f, thorough, made, e) < 0)
		return -1;
	for (i = 0; i < MADE_SORTS; i++)
		if (attempt_is_made(&made->of[i]))
			fill_op(&made->of[i].op, f->pair);
	/* of others the inside was replayed */
	if (try_replay(&made->of[MADE_PLAIN], f->old.fd, w->tmp_dirfd,
		       &f->pair->new->hash, e) < 0)
		return -1;
	drop_useless(made);
	return 0;
}
