/* The kinds of patches, each tried on one pair of contents. */
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/delta.h"
#include "rsyncd/gzip.h"
#include "rsyncd/patch_try.h"
#include "rsyncd/symbols.h"

#define RSYNC_PIECE (4UL << 20) /* of a librsync delta */
/* The format allows for more, but a client has several pieces in hand and
 * little memory; small ones cost nothing, as their window moves along. */
#define PIECE_RAW (4UL << 20)
/* What is hardly larger is one piece: a second one would ask for all of the old
 * content once more, of the publisher and of each client. */
#define PIECE_ONE (6UL << 20)
#define PIECE_PREFIX (12UL << 20)
/* A piece above half its size is tried again with far short matches. */
#define FAR_SHARE 2
#define FAR_MIN (256UL << 10) /* of a prefix: else all of it is near */

void
attempt_clear(struct attempt *a)
{
	free(a->op.header);
	free(a->piece);
	spool_clear(&a->packed);
	*a = (struct attempt){ .packed = { .dirfd = a->packed.dirfd,
					   .fd = -1 } };
}

struct patch_worker *
patch_worker_new(int level, int tmp_dirfd)
{
	struct patch_worker *w = base_alloc(sizeof(*w));

	w->coder = frame_coder_new(level);
	w->decoder = frame_decoder_new();
	w->tmp_dirfd = tmp_dirfd;
	/* pages that are never touched cost nothing */
	w->old_room = base_alloc(PATCH_OLD_ROOM);
	w->new_room = base_alloc(PATCH_NEW_ROOM);
	return w;
}

void
patch_worker_free(struct patch_worker *w)
{
	frame_coder_free(w->coder);
	frame_decoder_free(w->decoder);
	free(w->old_room);
	free(w->new_room);
	buf_clear(&w->frame);
	buf_clear(&w->far);
	free(w);
}

/* ---- zstd, whole ---- */

/* Bytes [at, at + len) of a side: where they are in memory, or read. */
static int
look(const struct side *s, uint64_t at, size_t len, char *room,
     const char **bytes, struct err *e)
{
	*bytes = s->mem ? s->mem + at : room;
	return s->mem ? 0 : read_at(s->fd, at, room, len, e);
}

/* What of the old content is the prefix for this piece of the new one: all,
 * or what stands around the same place. */
static void
choose_window(struct patch_piece *p, uint64_t at, uint64_t new_size,
	      uint64_t old_size)
{
	uint64_t middle, half = PIECE_PREFIX / 2;

	if (old_size <= PIECE_PREFIX) {
		p->base_len = (uint32_t)old_size;
		return;
	}
	middle = (uint64_t)((double)old_size *
			    ((double)(at + p->raw / 2) / (double)new_size));
	p->base_at = middle < half ? 0 : middle - half;
	if (p->base_at > old_size - PIECE_PREFIX)
		p->base_at = old_size - PIECE_PREFIX;
	p->base_len = PIECE_PREFIX;
}

/* Where little was found, more is looked for. */
static void
pack(struct patch_worker *w, const struct patch_piece *p, const char *raw,
     const char *prefix)
{
	buf_reset(&w->frame);
	frame_pack(w->coder, raw, p->raw, prefix, p->base_len, &w->frame);
	if (p->base_len < FAR_MIN || w->frame.len <= p->raw / FAR_SHARE ||
	    !frame_coder_far(w->coder, true))
		return;
	buf_reset(&w->far);
	frame_pack(w->coder, raw, p->raw, prefix, p->base_len, &w->far);
	frame_coder_far(w->coder, false);
	if (w->far.len < w->frame.len) {
		struct buf worse = w->frame;

		w->frame = w->far;
		w->far = worse;
	}
}

/* Pack `raw` with its prefix as the attempt's next piece. */
static int
add_piece(struct patch_worker *w, struct attempt *a,
	  const struct patch_piece *shape, const char *raw, const char *prefix,
	  struct err *e)
{
	struct patch_piece *p;

	if (a->op.pieces == a->room) {
		a->room = a->room ? a->room * 2 : 4;
		a->piece = base_resize(a->piece, a->room, sizeof(*a->piece));
	}
	p = &a->piece[a->op.pieces++];
	*p = *shape;
	pack(w, p, raw, prefix);
	p->at = a->packed.len;
	p->size = (uint32_t)w->frame.len;
	digest_of(w->frame.at, w->frame.len, &p->hash);
	return spool_add(&a->packed, w->frame.at, w->frame.len, e);
}

