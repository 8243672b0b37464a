/* A frame becomes files. What is whole in it is hashed before anything is made
 * of it; what reaches over its end is hashed in the order of its bytes, each
 * frame waiting for its turn, and is taken back when it is wrong. */
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
		h->raw = base_alloc(f->raw);
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

static int
place_whole(struct take *t, size_t content, const unsigned char *bytes,
	    struct err *e)
{
	struct job *j = t->j;
	const struct content *c = contents_at(j->h.contents, content);
	struct digest d;
	uint32_t at, first = HOLDERS_END;

	digest_of(bytes, c->size, &d);
	if (!digest_eq(&d, &c->hash))
		return wrong_bytes(j, content, e);
	while ((at = take_place(j, content)) != HOLDERS_END) {
		const struct manifest_entry *x = &j->m->entry[at];
		struct place_bytes b = { bytes, c->size, 0, x->sparse };
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
		__atomic_add_fetch(&j->r->fetched, 1, __ATOMIC_RELAXED);
		first = first == HOLDERS_END ? at : first;
	}
	lanes_lock(t->lanes);
	j->want[content].here = first;
	j->want[content].state = WANT_HERE;
	lanes_wake(t->lanes);
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
	if (to - from == b->size)
		return place_whole(u->t, p.content, raw + from, e);
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
	size_t first, i;

	u.table = t->j->pack[u.pack];
	u.f = &u.table->frame[t->frame[load->job].frame];
	if (decode(t, lane, load, u.f, e) < 0)
		return err_add(e, "%s", t->j->seal->full[u.pack].path);
	first = first_blob(u.table, u.f->raw_at);
	/* the first one may have to wait for the frame before: last */
	for (i = first + 1;
	     i < u.table->blobs && u.table->blob[i].at < u.f->raw_at + u.f->raw;
	     i++)
		if (take_blob(&u, i, e) < 0)
			return -1;
	return first < u.table->blobs ? take_blob(&u, first, e) : 0;
}
