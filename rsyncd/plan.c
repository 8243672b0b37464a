/* First everything by patches that can be had by patches: they are small. Then
 * what only frames have. Then whatever frames give for nothing, or for less
 * than the patches they save; a greedy choice, which is the best one in the
 * common cases: one delta that has it all, or frames alone. */
#include "rsyncd/plan.h"

#include "lib/base.h"

#define ROUNDS 3
#define UNKNOWN INT64_MIN
#define NEVER INT64_MAX
#define SLOW_SOME 3 /* times: no lane is free for more than that */

struct planning {
	const struct plan_in *in;
	struct plan *p;
	int64_t **cost; /* [delta][op], with all that it stands on */
	/* [delta]: the time of all its gzip ops, and bytes with them; and of
	 * symbols where there are such */
	struct work {
		uint64_t ms, bytes;
	} * gzip, *symbols;
	bool *small; /* [delta]: its small symbols are made beside the rest */
	int64_t *want_cost;
	struct plan_index *index;
	uint64_t **gain;                 /* [pack][frame] */
	const struct plan_want **framed; /* those that frames bring, by head */
	size_t frameds;
};

/* ---- patches ---- */

/* Of one op that makes a gzip file again. */
static uint64_t
work_ms(const struct patch_op *op)
{
	if (op->kind == PATCH_SYMBOLS)
		return op->new_raw <= PLAN_SYMBOLS_TINY
			       ? 0
			       : op->new_raw / (PLAN_SYMBOLS_SPEED / 1000);
	return op->kind != PATCH_GZIP ? 0
	       : op->level > 6        ? op->new_raw / (PLAN_GZIP_BEST / 1000)
				      : op->new_raw / (PLAN_GZIP_SPEED / 1000);
}

static bool
is_small(const struct patch_op *op)
{
	return op->kind == PATCH_SYMBOLS && op->new_raw <= PLAN_SYMBOLS_SMALL;
}

/* What making a gzip file again costs beside its pieces: what the wire could
 * bring in that time, which is longer where others work, too. As much of this
 * work as takes no longer than the wire takes for the delta hides behind it,
 * the same share of each op. */
static uint64_t
labour(const struct planning *g, size_t delta, const struct patch_op *op)
{
	const struct work *all =
		op->kind == PATCH_GZIP ? &g->gzip[delta] : &g->symbols[delta];
	uint64_t speed = g->in->speed, all_ms = all->ms;
	double slow, work, wire; /* ms */

	if (work_ms(op) == 0 || speed == 0 || all_ms == 0)
		return 0;
	slow = g->in->slow > 100 ? (double)g->in->slow / 100 : 1;
	if (is_small(op) && g->small[delta] && slow <= SLOW_SOME)
		return 0;
	work = (double)all_ms * slow;
	wire = (double)all->bytes * 1000 / (double)speed;
	if (wire >= work)
		return 0;
	return (uint64_t)((double)work_ms(op) * slow * (work - wire) / work *
			  (double)speed / 1000);
}

/* The newest table before `before` that can make this content, and the op. */
static int64_t cost_of(struct planning *g, const unsigned char head[12],
		       size_t before, size_t *delta, size_t *op);

static int64_t
cost_of_op(struct planning *g, size_t delta, size_t i)
{
	const struct patch_table *t = g->in->delta[delta];
	const struct patch_op *op = &t->op[i];
	int64_t *cost = &g->cost[delta][i];
	int64_t below = 0;
	size_t d, o;

	if (*cost != UNKNOWN)
		return *cost;
	if (op->kind != PATCH_WHOLE &&
	    !g->in->at_hand(g->in->ctx, op->old_head, op->old_size))
		below = cost_of(g, op->old_head, delta, &d, &o);
	*cost = below == NEVER ? NEVER
			       : below + (int64_t)(patch_size(t, op) +
						   labour(g, delta, op));
	return *cost;
}

