/* A frame becomes files. What is whole in it is hashed, all together, before
 * anything is made of it; what reaches over its end is hashed in the order of
 * its bytes, each frame waiting for its turn, and is taken back when it is
 * wrong. */
#include "rsyncd/take.h"

#include "rsyncd/place.h"

static int
decode(struct take *t, int lane, struct load *load, const struct pack_frame *f,
       struct err *e)
{
	struct hands *h = &t->hand[lane];
	int bad;

	if (!h->decoder)
		h->decoder = frame_decoder_new();
	if (h->raw_room < f->raw) {
		free(h->raw);
		h->raw = base_large(f->raw);
		h->raw_room = f->raw;
	}
	bad = frame_unpack(h->decoder, load->bytes, load->len, NULL, 0, h->raw,
			   f->raw, e);
	lanes_drop(t->lanes, load);
	return bad;
}

/* What the pack says this content is, the manifest does not. */
static int
wrong_bytes(const struct job *j, size_t content, struct err *e)
{
	return err_set(e, ERR_PEER,
		       "%s: the published packs hold other bytes: the version "
		       "must be published anew",
		       contents_at(j->h.contents, content)->first->path);
}

/* ---- contents within one frame ---- */

static void
add_whole(struct hands *h, size_t content, const unsigned char *bytes)
{
	if (h->wholes == h->whole_room) {
		h->whole_room = 2 * h->whole_room + 256;
		h->whole =
			base_resize(h->whole, h->whole_room, sizeof(*h->whole));
		h->job = base_resize(h->job, h->whole_room, sizeof(*h->job));
	}
	h->whole[h->wholes++] = (struct whole){ .content = content,
						.bytes = bytes,
						.here = HOLDERS_END };
}

static int
check_wholes(const struct job *j, struct hands *h, struct err *e)
{
	size_t i;

	for (i = 0; i < h->wholes; i++) {
		struct whole *x = &h->whole[i];

		h->job[i] = (struct digest_job){
			x->bytes, contents_at(j->h.contents, x->content)->size,
			&x->got
		};
	}
	digest_many(h->job, h->wholes);
	for (i = 0; i < h->wholes; i++) {
		const struct whole *x = &h->whole[i];

		if (!digest_eq(&x->got,
			       &contents_at(j->h.contents, x->content)->hash))
			return wrong_bytes(j, x->content, e);
	}
	return 0;
}

/* The content's size is what the frame has; an entry only says its own. */
static int
place_at(struct job *j, uint32_t at, const struct whole *whole, struct err *e)
{
	const struct manifest_entry *x = &j->m->entry[at];
	const uint64_t size = contents_at(j->h.contents, whole->content)->size;
	struct place_bytes b = { whole->bytes, size, 0, x->sparse };
	int fd = place_open(j->into, x->path, e);

	if (fd < 0)
		return -1;
	if (place_write(fd, &b, x->path, e) < 0) {
		close(fd);
		return -1;
	}
	return place_close(fd, x, e);
}

static int
place_whole(struct job *j, struct whole *x, struct err *e)
{
	uint32_t at;

	while ((at = take_place(j, x->content)) != HOLDERS_END) {
		if (place_at(j, at, x, e) < 0)
			return -1;
		j->entry[at] = ENTRY_DONE;
		__atomic_add_fetch(&j->r->fetched, 1, __ATOMIC_RELAXED);
		x->here = x->here == HOLDERS_END ? at : x->here;
	}
	return 0;
}

/* Others may wait for one of these; who waits is woken once for all. */
static int
place_wholes(struct take *t, int lane, struct err *e)
{
	struct job *j = t->j;
	struct hands *h = &t->hand[lane];
	size_t i;

	if (check_wholes(j, h, e) < 0)
		return -1;
	for (i = 0; i < h->wholes; i++)
		if (place_whole(j, &h->whole[i], e) < 0)
			return -1;
	lanes_lock(t->lanes);
	for (i = 0; i < h->wholes; i++) {
		struct want *w = &j->want[h->whole[i].content];

		w->here = h->whole[i].here;
		w->state = WANT_HERE;
	}
	lanes_wake(t->lanes);
	h->wholes = 0;
	return 0;
}

/* ---- contents over several frames ---- */

/* The part of a content that a frame has. */
struct part {
	struct take *t;
	int lane;
	size_t content;
	const unsigned char *bytes;
	uint64_t at, len;
	struct coming *c;
};

static int
begin_coming(struct part *p, struct err *e)
{
	struct take *t = p->t;
	struct job *j = t->j;
	struct coming *c;
	int bad = 0;

	lanes_lock(t->lanes); /* rare enough to open a file under it */
	c = t->coming[p->content];
	if (!c) {
		c = base_alloc(sizeof(*c));
		c->entry = take_place(j, p->content);
		c->fd = place_open(j->into, j->m->entry[c->entry].path, e);
		digest_begin(&c->run);
		bad = c->fd < 0 ? -1 : 0;
		t->coming[p->content] = c;
	}
	lanes_wake(t->lanes);
	p->c = c;
	return bad;
}

