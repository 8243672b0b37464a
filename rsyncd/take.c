/* The wire's side: frames and pieces in the order of their files, to workers
 * with a bounded queue between. Frames come first, then patches, in the order
 * of the plan: whatever a patch stands on has begun before it. Those of a delta
 * that stands alone come in turns, so that neither wire nor workers wait for
 * each other. */
#include "rsyncd/take.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/beneath.h"
#include "rsyncd/fetch.h"
#include "rsyncd/place.h"

/* Compressed bytes that wait or are decoded: at most four frames of the usual
 * kind, and never less than one of the largest. */
#define BUDGET (20UL << 20)
/* More, where a worker has a large gzip file to make again: the room behind its
 * pieces is free only when it has ended, and the wire goes on meanwhile. */
#define BUDGET_GZIP (20UL << 20)
#define LONG_MIN (8UL << 20)
#define HEAVY_SHARE 4 /* of its result, a patch */
#define HEAVY_MIN                                                              \
	(512UL << 10) /* what lies between two ranges may come twice */

static int
work(void *ctx, int lane, struct load *load, struct err *e)
{
	struct take *t = ctx;

	if (aside_folders(t->j, e) < 0)
		return -1;
	if (load->job < t->frames)
		return take_frame(t, lane, load, e);
	return take_is_small(t, lane, load) ? take_small(t, lane, load, e)
					    : take_patch(t, lane, load, e);
}

static int
tick(void *ctx, struct err *e)
{
	struct take *t = ctx;

	return stage_tick(t->j, e);
}

/* ---- both workers ---- */

uint32_t
take_place(const struct job *j, size_t content)
{
	uint32_t at = j->h.first[content];

	while (at != HOLDERS_END && j->entry[at] != ENTRY_ABSENT)
		at = j->h.next[at];
	return at;
}

static int
copy_to(struct take *t, int lane, uint32_t from, uint32_t to, struct err *e)
{
	struct job *j = t->j;
	const struct manifest_entry *x = &j->m->entry[from];
	AUTO_CLOSE int fd = open_beneath(j->into, x->path, O_RDONLY, 0);
	struct place_from f = { fd, true, false, j->room[lane] };
	struct digest d;

	if (fd < 0)
		return err_sys(e, "%s", x->path);
	if (place_copy(j->into, &j->m->entry[to], &f, &d, e) < 0)
		return -1;
	return digest_eq(&d, &x->hash)
		       ? 0
		       : err_set(e, ERR_SYS, "%s: it changed meanwhile",
				 x->path);
}

int
take_here(struct take *t, int lane, size_t content, uint32_t entry,
	  struct err *e)
{
	struct job *j = t->j;
	uint32_t at;

	j->entry[entry] = ENTRY_DONE;
	while ((at = take_place(j, content)) != HOLDERS_END) {
		if (copy_to(t, lane, entry, at, e) < 0)
			return -1;
		j->entry[at] = ENTRY_DONE;
		__atomic_add_fetch(&j->r->copied, 1, __ATOMIC_RELAXED);
	}
	lanes_lock(t->lanes);
	j->want[content].here = entry;
	j->want[content].state = WANT_HERE;
	lanes_wake(t->lanes);
	return 0;
}

/* ---- giving ---- */

static int
give(void *ctx, size_t i, unsigned char *bytes, struct err *e)
{
	struct take *t = ctx;
	const struct plan_patch *p;
	struct load load = { .bytes = bytes, .last = true };

	if (!t->piece_patch) {
		const struct pack_frame *f;

		load.job = t->first_job + i;
		f = &t->j->pack[t->frame[load.job].pack]
			     ->frame[t->frame[load.job].frame];
		load.len = f->size;
	} else {
		const struct patch_table *table;
		size_t n = t->piece_patch[i];

		p = &t->p->patch[n];
		table = t->j->route.table[p->delta];
		load.job = t->frames + n;
		load.part = t->next_job++;
		load.last = load.part + 1 == table->op[p->op].pieces;
		if (load.last)
			t->next_job = 0;
		load.len =
			table->piece[table->op[p->op].piece + load.part].size;
	}
	stage_add(t->j, load.len);
	return lanes_give(t->lanes, &load, e);
}

static unsigned char *
room(void *ctx, size_t size, struct err *e)
{
	struct take *t = ctx;

	return lanes_room(t->lanes, size, e);
}

