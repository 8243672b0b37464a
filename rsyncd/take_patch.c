/* A patch becomes a content, piece by piece, in one lane. A patch that does not
 * give what it should is no failure of the pull: its content comes from frames
 * in the next round, and so does whatever stood on it. */
#include "rsyncd/take.h"

#include <fcntl.h>

#include "rsyncd/place.h"

/* Memory of all patches in work: one of the largest, or several small ones. */
#define GATE (66UL << 20)

/* One patch in work. */
struct patching {
	struct take *t;
	int lane;
	size_t number;
	const struct plan_patch *p;
	const struct patch_table *table;
	const struct patch_op *op;
	struct patch_take *take;
	bool broken;       /* given up: its other pieces are thrown away */
	size_t need, gate; /* bytes of memory: asked for, granted */
	int base_fd, out_fd;
	uint32_t entry; /* what it makes; HOLDERS_END: a base for another */
	struct digest_run run;
	uint64_t done;
};

void
patching_free(struct patching *x)
{
	if (!x)
		return;
	patch_take_free(x->take);
	if (x->base_fd >= 0)
		close(x->base_fd);
	if (x->out_fd >= 0)
		close(x->out_fd);
	free(x);
}

/* ---- waiting ---- */

static int
by_place(const void *a, const void *b)
{
	const struct plan_patch *x = a, *y = b;

	if (x->delta != y->delta)
		return x->delta < y->delta ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

/* The patch of an earlier delta that makes what this one stands on. */
static size_t
maker_of(const struct patching *x)
{
	const struct plan *p = x->t->p;
	size_t d;

	for (d = x->p->delta; d-- > 0;) {
		const struct patch_table *t = x->t->j->route.table[d];
		const struct patch_op *op = patch_find(t, x->op->old_head);

		for (; op; op = patch_plain(t, op)) {
			const struct plan_patch key = {
				.delta = d, .op = (size_t)(op - t->op)
			};
			const struct plan_patch *found =
				bsearch(&key, p->patch, p->patches, sizeof(key),
					by_place);

			if (found)
				return (size_t)(found - p->patch);
		}
	}
	return SIZE_MAX;
}

/* Under the lanes' lock: what it stands on is there, or will never be. */
static bool
base_is_there(void *ctx)
{
	const struct patching *x = ctx;
	struct job *j = x->t->j;
	const struct content *c;
	size_t i;

	if (x->op->kind == PATCH_WHOLE ||
	    base_at_hand(j, x->op->old_head, x->op->old_size))
		return true;
	i = maker_of(x);
	if (i != SIZE_MAX)
		return x->t->patch[i] != PATCH_OPEN;
	c = contents_short(j->h.contents, x->op->old_head);
	if (!c || x->t->want_of[c->at] == SIZE_MAX)
		return true;
	return x->t->want[x->t->want_of[c->at]].way != PLAN_FRAMES ||
	       (x->t->coming[c->at] && x->t->coming[c->at]->failed);
}

static bool
pass_gate(void *ctx)
{
	struct patching *x = ctx;
	struct take *t = x->t;

	if (t->gate_used > 0 && t->gate_used + x->need > GATE)
		return false;
	t->gate_used += x->need;
	x->gate = x->need;
	return true;
}

static size_t
memory_of(const struct patching *x)
{
	size_t i, most = 0;

	for (i = 0; i < x->op->pieces; i++) {
		const struct patch_piece *p =
			&x->table->piece[x->op->piece + i];
		size_t n = (size_t)p->raw + p->base_len;

		most = n > most ? n : most;
	}
	return most;
}

/* ---- the result ---- */

static int
sink(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct patching *x = ctx;
	struct job *j = x->t->j;
	const struct manifest_entry *entry =
		x->entry == HOLDERS_END ? NULL : &j->m->entry[x->entry];
	struct place_bytes b = { bytes, len, x->done, entry && entry->sparse };

	if (len > x->op->new_size - x->done)
		return err_set(e, ERR_INPUT, "a patch gives too much");
	digest_add(&x->run, bytes, len);
	x->done += len;
	return place_write(x->out_fd, &b, entry ? entry->path : JOB_WORK, e);
}

static int
open_result(struct patching *x, struct err *e)
{
	struct job *j = x->t->j;
	char name[32];

	x->entry = x->p->want == SIZE_MAX
			   ? HOLDERS_END
			   : take_place(j, x->t->content[x->p->want]);
	base_temp_name(x->op->new_head, name);
	x->out_fd =
		x->entry == HOLDERS_END
			? place_open(j->work, name, e)
			: place_open(j->into, j->m->entry[x->entry].path, e);
	digest_begin(&x->run);
	x->done = 0;
	return x->out_fd < 0 ? -1 : 0;
}

void
take_patch_ends(struct take *t, size_t number, bool made)
{
	const struct plan_patch *p = &t->p->patch[number];
	const struct patch_op *op = &t->j->route.table[p->delta]->op[p->op];

	t->patch[number] = made ? PATCH_MADE : PATCH_FAILED;
	if (!made && op->kind != PATCH_WHOLE)
		base_doubt(t->j, op->old_head);
	if (!made && p->want != SIZE_MAX)
		t->j->want[t->content[p->want]].no_patch = true;
}

static void
tell_state(struct patching *x, enum patch_state state)
{
	struct take *t = x->t;

	lanes_lock(t->lanes);
	t->gate_used -= x->gate;
	x->gate = 0;
	take_patch_ends(t, x->number, state == PATCH_MADE);
	lanes_wake(t->lanes);
}

static void
put_down(struct patching *x)
{
	patch_take_free(STEAL(x->take));
	if (x->base_fd >= 0)
		close(x->base_fd);
	if (x->out_fd >= 0)
		close(x->out_fd);
	x->base_fd = x->out_fd = -1;
}

/* It gives nothing that can be used: away with what is made of it. */
static int
give_up(struct patching *x, struct err *e)
{
	struct job *j = x->t->j;

	x->broken = true;
	if (x->out_fd >= 0 && x->entry != HOLDERS_END &&
	    place_remove(j->into, j->m->entry[x->entry].path, false, e) < 0)
		return -1;
	put_down(x);
	tell_state(x, PATCH_FAILED);
	return 0;
}

/* Is it right? 1, 0, -1. */
static int
close_result(struct patching *x, struct err *e)
{
	struct job *j = x->t->j;
	struct digest d;
	int fd = x->out_fd;

	digest_end(&x->run, &d);
	if (x->done != x->op->new_size || memcmp(d.b, x->op->new_head, 12) != 0)
		return 0;
	if (x->entry == HOLDERS_END)
		return 1;
	if (!digest_eq(&d, &j->m->entry[x->entry].hash))
		return 0;
	x->out_fd = -1;
	return place_close(fd, &j->m->entry[x->entry], e) < 0 ? -1 : 1;
}

/* ---- work ---- */

/* 0: the patch goes on or is given up; -1: the pull cannot. */
static int
judge(struct patching *x, int bad, struct err *e)
{
	if (bad == 0)
		return 0;
	if (e->kind != ERR_INPUT)
		return -1;
	*e = (struct err){ 0 };
	return give_up(x, e);
}

static int
begin_patch(struct patching *x, struct err *e)
{
	struct take *t = x->t;
	struct hands *hand = &t->hand[x->lane];
	struct patch_take_opts o = { .table = x->table,
				     .op = x->op,
				     .base_fd = -1,
				     .tmp_dirfd = t->j->work,
				     .checked = true, /* by fetch.c */
				     .sink = sink,
				     .ctx = x };

	x->need = memory_of(x);
	if (!lanes_wait(t->lanes, base_is_there, x) ||
	    !lanes_wait(t->lanes, pass_gate, x))
		return err_set(e, ERR_SYS, "stopped");
	if (x->op->kind != PATCH_WHOLE) {
		x->base_fd =
			base_content(t->j, x->op->old_head, x->op->old_size, e);
		if (x->base_fd < 0)
			return -1;
	}
	o.base_fd = x->base_fd;
	if (open_result(x, e) < 0)
		return -1;
	if (!hand->room)
		hand->room = patch_room_new();
	o.room = hand->room;
	return patch_take_open(&x->take, &o, e);
}

static int
end_patch(struct patching *x, struct err *e)
{
	int right;

	if (patch_take_end(x->take, e) < 0)
		return judge(x, -1, e);
	right = close_result(x, e);
	if (right < 0)
		return -1;
	if (right == 0)
		return give_up(x, e);
	put_down(x);
	if (x->entry != HOLDERS_END &&
	    take_here(x->t, x->lane, x->t->content[x->p->want], x->entry, e) <
		    0)
		return -1;
	if (x->entry != HOLDERS_END)
		__atomic_add_fetch(&x->t->j->r->patched, 1, __ATOMIC_RELAXED);
	tell_state(x, PATCH_MADE);
	return 0;
}

static struct patching *
pick_up(struct take *t, int lane, size_t number)
{
	struct patching *x = base_alloc(sizeof(*x));

	x->t = t;
	x->lane = lane;
	x->number = number;
	x->p = &t->p->patch[number];
	x->table = t->j->route.table[x->p->delta];
	x->op = &x->table->op[x->p->op];
	x->base_fd = x->out_fd = -1;
	return x;
}

int
take_patch(struct take *t, int lane, struct load *load, struct err *e)
{
	struct patching **mine = &t->hand[lane].patching;

	if (load->part == 0) {
		patching_free(*mine);
		*mine = pick_up(t, lane, load->job - t->frames);
		if (judge(*mine, begin_patch(*mine, e), e) < 0)
			return -1;
	}
	if ((*mine)->broken)
		return 0;
	if (!load->bytes) /* the rest of it cannot be had */
		return give_up(*mine, e);
	if (judge(*mine,
		  patch_take_piece((*mine)->take, load->bytes, load->len, e),
		  e) < 0)
		return -1;
	return load->last && !(*mine)->broken ? end_patch(*mine, e) : 0;
}
