/* Taking a patch. Each kind is a short pipe that ends at the caller's sink:
 *   whole, zstd   piece → sink
 *   gzip          piece → deflate → sink, prefixes from the base inflated
 *   symbols       piece → bits → sink, prefixes from the base's symbols
 *   rsync         piece → librsync → sink
 * Whatever the pieces say, no more comes out than the table promised, and
 * memory is one piece with its prefix. */
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/delta.h"
#include "rsyncd/frame.h"
#include "rsyncd/gzip.h"
#include "rsyncd/patch.h"
#include "rsyncd/spool.h"
#include "rsyncd/symbols.h"

/* Larger room than patches usually need is not kept between them. */
#define ROOM_KEPT (12UL << 20)

/* What is known of a base: prefixes of pieces that follow each other overlap,
 * or are the same. */
struct window {
	char *bytes;
	size_t room, len;
	uint64_t at; /* in the base */
};

struct patch_room {
	struct frame_decoder *decoder;
	char *raw;
	size_t raw_room;
	struct window window;
};

struct patch_take {
	struct patch_take_opts o;
	size_t next;   /* piece of the op */
	uint64_t left; /* that the sink may still get */
	int base_fd;   /* what prefixes are read from */
	int inside_fd; /* the same, when it is ours to close */
	struct patch_room *room, *own;
	struct gzip_maker *gzip;
	struct symbols_maker *symbols;
	struct delta_patch *delta;
};

/* ---- room ---- */

struct patch_room *
patch_room_new(void)
{
	struct patch_room *r = base_alloc(sizeof(*r));

	r->decoder = frame_decoder_new();
	return r;
}

void
patch_room_free(struct patch_room *r)
{
	if (!r)
		return;
	frame_decoder_free(r->decoder);
	free(r->raw);
	free(r->window.bytes);
	free(r);
}

void
patch_room_forget(struct patch_room *r)
{
	r->window.len = 0;
	if (r->window.room <= ROOM_KEPT)
		return;
	free(STEAL(r->window.bytes));
	r->window.room = 0;
}

/* As much as is kept, at once: growing step by step, a room meets fresh pages
 * at every step. */
static size_t
room_of(size_t want)
{
	return want < ROOM_KEPT ? ROOM_KEPT : want;
}

/* Room for `want` bytes from `skip` of the window on, which comes to its begin
 * when it has to move. */
static void
window_make_room(struct window *w, size_t skip, size_t want)
{
	size_t keep = w->len - skip;
	char *fresh;

	if (want <= w->room) {
		memmove(w->bytes, w->bytes + skip, keep);
	} else {
		/* the next one has a third of it behind this one's end */
		w->room = room_of(want + want / 3);
		fresh = base_large(w->room);
		if (keep > 0)
			memcpy(fresh, w->bytes + skip, keep);
		free(w->bytes);
		w->bytes = fresh;
	}
	w->at += skip;
	w->len = keep;
}

/* Bytes [at, at + want) of the base; only what is new of them is read. */
static int
window_read(struct window *w, int fd, uint64_t at, size_t want,
	    const char **bytes, struct err *e)
{
	size_t skip;

	if (at < w->at || at - w->at > w->len)
		w->len = 0;
	if (w->len == 0)
		w->at = at;
	skip = (size_t)(at - w->at);
	if (want > w->room - skip || !w->bytes) {
		window_make_room(w, skip, want);
		skip = 0;
	}
	if (skip + want > w->len) {
		size_t have = w->len;

		w->len = 0; /* unless all of it can be read */
		if (read_at(fd, w->at + have, w->bytes + have,
			    skip + want - have, e) < 0)
			return err_add(e, "the base");
		w->len = skip + want;
	}
	*bytes = w->bytes + skip;
	return 0;
}

static char *
room_for(char **room, size_t *have, size_t want)
{
	if (want > *have) {
		free(*room);
		*have = room_of(want);
		*room = base_large(*have);
	}
	return *room;
}

static void
shrink(char **room, size_t *have)
{
	if (*have <= ROOM_KEPT)
		return;
	free(STEAL(*room));
	*have = 0;
}

