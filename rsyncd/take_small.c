/* Patches whose result is not large are made in memory, several of them, and
 * hashed all together before the first file is made of them: most of an
 * upgrade's bytes, and hashing side by side takes half the time. */
#include "rsyncd/take.h"

#include "rsyncd/place.h"

#define SMALL (8UL << 20) /* a result */
#define PREFIX (12UL << 20)
#define BATCHES (16UL << 20) /* of all lanes together */
#define BATCH_MOST 64

struct batch {
	unsigned char *bytes;
	size_t room, used, len;
	struct made {
		size_t number; /* of the patch */
		unsigned char *bytes;
		struct digest got;
		uint32_t here; /* the first entry made of it, or HOLDERS_END */
	} made[BATCH_MOST];
	/* made[len], while its pieces come */
	bool growing, broken;
	size_t pieces, grown;
	int base_fd;
	struct patch_take *taking; /* of symbols */
};

void
batch_free(struct batch *b)
{
	if (!b)
		return;
	patch_take_free(b->taking);
	if (b->base_fd >= 0)
		close(b->base_fd);
	free(b->bytes);
	free(b);
}

static const struct patch_op *
op_of(const struct take *t, size_t number)
{
	const struct plan_patch *p = &t->p->patch[number];

	return &t->j->route.table[p->delta]->op[p->op];
}

static const struct content *
content_of(const struct take *t, size_t number)
{
	return contents_at(t->j->h.contents,
			   t->content[t->p->patch[number].want]);
}

/* ---- which ---- */

struct looking {
	const struct take *t;
	const struct patch_op *op;
	bool there;
};

/* Under the lanes' lock: nobody waits here. */
static bool
look_base(void *ctx)
{
	struct looking *l = ctx;

	l->there = base_at_hand(l->t->j, l->op->old_head, l->op->old_size);
	return true;
}

/* All that a lane holds for one piece of it. */
static bool
needs_little(const struct patch_table *t, const struct patch_op *op)
{
	size_t i;

	for (i = 0; i < op->pieces; i++) {
		const struct patch_piece *p = &t->piece[op->piece + i];

		if (p->base_len > PREFIX || p->raw > PREFIX)
			return false;
	}
	return op->kind != PATCH_SYMBOLS || op->old_raw <= PREFIX;
}

bool
take_is_small(const struct take *t, int lane, const struct load *load)
{
	const size_t number = load->job - t->frames;
	const struct patch_op *op = op_of(t, number);
	const struct batch *b = t->hand[lane].batch;
	struct looking l = { .t = t, .op = op };

	if (load->part > 0)
		return b && b->growing && b->made[b->len].number == number;
	/* in a chain, others wait for what this one makes */
	if (t->j->route.len != 1 || op->new_size > SMALL ||
	    t->p->patch[number].want == SIZE_MAX ||
	    !needs_little(t->j->route.table[0], op))
		return false;
	if (op->kind == PATCH_WHOLE)
		return true;
	return (op->kind == PATCH_ZSTD || op->kind == PATCH_SYMBOLS) &&
	       lanes_wait(t->lanes, look_base, &l) && l.there;
}

/* ---- the files ---- */

static int
place_at(struct take *t, uint32_t at, const unsigned char *bytes, struct err *e)
{
	struct job *j = t->j;
	const struct manifest_entry *x = &j->m->entry[at];
	struct place_bytes b = { bytes, x->size, 0, x->sparse };
	int fd = place_open(j->into, x->path, e);

	if (fd < 0)
		return -1;
	if (place_write(fd, &b, x->path, e) < 0) {
		close(fd);
		return -1;
	}
	if (place_close(fd, x, e) < 0)
		return -1;
	j->entry[at] = ENTRY_DONE;
	return 0;
}

/* All places of what was made. */
static int
place_made(struct take *t, struct made *x, struct err *e)
{
	struct pull_result *r = t->j->r;
	const struct content *c = content_of(t, x->number);
	uint32_t at;

	if (!digest_eq(&x->got, &c->hash))
		return 0;
	while ((at = take_place(t->j, c->at)) != HOLDERS_END) {
		if (place_at(t, at, x->bytes, e) < 0)
			return -1;
		__atomic_add_fetch(x->here == HOLDERS_END ? &r->patched
							  : &r->copied,
				   1, __ATOMIC_RELAXED);
		if (x->here == HOLDERS_END)
			x->here = at;
	}
	return 0;
}

/* Who waits for one of these is woken once for all. */
static void
tell(struct take *t, const struct batch *b)
{
	size_t i;

	lanes_lock(t->lanes);
	for (i = 0; i < b->len; i++) {
		const struct made *x = &b->made[i];
		const bool good = x->here != HOLDERS_END;
		struct want *w = &t->j->want[content_of(t, x->number)->at];

		take_patch_ends(t, x->number, good);
		if (!good)
			continue;
		w->here = x->here;
		w->state = WANT_HERE;
	}
	lanes_wake(t->lanes);
}

static int
empty(struct take *t, struct batch *b, struct err *e)
{
	struct digest_job job[BATCH_MOST];
	size_t i;

	for (i = 0; i < b->len; i++)
		job[i] = (struct digest_job){
			b->made[i].bytes,
			(size_t)op_of(t, b->made[i].number)->new_size,
			&b->made[i].got
		};
	digest_many(job, b->len);
	for (i = 0; i < b->len; i++)
		if (place_made(t, &b->made[i], e) < 0)
			return -1;
	tell(t, b);
	b->len = b->used = 0;
	return 0;
}