static int64_t
cost_of(struct planning *g, const unsigned char head[12], size_t before,
	size_t *delta, size_t *op)
{
	int64_t best = NEVER;
	size_t d = before;

	while (d-- > 0) {
		const struct patch_table *t = g->in->delta[d];
		const struct patch_op *x = patch_find(t, head);

		for (; x; x = patch_plain(t, x)) {
			int64_t cost = cost_of_op(g, d, (size_t)(x - t->op));

			if (cost >= best)
				continue;
			best = cost;
			*delta = d;
			*op = (size_t)(x - t->op);
		}
	}
	return best;
}

/* ---- frames ---- */

/* Do something with each frame that this want lacks; the sum of `fn`. */
static uint64_t
each_frame(struct planning *g, const struct plan_want *w,
	   uint64_t (*fn)(struct planning *g, size_t pack, size_t frame,
			  uint64_t add),
	   uint64_t add)
{
	const struct pack_table *t = g->in->pack[w->pack];
	const struct pack_blob *b = &t->blob[w->blob];
	uint64_t sum = 0;
	size_t i;

	for (i = plan_frame_at(t, b->at);
	     i < t->frames && t->frame[i].raw_at < b->at + b->size; i++)
		if (plan_lacks(w, &t->frame[i], b->at))
			sum += fn(g, w->pack, i, add);
	return sum;
}

static uint64_t
turn_on(struct planning *g, size_t pack, size_t frame, uint64_t add)
{
	(void)add;
	g->p->frame[pack][frame] = true;
	return 0;
}

static uint64_t
size_if_off(struct planning *g, size_t pack, size_t frame, uint64_t add)
{
	(void)add;
	return g->p->frame[pack][frame] ? 0
					: g->in->pack[pack]->frame[frame].size;
}

static uint64_t
is_off(struct planning *g, size_t pack, size_t frame, uint64_t add)
{
	(void)add;
	return !g->p->frame[pack][frame];
}

static uint64_t
add_gain(struct planning *g, size_t pack, size_t frame, uint64_t add)
{
	if (!g->p->frame[pack][frame])
		g->gain[pack][frame] += add;
	return 0;
}

static void
take_frames(struct planning *g, struct plan_want *w)
{
	w->way = PLAN_FRAMES;
	each_frame(g, w, turn_on, 0);
}

/* ---- the choice ---- */

static void
first_choice(struct planning *g)
{
	size_t i, delta, op;

	for (i = 0; i < g->in->wants; i++) {
		struct plan_want *w = &g->in->want[i];
		const bool framed = plan_index_find(g->index, w);

		w->way = PLAN_NOWHERE;
		g->want_cost[i] = w->no_patch
					  ? NEVER
					  : cost_of(g, w->head, g->in->deltas,
						    &delta, &op);
		if (g->want_cost[i] != NEVER)
			w->way = PLAN_PATCH;
		else if (framed)
			take_frames(g, w);
		else
			g->p->nowhere++;
	}
}

/* A patched want that frames give for less takes them. */
static bool
take_cheaper(struct planning *g)
{
	bool changed = false;
	size_t i;

	for (i = 0; i < g->in->wants; i++) {
		struct plan_want *w = &g->in->want[i];

		if (w->way != PLAN_PATCH || w->pack == SIZE_MAX ||
		    each_frame(g, w, size_if_off, 0) >=
			    (uint64_t)g->want_cost[i])
			continue;
		take_frames(g, w);
		changed = true;
	}
	return changed;
}

/* A frame that saves more in patches than it costs is fetched. Of contents
 * that lack one frame only: others are judged alone. */
static bool
take_shared(struct planning *g)
{
	bool changed = false;
	size_t i, k;

	for (i = 0; i < g->in->packs; i++)
		memset(g->gain[i], 0,
		       g->in->pack[i]->frames * sizeof(*g->gain[i]));
	for (i = 0; i < g->in->wants; i++) {
		struct plan_want *w = &g->in->want[i];

		if (w->way == PLAN_PATCH && w->pack != SIZE_MAX &&
		    each_frame(g, w, is_off, 0) == 1)
			each_frame(g, w, add_gain, (uint64_t)g->want_cost[i]);
	}
	for (i = 0; i < g->in->packs; i++)
		for (k = 0; k < g->in->pack[i]->frames; k++)
			if (g->gain[i][k] > g->in->pack[i]->frame[k].size)
				g->p->frame[i][k] = changed = true;
	return changed;
}