static void
unroom(void *ctx, unsigned char *bytes)
{
	struct take *t = ctx;

	lanes_unroom(t->lanes, bytes);
}

static int
give_frames(struct take *t, size_t pack, struct err *e)
{
	struct job *j = t->j;
	const struct pack_table *table = j->pack[pack];
	AUTO_FREE struct fetch_piece *piece =
		base_array(table->frames + 1, sizeof(*piece));
	struct fetch_list list = { .path = j->seal->full[pack].path,
				   .piece = piece,
				   .hold = BUDGET,
				   .give = give,
				   .room = room,
				   .unroom = unroom,
				   .ctx = t };
	size_t i;

	t->first_job = SIZE_MAX;
	t->piece_patch = NULL;
	for (i = 0; i < t->frames; i++) {
		const struct pack_frame *f = &table->frame[t->frame[i].frame];

		if (t->frame[i].pack != pack)
			continue;
		if (t->first_job == SIZE_MAX)
			t->first_job = i;
		piece[list.n++] =
			(struct fetch_piece){ f->at, f->size, &f->hash };
	}
	return fetch_pieces(j->src, &list, e);
}

/* What one worker has long to do comes first, what is nearly as large as its
 * result in the middle: the wire works on it while the workers have others. */
enum turn { TURN_LONG, TURN_FIRST, TURN_HEAVY, TURN_REST, TURNS };

/* Is it a gzip file, which a worker has long with? */
static bool
is_made_again(const struct patch_op *op)
{
	return op->kind == PATCH_GZIP || op->kind == PATCH_SYMBOLS;
}

static bool
is_heavy(const struct patch_table *table, const struct patch_op *op)
{
	return !is_made_again(op) && patch_size(table, op) > HEAVY_MIN &&
	       patch_size(table, op) > op->new_size / HEAVY_SHARE;
}

/* In a chain, what a patch stands on must have begun before it. */
static void
choose_turns(struct take *t)
{
	const struct patch_table *table;
	uint64_t sum = 0;
	size_t i;

	t->turn = base_array(t->p->patches + 1, sizeof(*t->turn));
	if (t->j->route.len != 1)
		return;
	table = t->j->route.table[0];
	for (i = 0; i < t->p->patches; i++)
		t->makes += table->op[t->p->patch[i].op].new_size;
	for (i = 0; i < t->p->patches; i++) {
		const struct patch_op *op = &table->op[t->p->patch[i].op];

		t->turn[i] = is_heavy(table, op)       ? TURN_HEAVY
			     : op->new_size > LONG_MIN ? TURN_LONG
			     : sum < t->makes / 2      ? TURN_FIRST
						       : TURN_REST;
		sum += op->new_size;
	}
}

/* A piece cannot be had: no patch of this list that has not been given is made,
 * and their contents come from frames in the next round. One that was begun is
 * told by a load without bytes. */
static int
leave_delta(struct take *t, size_t delta, enum turn turn, size_t damaged,
	    struct err *e)
{
	const bool begun = t->next_job > 0;
	struct load load = { .job = t->frames + damaged,
			     .part = 1,
			     .last = true };
	size_t i;

	lanes_lock(t->lanes);
	for (i = damaged + begun; i < t->p->patches; i++) {
		const struct plan_patch *p = &t->p->patch[i];

		if (p->delta != delta || t->turn[i] != turn)
			continue;
		t->patch[i] = PATCH_FAILED;
		if (p->want != SIZE_MAX)
			t->j->want[t->content[p->want]].no_patch = true;
	}
	lanes_wake(t->lanes);
	t->next_job = 0;
	return begun ? lanes_give(t->lanes, &load, e) : 0;
}

static int
give_turn(struct take *t, size_t delta, enum turn turn, struct err *e)
{
	struct job *j = t->j;
	const struct patch_table *table = j->route.table[delta];
	AUTO_FREE struct fetch_piece *piece =
		base_array(table->pieces + 1, sizeof(*piece));
	AUTO_FREE size_t *of = base_array(table->pieces + 1, sizeof(*of));
	size_t i, k, damaged;
	struct fetch_list list = { .path = j->route.file[delta].path,
				   .piece = piece,
				   .hold = BUDGET,
				   .give = give,
				   .room = room,
				   .unroom = unroom,
				   .ctx = t,
				   .damaged = &damaged };

	for (i = 0; i < t->p->patches; i++) {
		const struct plan_patch *p = &t->p->patch[i];
		const struct patch_op *op;

		if (p->delta != delta || t->turn[i] != turn)
			continue;
		op = &table->op[p->op];
		for (k = 0; k < op->pieces; k++) {
			const struct patch_piece *x =
				&table->piece[op->piece + k];

			of[list.n] = i;
			piece[list.n++] = (struct fetch_piece){ x->at, x->size,
								&x->hash };
		}
	}
	t->piece_patch = of;
	t->next_job = 0;
	if (fetch_pieces(j->src, &list, e) == 0)
		return 0;
	if (damaged == SIZE_MAX)
		return -1;
	*e = (struct err){ 0 };
	return leave_delta(t, delta, turn, of[damaged], e);
}

