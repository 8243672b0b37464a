/* A range is a run of pieces. What is whole is hashed, some of them together,
 * and given on when it is right, so that nobody behind this file ever sees a
 * wrong byte.
 *
 * After damage the piece is asked for alone, first with Cache-Control:
 * no-cache, then as ?again=N, since there are caches that heed only another
 * name; what helped is kept for the rest of that file. */
#include "rsyncd/fetch.h"

#include <inttypes.h>

#include "lib/base.h"
#include "lib/clock.h"

/* Bytes between two pieces that are cheaper than another question. */
#define GAP_MAX (32 * 1024)
/* How many wait for their hash together, and how long: on a wire so slow that
 * none comes meanwhile, what they would save is of no use. */
#define HELD_MAX 16
#define HELD_MS 20
#define SLACK (64 * 1024) /* of `room` for itself */
#define FIRST 2           /* workers have nothing to do yet */

struct fetching {
	struct source *s;
	const struct fetch_list *list;
	size_t i;    /* the piece that comes now */
	size_t end;  /* of the pieces of this range */
	uint64_t at; /* the file's offset that comes now */
	unsigned char *bytes;
	uint64_t have; /* of the piece */
	/* those before it that wait for their hash */
	unsigned char *held[HELD_MAX];
	size_t helds;
	uint64_t held_bytes;
	int64_t held_ms; /* when the first one came */
	bool damaged, refused;
	enum source_fresh fresh;
};

static void
drop(struct fetching *f, unsigned char *bytes)
{
	const struct fetch_list *l = f->list;

	if (bytes && l->room)
		l->unroom(l->ctx, bytes);
	else
		free(bytes);
}

/* ---- hashes ---- */

/* Hashes of all that is held. */
static void
hash_held(const struct fetching *f, struct digest got[HELD_MAX])
{
	const struct fetch_piece *p = &f->list->piece[f->i - f->helds];
	struct digest_job job[HELD_MAX];
	size_t k;

	for (k = 0; k < f->helds; k++)
		job[k] = (struct digest_job){ f->held[k], p[k].size, &got[k] };
	digest_many(job, f->helds);
}

/* Back to the piece at place `k` of those that are held. */
static int
found_damage(struct fetching *f, size_t k, struct err *e)
{
	const struct fetch_piece *x;

	f->i -= f->helds - k;
	for (; k < f->helds; k++)
		drop(f, f->held[k]);
	f->helds = 0;
	f->held_bytes = 0;
	drop(f, STEAL(f->bytes));
	f->damaged = true;
	x = &f->list->piece[f->i];
	return err_set(e, ERR_PEER,
		       "%s: the %" PRIu64 " bytes at %" PRIu64
		       " are not those that were signed",
		       f->list->path, x->size, x->at);
}

/* What is held is given on, up to the first one that is wrong. */
static int
settle(struct fetching *f, struct err *e)
{
	const struct fetch_list *l = f->list;
	const size_t first = f->i - f->helds;
	struct digest got[HELD_MAX];
	size_t k;

	hash_held(f, got);
	for (k = 0; k < f->helds; k++) {
		if (!digest_eq(&got[k], l->piece[first + k].hash))
			return found_damage(f, k, e);
		if (l->give(l->ctx, first + k, STEAL(f->held[k]), e) < 0) {
			f->refused = true;
			return -1;
		}
	}
	f->helds = 0;
	f->held_bytes = 0;
	return 0;
}

/* ---- pieces ---- */

static void
begin_piece(struct fetching *f)
{
	f->have = 0; /* bytes of a try that failed are written over */
	f->damaged = false;
}

static int
end_piece(struct fetching *f, struct err *e)
{
	const struct fetch_list *l = f->list;

	if (f->helds == 0)
		f->held_ms = clock_boot_ms();
	f->held_bytes += l->piece[f->i].size;
	f->held[f->helds++] = STEAL(f->bytes);
	f->i++;
	begin_piece(f);
	if (l->hold > 0 && f->helds < HELD_MAX && f->i > FIRST)
		return 0;
	return settle(f, e);
}

/* Is there room for a piece beside what is held, when all else was given back?
 * What is held lies somewhere in the midst of it, perhaps with a gap. */
static bool
fits(const struct fetching *f, uint64_t size)
{
	return f->held_bytes + size + SLACK <= f->list->hold / 2;
}

static int
make_room(struct fetching *f, uint64_t size, struct err *e)
{
	const struct fetch_list *l = f->list;

	if (f->bytes)
		return 0;
	if (f->helds > 0 && !fits(f, size) && settle(f, e) < 0)
		return -1;
	f->bytes =
		l->room ? l->room(l->ctx, size, e) : base_resize(NULL, size, 1);
	f->refused = !f->bytes;
	return f->bytes ? 0 : -1;
}