/* ---- the list ---- */

/* What the taken patches of a delta are, and for which want. */
struct taken {
	size_t **want; /* [delta][op]: SIZE_MAX none, SIZE_MAX - 1 between */
};

static int
by_want(const void *a, const void *b)
{
	const struct plan_want *const *x = a, *const *y = b;

	return memcmp((*x)->head, (*y)->head, 12);
}

static void
list_framed(struct planning *g)
{
	size_t i;

	if (g->in->deltas == 0) /* nobody will ask */
		return;
	g->framed = base_array(g->in->wants + 1, sizeof(*g->framed));
	for (i = 0; i < g->in->wants; i++)
		if (g->in->want[i].way == PLAN_FRAMES)
			g->framed[g->frameds++] = &g->in->want[i];
	qsort(g->framed, g->frameds, sizeof(*g->framed), by_want);
}

static bool
comes_by_frames(const struct planning *g, const unsigned char head[12])
{
	struct plan_want key;
	const struct plan_want *x = &key;

	memcpy(key.head, head, sizeof(key.head));
	return bsearch(&x, g->framed, g->frameds, sizeof(*g->framed),
		       by_want) != NULL;
}

static void
take_patch(struct planning *g, struct taken *t, const unsigned char head[12],
	   size_t before, size_t want)
{
	size_t delta = 0, op = 0;
	const struct patch_op *x;

	if (cost_of(g, head, before, &delta, &op) == NEVER)
		return;
	if (t->want[delta][op] < SIZE_MAX - 1)
		return;
	if (t->want[delta][op] == SIZE_MAX - 1 && want == SIZE_MAX - 1)
		return;
	t->want[delta][op] = want;
	x = &g->in->delta[delta]->op[op];
	if (x->kind != PATCH_WHOLE &&
	    !g->in->at_hand(g->in->ctx, x->old_head, x->old_size) &&
	    !comes_by_frames(g, x->old_head))
		take_patch(g, t, x->old_head, delta, SIZE_MAX - 1);
}

/* What another choice would have been, and might yet be. */
static void
note_choice(struct planning *g, size_t delta, size_t op)
{
	const struct patch_table *t = g->in->delta[delta];
	const struct patch_op *x = &t->op[op];

	g->p->slow |= labour(g, delta, x) > 0 && !patch_plain(t, x);
	g->p->plain |= op > 0 && patch_plain(t, x - 1) == x;
}

static void
list_patches(struct planning *g, const struct taken *t)
{
	struct plan *p = g->p;
	size_t d, i, n = 0;

	for (d = 0; d < g->in->deltas; d++)
		for (i = 0; i < g->in->delta[d]->ops; i++)
			n += t->want[d][i] != SIZE_MAX;
	p->patch = base_array(n, sizeof(*p->patch));
	for (d = 0; d < g->in->deltas; d++)
		for (i = 0; i < g->in->delta[d]->ops; i++) {
			const struct patch_table *table = g->in->delta[d];

			if (t->want[d][i] == SIZE_MAX)
				continue;
			p->patch[p->patches++] = (struct plan_patch){
				d, i,
				t->want[d][i] == SIZE_MAX - 1 ? SIZE_MAX
							      : t->want[d][i]
			};
			p->wire += patch_size(table, &table->op[i]);
			note_choice(g, d, i);
		}
}

static void
make_list(struct planning *g)
{
	struct taken t = { base_array(g->in->deltas + 1, sizeof(size_t *)) };
	size_t i, k;

	list_framed(g);
	for (i = 0; i < g->in->deltas; i++) {
		t.want[i] =
			base_array(g->in->delta[i]->ops + 1, sizeof(size_t));
		memset(t.want[i], 0xff, g->in->delta[i]->ops * sizeof(size_t));
	}
	for (i = 0; i < g->in->wants; i++)
		if (g->in->want[i].way == PLAN_PATCH)
			take_patch(g, &t, g->in->want[i].head, g->in->deltas,
				   i);
	list_patches(g, &t);
	for (i = 0; i < g->in->deltas; i++)
		free(t.want[i]);
	free(t.want);
	for (i = 0; i < g->in->packs; i++)
		for (k = 0; k < g->in->pack[i]->frames; k++)
			if (g->p->frame[i][k])
				g->p->wire += g->in->pack[i]->frame[k].size;
}