static int
give_patches(struct take *t, size_t delta, struct err *e)
{
	enum turn turn;

	for (turn = 0; turn < TURNS; turn++)
		if (give_turn(t, delta, turn, e) < 0)
			return -1;
	return 0;
}

static int
give_all(struct take *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->j->packs; i++)
		if (give_frames(t, i, e) < 0)
			return -1;
	for (i = 0; i < t->j->route.len; i++)
		if (give_patches(t, i, e) < 0)
			return -1;
	return lanes_end(t->lanes, e) < 0 ? -1 : take_small_end(t, e);
}

/* ---- begin and end ---- */

static void
list_frames(struct take *t)
{
	size_t i, k, n = 0;

	for (i = 0; i < t->j->packs; i++)
		n += t->j->pack[i]->frames;
	t->frame = base_array(n + 1, sizeof(*t->frame));
	for (i = 0; i < t->p->packs; i++)
		for (k = 0; k < t->j->pack[i]->frames; k++)
			if (t->p->frame[i][k]) {
				t->frame[t->frames].pack = (uint32_t)i;
				t->frame[t->frames++].frame = (uint32_t)k;
			}
}

static void
begin(struct take *t, size_t wants)
{
	size_t i, n = contents_len(t->j->h.contents);

	t->want_of = base_array(n + 1, sizeof(*t->want_of));
	memset(t->want_of, 0xff, n * sizeof(*t->want_of));
	for (i = 0; i < wants; i++)
		t->want_of[t->content[i]] = i;
	t->coming = base_array(n + 1, sizeof(struct coming *));
	t->patch = base_array(t->p->patches + 1, sizeof(*t->patch));
	list_frames(t);
	choose_turns(t);
}

static void
end(struct take *t)
{
	size_t i, n = contents_len(t->j->h.contents);

	lanes_free(t->lanes); /* before what its workers use */
	for (i = 0; i < LANES_MAX; i++) {
		frame_decoder_free(t->hand[i].decoder);
		free(t->hand[i].raw);
		free(t->hand[i].whole);
		free(t->hand[i].job);
		patching_free(t->hand[i].patching);
		batch_free(t->hand[i].batch);
		patch_room_free(t->hand[i].room);
	}
	for (i = 0; i < n; i++) {
		if (t->coming[i] && t->coming[i]->fd >= 0)
			close(t->coming[i]->fd);
		free(t->coming[i]);
	}
	free(t->coming);
	free(t->want_of);
	free(t->patch);
	free(t->turn);
	free(t->frame);
}

static size_t
budget_of(const struct job *j, const struct plan *p)
{
	size_t i;

	for (i = 0; i < p->patches; i++) {
		const struct plan_patch *x = &p->patch[i];
		const struct patch_op *op =
			&j->route.table[x->delta]->op[x->op];

		if (is_made_again(op) && op->new_size > LONG_MIN)
			return BUDGET + BUDGET_GZIP;
	}
	return BUDGET;
}

int
take_planned(struct job *j, const struct take_plan *what, struct err *e)
{
	struct take t = { .j = j,
			  .p = what->plan,
			  .want = what->want,
			  .content = what->content };
	struct lanes_opts o = { .threads = j->threads,
				.budget = budget_of(j, what->plan),
				.work = work,
				.tick = tick,
				.ctx = &t };
	int bad = 0;

	begin(&t, what->wants);
	stage_begin(j, "fetch", what->plan->wire);
	t.lanes = lanes_new(&o);
	if (what->mending && what->mending->found > 0)
		bad = aside_folders(j, e) < 0
			      ? -1
			      : mend_begin(&t, what->mending, e);
	if (bad == 0)
		bad = give_all(&t, e);
	end(&t);
	stage_end(j);
	return bad;
}