/* ---- open ---- */

static int
give(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct patch_take *t = ctx;

	if (len > t->left)
		return err_set(e, ERR_INPUT,
			       "the patch makes more bytes than it should");
	t->left -= len;
	return t->o.sink(t->o.ctx, bytes, len, e);
}

struct inside {
	struct window *window; /* NULL: it goes to `fd` */
	int fd;
	uint64_t len;
};

static int
keep_inside(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct inside *i = ctx;

	i->len += len;
	if (!i->window)
		return fd_write_all(i->fd, bytes, len, e);
	if (len > i->window->room - i->window->len)
		return err_set(e, ERR_INPUT,
			       "the base has more inside than "
			       "it should");
	memcpy(i->window->bytes + i->window->len, bytes, len);
	i->window->len += len;
	return 0;
}

/* Where what is inside the base goes: where it is not large, all of it is the
 * window from the begin; else a file without a name. */
static int
begin_inside(struct patch_take *t, struct inside *in, struct err *e)
{
	const struct patch_op *op = t->o.op;
	struct window *w = &t->room->window;

	if (op->old_raw <= ROOM_KEPT) {
		w->len = 0;
		window_make_room(w, 0, (size_t)op->old_raw + 1);
		w->at = 0;
		in->window = w;
		return 0;
	}
	in->fd = spool_file(t->o.tmp_dirfd, e);
	t->inside_fd = in->fd;
	return in->fd < 0 ? -1 : 0;
}

/* The base is a gzip file: prefixes are from what is inside it. */
static int
open_inside(struct patch_take *t, struct err *e)
{
	const struct patch_op *op = t->o.op;
	struct inside in = { .fd = -1 };
	int got;

	if (begin_inside(t, &in, e) < 0)
		return -1;
	t->base_fd = in.fd;
	got = (op->kind == PATCH_GZIP ? gzip_open : symbols_read)(
		t->o.base_fd, op->old_size, op->old_raw, keep_inside, &in, e);
	if (got < 0)
		return -1;
	if (got == 0 || in.len != op->old_raw)
		return err_set(e, ERR_INPUT,
			       "the base is not the gzip file that it should "
			       "be");
	if (op->kind == PATCH_SYMBOLS)
		t->symbols = symbols_maker_new(give, t);
	else
		t->gzip = gzip_maker_new(op->level, op->mem_level, op->header,
					 op->header_len, give, t);
	return 0;
}

int
patch_take_open(struct patch_take **out, const struct patch_take_opts *o,
		struct err *e)
{
	AUTO(patch_take) t = base_alloc(sizeof(*t));

	t->o = *o;
	t->left = o->op->new_size;
	t->base_fd = o->base_fd;
	t->inside_fd = -1;
	t->room = o->room ? o->room : (t->own = patch_room_new());
	patch_room_forget(t->room);
	if ((o->op->kind == PATCH_GZIP || o->op->kind == PATCH_SYMBOLS) &&
	    open_inside(t, e) < 0)
		return -1;
	if (o->op->kind == PATCH_RSYNC)
		t->delta =
			delta_patch_new(o->base_fd, o->op->new_size, give, t);
	*out = STEAL(t);
	return 0;
}

/* ---- pieces ---- */

static int
check_hash(const struct patch_piece *p, const void *bytes, size_t len,
	   struct err *e)
{
	struct digest d;

	digest_of(bytes, len, &d);
	if (len != p->size || !digest_eq(&d, &p->hash))
		return err_set(e, ERR_INPUT, "a damaged piece of a delta");
	return 0;
}

int
patch_take_piece_to(struct patch_room *r, const struct patch_piece *p,
		    int base_fd, const void *bytes, size_t len, void *out,
		    struct err *e)
{
	const char *prefix = NULL;

	if (p->base_len > 0 && window_read(&r->window, base_fd, p->base_at,
					   p->base_len, &prefix, e) < 0)
		return -1;
	return frame_unpack(r->decoder, bytes, len, prefix, p->base_len, out,
			    p->raw, e);
}