static bool
is_turn(void *ctx)
{
	const struct part *p = ctx;

	return p->c->hashed == p->at;
}

static int
end_coming(struct part *p, struct err *e)
{
	struct job *j = p->t->j;
	const struct content *c = contents_at(j->h.contents, p->content);
	const struct manifest_entry *x = &j->m->entry[p->c->entry];
	struct digest d;
	int fd = p->c->fd;

	digest_end(&p->c->run, &d);
	if (!digest_eq(&d, &c->hash)) {
		place_remove(j->into, x->path, false, e);
		return wrong_bytes(j, p->content, e);
	}
	p->c->fd = -1;
	if (place_close(fd, x, e) < 0)
		return -1;
	__atomic_add_fetch(&j->r->fetched, 1, __ATOMIC_RELAXED);
	return take_here(p->t, p->lane, p->content, p->c->entry, e);
}

static int
hash_part(struct part *p, struct err *e)
{
	struct take *t = p->t;
	uint64_t size = contents_at(t->j->h.contents, p->content)->size;
	bool whole;

	if (!lanes_wait(t->lanes, is_turn, p))
		return err_set(e, ERR_SYS, "stopped");
	digest_add(&p->c->run, p->bytes, p->len);
	lanes_lock(t->lanes);
	p->c->hashed += p->len;
	whole = p->c->hashed == size;
	lanes_wake(t->lanes);
	return whole ? end_coming(p, e) : 0;
}

static int
count_part(struct part *p, struct err *e)
{
	struct take *t = p->t;
	bool whole;

	lanes_lock(t->lanes);
	p->c->left -= p->len;
	whole = p->c->left == 0;
	lanes_wake(t->lanes);
	return whole ? mend_finish(t, p->lane, p->content, e) : 0;
}

static int
place_part(struct part *p, struct err *e)
{
	const struct manifest_entry *x;
	struct place_bytes b = { p->bytes, p->len, p->at, false };

	if (begin_coming(p, e) < 0)
		return -1;
	x = &p->t->j->m->entry[p->c->entry];
	b.sparse = x->sparse;
	if (place_write(p->c->fd, &b, x->path, e) < 0)
		return -1;
	return p->c->by_reading ? count_part(p, e) : hash_part(p, e);
}

/* ---- the frame ---- */

struct unpacking {
	struct take *t;
	int lane;
	size_t pack;
	const struct pack_table *table;
	const struct pack_frame *f;
};

/* The content of a blob, when this is where it is to come from. */
static bool
is_taken(const struct unpacking *u, size_t blob, size_t *content)
{
	const struct pack_blob *b = &u->table->blob[blob];
	const struct content *c = contents_short(u->t->j->h.contents, b->head);
	const struct plan_want *w;

	if (!c || c->size != b->size || u->t->want_of[c->at] == SIZE_MAX)
		return false;
	w = &u->t->want[u->t->want_of[c->at]];
	if (w->way != PLAN_FRAMES || w->pack != u->pack || w->blob != blob ||
	    !plan_lacks(w, u->f, b->at))
		return false;
	*content = c->at;
	return true;
}

static int
take_blob(const struct unpacking *u, size_t blob, struct err *e)
{
	const struct pack_blob *b = &u->table->blob[blob];
	const unsigned char *raw = u->t->hand[u->lane].raw;
	struct part p = { .t = u->t, .lane = u->lane };
	uint64_t from, to;

	if (!is_taken(u, blob, &p.content))
		return 0;
	plan_overlap(u->f, b->at, b->size, &from, &to);
	if (to - from == b->size) {
		add_whole(&u->t->hand[u->lane], p.content, raw + from);
		return 0;
	}
	p.bytes = raw + from;
	p.at = u->f->raw_at + from - b->at;
	p.len = to - from;
	return place_part(&p, e);
}

static size_t
first_blob(const struct pack_table *t, uint64_t at)
{
	size_t low = 0, high = t->blobs;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->blob[mid].at + t->blob[mid].size <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int
take_frame(struct take *t, int lane, struct load *load, struct err *e)
{
	struct unpacking u = { .t = t,
			       .lane = lane,
			       .pack = t->frame[load->job].pack };
	size_t i;

	u.table = t->j->pack[u.pack];
	u.f = &u.table->frame[t->frame[load->job].frame];
	if (decode(t, lane, load, u.f, e) < 0)
		return err_add(e, "%s", t->j->seal->full[u.pack].path);
	for (i = first_blob(u.table, u.f->raw_at);
	     i < u.table->blobs && u.table->blob[i].at < u.f->raw_at + u.f->raw;
	     i++)
		if (take_blob(&u, i, e) < 0)
			return -1;
	return place_wholes(t, lane, e);
}
