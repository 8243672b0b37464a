/* Patches whose result is small are made in memory, several of them, and hashed
 * all together before the first file is made of them: most of an upgrade's
 * files, and hashing side by side takes half the time. */
#include "rsyncd/take.h"

#include "rsyncd/place.h"

#define SMALL (1UL << 20) /* a result */
#define PREFIX (12UL << 20)
#define BATCH (4UL << 20)
#define BATCH_MOST 64

struct batch {
	unsigned char *bytes; /* BATCH */
	size_t used, len;
	struct made {
		size_t number; /* of the patch */
		unsigned char *bytes;
		struct digest got;
		uint32_t here; /* the first entry made of it, or HOLDERS_END */
	} made[BATCH_MOST];
};

void
batch_free(struct batch *b)
{
	if (!b)
		return;
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

bool
take_is_small(const struct take *t, const struct load *load)
{
	const size_t number = load->job - t->frames;
	const struct patch_op *op = op_of(t, number);
	struct looking l = { .t = t, .op = op };

	/* in a chain, others wait for what this one makes */
	if (t->j->route.len != 1 || load->part > 0 || !load->last ||
	    op->pieces != 1 || op->new_size > SMALL ||
	    t->p->patch[number].want == SIZE_MAX ||
	    t->j->route.table[0]->piece[op->piece].base_len > PREFIX)
		return false;
	if (op->kind == PATCH_WHOLE)
		return true;
	return op->kind == PATCH_ZSTD && lanes_wait(t->lanes, look_base, &l) &&
	       l.there;
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

static int
make(struct take *t, struct hands *h, size_t number, const struct load *load,
     struct err *e)
{
	struct batch *b = h->batch;
	const struct patch_table *table = t->j->route.table[0];
	const struct patch_op *op = op_of(t, number);
	AUTO_CLOSE int fd = -1;
	struct made *x = &b->made[b->len];

	if (op->kind != PATCH_WHOLE)
		fd = base_content(t->j, op->old_head, op->old_size, e);
	if (op->kind != PATCH_WHOLE && fd < 0)
		return -1;
	*x = (struct made){ .number = number,
			    .bytes = b->bytes + b->used,
			    .here = HOLDERS_END };
	if (patch_take_small(h->room, &table->piece[op->piece], fd, load->bytes,
			     load->len, x->bytes, e) < 0)
		return -1;
	b->used += (size_t)op->new_size;
	b->len++;
	return 0;
}

int
take_small(struct take *t, int lane, struct load *load, struct err *e)
{
	struct hands *h = &t->hand[lane];
	const size_t number = load->job - t->frames;
	const uint64_t size = op_of(t, number)->new_size;

	if (!h->room)
		h->room = patch_room_new();
	if (!h->batch) {
		h->batch = base_alloc(sizeof(*h->batch));
		h->batch->bytes = base_alloc(BATCH);
	}
	if ((h->batch->len == BATCH_MOST || size > BATCH - h->batch->used) &&
	    empty(t, h->batch, e) < 0)
		return -1;
	if (make(t, h, number, load, e) == 0)
		return 0;
	if (e->kind != ERR_INPUT)
		return -1;
	*e = (struct err){ 0 };
	lanes_lock(t->lanes);
	take_patch_ends(t, number, false);
	lanes_wake(t->lanes);
	return 0;
}

int
take_small_end(struct take *t, struct err *e)
{
	int i;

	for (i = 0; i < LANES_MAX; i++)
		if (t->hand[i].batch && empty(t, t->hand[i].batch, e) < 0)
			return -1;
	return 0;
}
