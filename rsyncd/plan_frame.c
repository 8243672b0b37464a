/* Where contents lie in the frames of a pack. */
#include "rsyncd/plan.h"

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
