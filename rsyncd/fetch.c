/* A range is a run of pieces; each is hashed while it comes and given on when
 * it is whole, so that nobody behind this file ever sees a wrong byte.
 *
 * After damage the piece is asked for alone, first with Cache-Control:
 * no-cache, then as ?again=N, since there are caches that heed only another
 * name; what helped is kept for the rest of that file. */
#include "rsyncd/fetch.h"

#include <inttypes.h>

#include "lib/base.h"

/* Bytes between two pieces that are cheaper than another question. */
#define GAP_MAX (32 * 1024)

struct fetching {
	struct source *s;
	const struct fetch_list *list;
	size_t i;    /* the piece that comes now */
	size_t end;  /* of the pieces of this range */
	uint64_t at; /* the file's offset that comes now */
	unsigned char *bytes;
	uint64_t have; /* of the piece */
	struct digest_run run;
	bool damaged, refused;
	enum source_fresh fresh;
};

static void
begin_piece(struct fetching *f)
{
	f->have = 0; /* bytes of a try that failed are written over */
	f->damaged = false;
	digest_begin(&f->run);
}

static int
end_piece(struct fetching *f, struct err *e)
{
	const struct fetch_list *l = f->list;
	struct digest d;

	digest_end(&f->run, &d);
	if (!digest_eq(&d, l->piece[f->i].hash)) {
		f->damaged = true;
		return err_set(e, ERR_PEER,
			       "%s: the %" PRIu64 " bytes at %" PRIu64
			       " are not those that were signed",
			       l->path, l->piece[f->i].size, l->piece[f->i].at);
	}
	if (l->give(l->ctx, f->i, STEAL(f->bytes), e) < 0) {
		f->refused = true;
		return -1;
	}
	f->i++;
	begin_piece(f);
	return 0;
}

static int
make_room(struct fetching *f, uint64_t size, struct err *e)
{
	const struct fetch_list *l = f->list;

	if (f->bytes)
		return 0;
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
			digest_add(&f->run, p, n);
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

static int
fetch_run(struct fetching *f, struct err *e)
{
	const struct fetch_piece *p = f->list->piece;
	const struct fetch_piece *last = &p[f->end - 1];
	struct source_span span = { .path = f->list->path,
				    .at = p[f->i].at,
				    .len = last->at + last->size - p[f->i].at,
				    .fresh = f->fresh };

	begin_piece(f);
	f->at = span.at;
	return source_range(f->s, &span, take, f, e);
}

/* The piece that failed, again and alone. */
static int
fetch_again(struct fetching *f, struct err *e)
{
	size_t failed = f->i;

	while (f->fresh < SOURCE_RENAMED) {
		struct err why = { 0 };

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

	if (list->damaged)
		*list->damaged = SIZE_MAX;
	while (bad == 0 && f.i < list->n) {
		f.end = run_end(list->piece, f.i, list->n);
		bad = fetch_run(&f, e);
		if (bad < 0 && !f.refused &&
		    (f.damaged || e->kind == ERR_INPUT))
			bad = fetch_again(&f, e);
	}
	if (f.bytes && list->room)
		list->unroom(list->ctx, f.bytes);
	else
		free(f.bytes);
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