static int
take(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct fetching *f = ctx;
	const unsigned char *p = bytes;

	if (f->helds > 0 && clock_boot_ms() - f->held_ms >= HELD_MS &&
	    settle(f, e) < 0)
		return -1;
	while (len > 0) {
		const struct fetch_piece *x = &f->list->piece[f->i];
		uint64_t n;

		if (f->at < x->at) { /* what lies between two */
			n = x->at - f->at < len ? x->at - f->at : len;
		} else {
			n = x->size - f->have < len ? x->size - f->have : len;
			if (make_room(f, x->size, e) < 0)
				return -1;
			memcpy(f->bytes + f->have, p, n);
			f->have += n;
		}
		p += n;
		len -= n;
		f->at += n;
		if (f->have == x->size && end_piece(f, e) < 0)
			return -1;
	}
	return 0;
}

/* How far the run of near pieces from `i` on reaches. */
static size_t
run_end(const struct fetch_piece *p, size_t i, size_t n)
{
	size_t end = i + 1;

	while (end < n &&
	       p[end].at - (p[end - 1].at + p[end - 1].size) <= GAP_MAX)
		end++;
	return end;
}

/* Not all of what came may have been given on; when the wire broke, that is
 * right all the same. */
static int
fetch_run(struct fetching *f, struct err *e)
{
	const struct fetch_piece *p = f->list->piece;
	const struct fetch_piece *last = &p[f->end - 1];
	struct source_span span = { .path = f->list->path,
				    .at = p[f->i].at,
				    .len = last->at + last->size - p[f->i].at,
				    .fresh = f->fresh };
	struct err why = { 0 };
	int bad;

	begin_piece(f);
	f->at = span.at;
	bad = source_range(f->s, &span, take, f, e);
	if (f->damaged || f->refused || settle(f, &why) == 0)
		return bad;
	*e = why;
	return -1;
}

/* The piece that failed, again and alone: past the caches that are asked to,
 * then past all. Once those are passed a piece has one more try. */
static int
fetch_again(struct fetching *f, struct err *e)
{
	size_t failed = f->i;
	int tries = f->fresh < SOURCE_RENAMED ? SOURCE_RENAMED - f->fresh : 1;

	for (; tries > 0; tries--) {
		struct err why = { 0 };

		if (f->fresh < SOURCE_RENAMED)
			f->fresh++;
		f->end = failed + 1;
		if (fetch_run(f, &why) == 0)
			return 0;
		if (f->refused || (!f->damaged && why.kind != ERR_INPUT)) {
			*e = why;
			return -1;
		}
		*e = why;
	}
	e->kind = ERR_PEER;
	if (f->list->damaged)
		*f->list->damaged = failed;
	return err_add(e, "damaged on the server");
}

int
fetch_pieces(struct source *s, const struct fetch_list *list, struct err *e)
{
	struct fetching f = { .s = s, .list = list };
	int bad = 0;
	size_t k;

	if (list->damaged)
		*list->damaged = SIZE_MAX;
	while (bad == 0 && f.i < list->n) {
		f.end = run_end(list->piece, f.i, list->n);
		bad = fetch_run(&f, e);
		if (bad < 0 && !f.refused &&
		    (f.damaged || e->kind == ERR_INPUT))
			bad = fetch_again(&f, e);
	}
	for (k = 0; k < f.helds; k++)
		drop(&f, f.held[k]);
	drop(&f, f.bytes);
	return bad;
}

uint64_t
fetch_cost(const struct fetch_piece *piece, size_t n)
{
	uint64_t cost = 0;
	size_t i, end;

	for (i = 0; i < n; i = end) {
		end = run_end(piece, i, n);
		cost += piece[end - 1].at + piece[end - 1].size - piece[i].at;
	}
	return cost;
}

static int
keep(void *ctx, size_t i, unsigned char *bytes, struct err *e)
{
	unsigned char **out = ctx;

	(void)i, (void)e;
	*out = bytes;
	return 0;
}

int
fetch_one(struct source *s, const char *path, const struct fetch_piece *piece,
	  struct buf *out, struct err *e)
{
	AUTO_FREE unsigned char *bytes = NULL;
	struct fetch_list list = { .path = path,
				   .piece = piece,
				   .n = 1,
				   .give = keep,
				   .ctx = &bytes };

	if (fetch_pieces(s, &list, e) < 0)
		return -1;
	buf_add(out, bytes, piece->size);
	return 0;
}