int
try_zstd(struct patch_worker *w, const struct side *old, const struct side *new,
	 struct attempt *a, struct err *e)
{
	const uint64_t most = new->size <= PIECE_ONE ? PIECE_ONE : PIECE_RAW;
	const char *raw, *prefix = NULL;
	uint64_t at;

	a->op.kind = old ? PATCH_ZSTD : PATCH_WHOLE;
	for (at = 0; at < new->size; at += most) {
		struct patch_piece p = { 0 };

		p.raw = (uint32_t)(new->size - at < most ? new->size - at
							 : most);
		if (old)
			choose_window(&p, at, new->size, old->size);
		if (old && look(old, p.base_at, p.base_len, w->old_room,
				&prefix, e) < 0)
			return -1;
		if (look(new, at, p.raw, w->new_room, &raw, e) < 0 ||
		    add_piece(w, a, &p, raw, prefix, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- rsync ---- */

struct delta_out {
	struct patch_worker *w;
	struct attempt *a;
	struct buf raw;
};

static int
cut_piece(struct delta_out *d, struct err *e)
{
	struct patch_piece p = { .raw = (uint32_t)d->raw.len };
	int got = d->raw.len == 0
			  ? 0
			  : add_piece(d->w, d->a, &p, d->raw.at, NULL, e);

	buf_reset(&d->raw);
	return got;
}

static int
take_delta(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct delta_out *d = ctx;

	buf_add(&d->raw, bytes, len);
	return d->raw.len < RSYNC_PIECE ? 0 : cut_piece(d, e);
}

int
try_rsync(struct patch_worker *w, const struct side *old,
	  const struct side *new, struct attempt *a, struct err *e)
{
	AUTO_CLEAR(buf) signature = { 0 };
	struct delta_out d = { .w = w, .a = a };
	int got;

	a->op.kind = PATCH_RSYNC;
	got = delta_signature(old->fd, old->size, &signature, e);
	if (got == 0)
		got = delta_make(signature.at, signature.len, new->fd,
				 new->size, take_delta, &d, e);
	if (got == 0)
		got = cut_piece(&d, e);
	buf_clear(&d.raw);
	return got;
}

/* ---- replay ---- */

static int
take_hash(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	digest_add(ctx, bytes, len);
	return 0;
}

static int
take_pieces(struct patch_take *t, const struct attempt *a, struct err *e)
{
	AUTO_FREE char *room = NULL;
	size_t i, most = 0;

	for (i = 0; i < a->op.pieces; i++)
		most = a->piece[i].size > most ? a->piece[i].size : most;
	room = base_alloc(most);
	for (i = 0; i < a->op.pieces; i++)
		if (spool_read(&a->packed, a->piece[i].at, room,
			       a->piece[i].size, e) < 0 ||
		    patch_take_piece(t, room, a->piece[i].size, e) < 0)
			return -1;
	return patch_take_end(t, e);
}

int
try_replay(const struct attempt *a, int old_fd, int tmp_dirfd,
	   const struct digest *hash, struct err *e)
{
	struct patch_table table = { .piece = a->piece,
				     .pieces = a->op.pieces };
	struct digest_run run;
	struct patch_take_opts o = { .table = &table,
				     .op = &a->op,
				     .base_fd = old_fd,
				     .tmp_dirfd = tmp_dirfd,
				     .sink = take_hash,
				     .ctx = &run };
	AUTO(patch_take) t = NULL;
	struct digest got;

	digest_begin(&run);
	if (patch_take_open(&t, &o, e) < 0 || take_pieces(t, a, e) < 0)
		return -1;
	digest_end(&run, &got);
	if (!digest_eq(&got, hash))
		return err_set(e, ERR_REFUSED,
			       "its patch makes something else: was the file "
			       "changed meanwhile?");
	return 0;
}

/* ---- gzip, symbols ---- */

/* gzip_open, or symbols_read */
typedef int opener(int fd, uint64_t size, uint64_t max, gzip_sink *sink,
		   void *ctx, struct err *e);

struct inside {
	struct side side;
	struct digest_run run;
	struct digest hash;
};

static int
write_inside(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct inside *in = ctx;

	in->side.size += len;
	digest_add(&in->run, bytes, len);
	return fd_write_all(in->side.fd, bytes, len, e);
}

/* What is inside a gzip file, in a file without a name. 1, 0 or -1. */
static int
open_inside(const struct patch_worker *w, const struct side *s, opener *open,
	    struct inside *in, struct err *e)
{
	int got;

	in->side.fd = spool_file(w->tmp_dirfd, e);
	if (in->side.fd < 0)
		return -1;
	digest_begin(&in->run);
	got = open(s->fd, s->size, PATCH_GZIP_RAW_MAX, write_inside, in, e);
	digest_end(&in->run, &in->hash);
	return got > 0 && in->side.size > 0 ? 1 : got < 0 ? -1 : 0;
}

/* The patch of what is inside, replayed: it was shown before that the right
 * inside makes the right file. */
static int
replay_inside(const struct patch_worker *w, const struct attempt *a,
	      const struct inside *old, const struct inside *new, struct err *e)
{
	struct attempt inner = *a;

	inner.op.new_size = new->side.size;
	return try_replay(&inner, old->side.fd, w->tmp_dirfd, &new->hash, e);
}

static void
set_gzip(struct patch_op *op, const struct gzip_way *way)
{
	op->kind = PATCH_GZIP;
	op->level = (uint8_t)way->level;
	op->mem_level = (uint8_t)way->mem_level;
	op->header_len = way->header_len;
	op->header = base_alloc(way->header_len);
	memcpy(op->header, way->header, way->header_len);
}

/* Both sides of a pair, opened. */
struct insides {
	struct inside old, new;
};

static int
patch_inside(struct patch_worker *w, const struct insides *in,
	     struct attempt *a, struct err *e)
{
	if (try_zstd(w, &in->old.side, &in->new.side, a, e) < 0 ||
	    replay_inside(w, a, &in->old, &in->new, e) < 0)
		return -1;
	a->op.new_raw = in->new.side.size;
	a->op.old_raw = in->old.side.size;
	return 1;
}

static int
gzip_inside(struct patch_worker *w, const struct side *new,
	    const struct insides *in, struct attempt *a, struct err *e)
{
	AUTO_FREE struct gzip_way *way = base_alloc(sizeof(*way));
	int got = gzip_find(new->fd, new->size, in->new.side.fd,
			    in->new.side.size, way, e);

	if (got > 0)
		got = patch_inside(w, in, a, e);
	if (got > 0)
		set_gzip(&a->op, way);
	return got;
}

static int
symbols_inside(struct patch_worker *w, const struct side *new,
	       const struct insides *in, struct attempt *a, struct err *e)
{
	int got = symbols_check(new->fd, new->size, in->new.side.fd,
				in->new.side.size, e);

	if (got > 0)
		got = patch_inside(w, in, a, e);
	if (got > 0)
		a->op.kind = PATCH_SYMBOLS;
	return got;
}

static bool
looks_gzip(const struct side *s)
{
	static const char magic[] = { 0x1f, (char)0x8b, 8 };
	char room[sizeof(magic)];
	struct err e;
	const char *head;

	return s->size > sizeof(magic) &&
	       look(s, 0, sizeof(magic), room, &head, &e) == 0 &&
	       memcmp(head, magic, sizeof(magic)) == 0;
}

/* How each of the two opens files, and makes a patch of what is inside. */
struct inside_way {
	opener *open;
	int (*patch)(struct patch_worker *w, const struct side *new,
		     const struct insides *in, struct attempt *a,
		     struct err *e);
};

static int
try_inside(struct patch_worker *w, struct side *old, struct side *new,
	   const struct inside_way *way, struct attempt *a, struct err *e)
{
	struct insides in = { .old.side.fd = -1, .new.side.fd = -1 };
	int got;

	if (!looks_gzip(old) || !looks_gzip(new))
		return 0;
	old->mem = NULL;
	new->mem = NULL;
	got = open_inside(w, new, way->open, &in.new, e);
	if (got > 0)
		got = open_inside(w, old, way->open, &in.old, e);
	if (got > 0)
		got = way->patch(w, new, &in, a, e);
	if (in.old.side.fd >= 0)
		close(in.old.side.fd);
	if (in.new.side.fd >= 0)
		close(in.new.side.fd);
	return got;
}

int
try_gzip(struct patch_worker *w, struct side *old, struct side *new,
	 struct attempt *a, struct err *e)
{
	static const struct inside_way way = { gzip_open, gzip_inside };

	return try_inside(w, old, new, &way, a, e);
}

int
try_symbols(struct patch_worker *w, struct side *old, struct side *new,
	    struct attempt *a, struct err *e)
{
	static const struct inside_way way = { symbols_read, symbols_inside };

	return try_inside(w, old, new, &way, a, e);
}