/* ---- making ---- */

static struct batch *
batch_new(const struct take *t)
{
	struct batch *b = base_alloc(sizeof(*b));

	b->room = BATCHES / (size_t)t->j->threads;
	if (b->room < SMALL)
		b->room = SMALL;
	if (b->room > t->makes)
		b->room = (size_t)t->makes;
	b->bytes = base_large(b->room);
	b->base_fd = -1;
	return b;
}

/* The hand is ready for the pieces of this patch. */
static int
begin_small(struct take *t, struct hands *h, size_t number, struct err *e)
{
	const struct patch_op *op = op_of(t, number);
	struct batch *b;

	if (!h->room)
		h->room = patch_room_new();
	if (!h->batch)
		h->batch = batch_new(t);
	b = h->batch;
	if ((b->len == BATCH_MOST || op->new_size > b->room - b->used) &&
	    empty(t, b, e) < 0)
		return -1;
	b->made[b->len] = (struct made){ .number = number,
					 .bytes = b->bytes + b->used,
					 .here = HOLDERS_END };
	b->growing = true;
	b->broken = false;
	b->pieces = b->grown = 0;
	patch_room_forget(h->room);
	return 0;
}

static int
keep(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct batch *b = ctx;

	(void)e; /* patch.c gives no more than the op's new_size */
	memcpy(b->made[b->len].bytes + b->grown, bytes, len);
	b->grown += len;
	return 0;
}

static int
grow_symbols(struct take *t, struct hands *h, const struct patch_op *op,
	     const struct load *load, struct err *e)
{
	struct batch *b = h->batch;
	const struct patch_take_opts o = { .table = t->j->route.table[0],
					   .op = op,
					   .base_fd = b->base_fd,
					   .tmp_dirfd = t->j->work,
					   .room = h->room,
					   .checked = true, /* by fetch.c */
					   .sink = keep,
					   .ctx = b };

	if (!b->taking && patch_take_open(&b->taking, &o, e) < 0)
		return -1;
	return patch_take_piece(b->taking, load->bytes, load->len, e);
}

static int
grow_plain(const struct take *t, struct hands *h, const struct patch_op *op,
	   const struct load *load, struct err *e)
{
	struct batch *b = h->batch;
	const struct patch_piece *p =
		&t->j->route.table[0]->piece[op->piece + b->pieces];

	if (b->pieces == op->pieces || p->raw > op->new_size - b->grown)
		return err_set(e, ERR_INPUT, "not the pieces of this patch");
	if (patch_take_piece_to(h->room, p, b->base_fd, load->bytes, load->len,
				b->made[b->len].bytes + b->grown, e) < 0)
		return -1;
	b->pieces++;
	b->grown += p->raw;
	return 0;
}

static int
grow(struct take *t, struct hands *h, const struct load *load, struct err *e)
{
	struct batch *b = h->batch;
	const struct patch_op *op = op_of(t, b->made[b->len].number);

	if (!load->bytes)
		return err_set(e, ERR_INPUT, "the rest of it cannot be had");
	if (op->kind != PATCH_WHOLE && b->base_fd < 0)
		b->base_fd = base_content(t->j, op->old_head, op->old_size, e);
	if (op->kind != PATCH_WHOLE && b->base_fd < 0)
		return -1;
	return op->kind == PATCH_SYMBOLS ? grow_symbols(t, h, op, load, e)
					 : grow_plain(t, h, op, load, e);
}

/* 0: it goes on, or this patch gives nothing; -1: the pull cannot. */
static int
judge(struct batch *b, int bad, struct err *e)
{
	if (bad == 0)
		return 0;
	b->broken = true;
	if (e->kind != ERR_INPUT)
		return -1;
	*e = (struct err){ 0 };
	return 0;
}

static int
end_small(struct take *t, struct batch *b, struct err *e)
{
	const size_t number = b->made[b->len].number;
	const struct patch_op *op = op_of(t, number);

	if (b->taking && !b->broken &&
	    judge(b, patch_take_end(b->taking, e), e) < 0)
		return -1;
	patch_take_free(STEAL(b->taking));
	if (b->base_fd >= 0)
		close(b->base_fd);
	b->base_fd = -1;
	b->growing = false;
	if (!b->broken && b->grown == op->new_size) {
		b->used += b->grown;
		b->len++;
		return 0;
	}
	lanes_lock(t->lanes);
	take_patch_ends(t, number, false);
	lanes_wake(t->lanes);
	return 0;
}

int
take_small(struct take *t, int lane, struct load *load, struct err *e)
{
	struct hands *h = &t->hand[lane];

	if (load->part == 0 && begin_small(t, h, load->job - t->frames, e) < 0)
		return -1;
	if (!h->batch->broken && judge(h->batch, grow(t, h, load, e), e) < 0)
		return -1;
	return load->last ? end_small(t, h->batch, e) : 0;
}

static int
empty_hand(void *ctx, int lane, size_t i, struct err *e)
{
	struct take *t = ctx;

	(void)lane;
	return t->hand[i].batch ? empty(t, t->hand[i].batch, e) : 0;
}

int
take_small_end(struct take *t, struct err *e)
{
	struct lanes_each each = { .threads = t->j->threads,
				   .count = LANES_MAX,
				   .work = empty_hand,
				   .ctx = t };

	return lanes_each(&each, e);
}