/* Decode the piece into the room. */
static int
unpack(struct patch_take *t, const struct patch_piece *p, const void *bytes,
       size_t len, struct err *e)
{
	struct patch_room *r = t->room;
	char *raw = room_for(&r->raw, &r->raw_room, p->raw);

	return patch_take_piece_to(r, p, t->base_fd, bytes, len, raw, e);
}

int
patch_take_piece(struct patch_take *t, const void *bytes, size_t len,
		 struct err *e)
{
	const struct patch_op *op = t->o.op;
	const struct patch_piece *p;

	if (t->next == op->pieces)
		return err_set(e, ERR_INPUT, "one piece too many");
	p = &t->o.table->piece[op->piece + t->next];
	if (!t->o.checked && check_hash(p, bytes, len, e) < 0)
		return -1;
	if (unpack(t, p, bytes, len, e) < 0)
		return -1;
	t->next++;
	if (t->gzip)
		return gzip_maker_feed(t->gzip, t->room->raw, p->raw, e);
	if (t->symbols)
		return symbols_maker_feed(t->symbols, t->room->raw, p->raw, e);
	if (t->delta)
		return delta_patch_feed(t->delta, t->room->raw, p->raw, e);
	return give(t, t->room->raw, p->raw, e);
}

int
patch_take_end(struct patch_take *t, struct err *e)
{
	if (t->next != t->o.op->pieces)
		return err_set(e, ERR_INPUT, "the patch is cut short");
	if (t->gzip && gzip_maker_end(t->gzip, e) < 0)
		return -1;
	if (t->symbols && symbols_maker_end(t->symbols, e) < 0)
		return -1;
	if (t->delta && delta_patch_end(t->delta, e) < 0)
		return -1;
	if (t->left > 0)
		return err_set(e, ERR_INPUT,
			       "the patch makes fewer bytes than it should");
	return 0;
}

void
patch_take_free(struct patch_take *t)
{
	if (!t)
		return;
	if (t->inside_fd >= 0)
		close(t->inside_fd);
	gzip_maker_free(t->gzip);
	symbols_maker_free(t->symbols);
	delta_patch_free(t->delta);
	shrink(&t->room->raw, &t->room->raw_room);
	patch_room_forget(t->room);
	patch_room_free(t->own);
	free(t);
}

/* ---- the manifest ---- */

uint64_t
patch_manifest_size(const struct patch_table *t)
{
	const struct patch_piece *last = &t->piece[t->manifest_pieces - 1];

	return last->at + last->size;
}

static int
unpack_text(const struct patch_table *t, const char *bytes, const char *old,
	    size_t old_len, char *text, struct err *e)
{
	AUTO(frame_decoder) d = frame_decoder_new();
	size_t i;

	for (i = 0; i < t->manifest_pieces; i++) {
		const struct patch_piece *p = &t->piece[i];

		if (p->base_len > old_len || p->base_at > old_len - p->base_len)
			return err_set(e, ERR_INPUT,
				       "a prefix outside of the old manifest");
		if (check_hash(p, bytes + p->at, p->size, e) < 0 ||
		    frame_unpack(d, bytes + p->at, p->size,
				 p->base_len ? old + p->base_at : NULL,
				 p->base_len, text, p->raw, e) < 0)
			return -1;
		text += p->raw;
	}
	return 0;
}

int
patch_manifest(const struct patch_table *t, const void *bytes, size_t len,
	       const char *old_text, size_t old_len, char **text,
	       size_t *text_len, struct err *e)
{
	AUTO_FREE char *out = NULL;
	size_t raw = 0, i;

	if (len != patch_manifest_size(t))
		return err_set(e, ERR_INPUT,
			       "a manifest's patch of %zu bytes, "
			       "not %llu",
			       len, (unsigned long long)patch_manifest_size(t));
	for (i = 0; i < t->manifest_pieces; i++)
		raw += t->piece[i].raw;
	out = base_alloc(raw + 1);
	if (unpack_text(t, bytes, old_text, old_len, out, e) < 0)
		return -1;
	*text = STEAL(out);
	*text_len = raw;
	return 0;
}
