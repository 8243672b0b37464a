/* Where contents lie in the frames of a pack. */
#include "rsyncd/plan.h"

#include <string.h>

#include "lib/base.h"

/* ---- which pack ---- */

/* Open addressing over the begin of short hashes, which are spread well by
 * themselves. Of equal ones, what went in first is met first. */
struct spot {
	const struct pack_blob *b; /* NULL: free */
	uint32_t pack, blob;
};

struct plan_index {
	struct spot *spot;
	size_t mask;
};

static size_t
first_slot(const struct plan_index *x, const unsigned char head[12])
{
	uint64_t n;

	memcpy(&n, head, sizeof(n));
	return (size_t)n & x->mask;
}

static void
add(struct plan_index *x, const struct pack_table *t, size_t pack, size_t blob)
{
	const struct pack_blob *b = &t->blob[blob];
	size_t at = first_slot(x, b->head);

	while (x->spot[at].b)
		at = (at + 1) & x->mask;
	x->spot[at] = (struct spot){ b, (uint32_t)pack, (uint32_t)blob };
}

struct plan_index *
plan_index_new(const struct pack_table *const *pack, size_t packs)
{
	struct plan_index *x = base_alloc(sizeof(*x));
	size_t i, k, n = 0;

	for (i = 0; i < packs; i++)
		n += pack[i]->blobs;
	for (x->mask = 15; x->mask < 2 * n; x->mask = 2 * x->mask + 1)
		;
	x->spot = base_array(x->mask + 1, sizeof(*x->spot));
	for (i = 0; i < packs; i++)
		for (k = 0; k < pack[i]->blobs; k++)
			add(x, pack[i], i, k);
	return x;
}

bool
plan_index_find(const struct plan_index *x, struct plan_want *w)
{
	size_t at = first_slot(x, w->head);

	for (; x->spot[at].b; at = (at + 1) & x->mask) {
		const struct spot *s = &x->spot[at];

		if (s->b->size != w->size ||
		    memcmp(s->b->head, w->head, sizeof(w->head)) != 0)
			continue;
		w->pack = s->pack;
		w->blob = s->blob;
		return true;
	}
	w->pack = w->blob = SIZE_MAX;
	return false;
}

void
plan_index_free(struct plan_index *x)
{
	if (!x)
		return;
	free(x->spot);
	free(x);
}

/* ---- where in it ---- */

size_t
plan_frame_at(const struct pack_table *t, uint64_t at)
{
	size_t low = 0, high = t->frames;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (t->frame[mid].raw_at + t->frame[mid].raw <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void
plan_overlap(const struct pack_frame *f, uint64_t at, uint64_t size,
	     uint64_t *from, uint64_t *to)
{
	uint64_t end = f->raw_at + f->raw;

	*from = at > f->raw_at ? at : f->raw_at;
	*to = at + size < end ? at + size : end;
	*from -= f->raw_at;
	*to -= f->raw_at;
}

bool
plan_lacks(const struct plan_want *w, const struct pack_frame *f,
	   uint64_t blob_at)
{
	uint64_t from, to;
	size_t i;

	plan_overlap(f, blob_at, w->size, &from, &to);
	from += f->raw_at - blob_at; /* now offsets in the content */
	to += f->raw_at - blob_at;
	for (i = 0; i < w->parts && from < to; i++) {
		const struct plan_part *p = &w->part[i];

		if (p->at <= from && from < p->at + p->len)
			from = p->at + p->len;
	}
	return from < to;
}