/* What it is when each content comes by its first op. */
static struct work
weigh(const struct patch_table *t, bool symbols)
{
	const struct patch_piece *last = &t->piece[t->pieces - 1];
	struct work w = { .bytes = last->at + last->size };
	size_t i;

	for (i = 0; i < t->ops; i++) {
		const struct patch_op *op = &t->op[i];
		const struct patch_op *next = patch_plain(t, op);
		const bool first = i == 0 || patch_plain(t, op - 1) != op;

		/* or by its symbols, where it has some */
		if (symbols && first && next && next->kind == PATCH_SYMBOLS)
			w.bytes -= patch_size(t, op);
		else if (first || (symbols && op->kind == PATCH_SYMBOLS))
			w.ms += work_ms(op);
		else
			w.bytes -= patch_size(t, op);
	}
	return w;
}

static bool
has_few_small(const struct patch_table *t)
{
	uint64_t raw = 0;
	size_t i;

	for (i = 0; i < t->ops; i++)
		raw += is_small(&t->op[i]) && work_ms(&t->op[i]) > 0
			       ? t->op[i].new_raw
			       : 0;
	return raw <= PLAN_SYMBOLS_SPEED / 1000 * PLAN_SMALL_MS;
}

static void
begin(struct planning *g)
{
	const struct plan_in *in = g->in;
	size_t i, k;

	g->cost = base_array(in->deltas + 1, sizeof(*g->cost));
	g->gzip = base_array(in->deltas + 1, sizeof(*g->gzip));
	g->symbols = base_array(in->deltas + 1, sizeof(*g->symbols));
	g->small = base_array(in->deltas + 1, sizeof(*g->small));
	for (i = 0; i < in->deltas; i++) {
		g->cost[i] = base_array(in->delta[i]->ops + 1, sizeof(int64_t));
		for (k = 0; k < in->delta[i]->ops; k++) {
			g->cost[i][k] = UNKNOWN;
		}
		g->gzip[i] = weigh(in->delta[i], false);
		g->symbols[i] = weigh(in->delta[i], true);
		g->small[i] = has_few_small(in->delta[i]);
	}
	g->want_cost = base_array(in->wants + 1, sizeof(*g->want_cost));
	g->p->packs = in->packs;
	g->p->frame = base_array(in->packs + 1, sizeof(*g->p->frame));
	g->gain = base_array(in->packs + 1, sizeof(*g->gain));
	for (i = 0; i < in->packs; i++) {
		g->p->frame[i] =
			base_array(in->pack[i]->frames + 1, sizeof(bool));
		g->gain[i] =
			base_array(in->pack[i]->frames + 1, sizeof(uint64_t));
	}
	g->index = plan_index_new(in->pack, in->packs);
}

static void
end(struct planning *g)
{
	size_t i;

	for (i = 0; i < g->in->deltas; i++)
		free(g->cost[i]);
	for (i = 0; i < g->in->packs; i++)
		free(g->gain[i]);
	free(g->cost);
	free(g->gzip);
	free(g->symbols);
	free(g->small);
	free(g->gain);
	free(g->want_cost);
	plan_index_free(g->index);
	free(g->framed);
}

struct plan *
plan_make(const struct plan_in *in)
{
	struct plan *p = base_alloc(sizeof(*p));
	struct planning g = { .in = in, .p = p };
	int round;

	begin(&g);
	first_choice(&g);
	for (round = 0; round < ROUNDS; round++) {
		bool cheaper = take_cheaper(&g);

		if (!take_shared(&g) && !cheaper)
			break;
	}
	take_cheaper(&g);
	make_list(&g);
	end(&g);
	return p;
}

void
plan_free(struct plan *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->packs; i++)
		free(p->frame[i]);
	free(p->frame);
	free(p->patch);
	free(p);
}
