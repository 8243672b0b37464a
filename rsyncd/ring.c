/* What is taken lies between `first` and `end`, or from `first` to the top and
 * from the bottom to `end`. Each piece has its size before it; pieces that are
 * given back out of order wait for those before them. */
#include "rsyncd/ring.h"

#include <assert.h>
#include <stdint.h>

#define ALIGN 64

struct piece {
	struct piece *next; /* the one that was taken after it */
	size_t size;        /* with this */
	bool given_back;
};
#define HEAD ALIGN
_Static_assert(sizeof(struct piece) <= HEAD, "before the bytes");

struct ring {
	unsigned char *room;
	size_t size;
	size_t end; /* where the next piece begins */
	struct piece *first, *last;
};

struct ring *
ring_new(size_t size)
{
	struct ring *r = base_alloc(sizeof(*r));

	r->size = HEAD + (size + ALIGN - 1) / ALIGN * ALIGN;
	r->room = base_large(r->size);
	return r;
}

void
ring_free(struct ring *r)
{
	if (!r)
		return;
	free(r->room);
	free(r);
}

size_t
ring_max(const struct ring *r)
{
	return r->size - HEAD;
}

static struct piece *
piece_at(struct ring *r, size_t at)
{
	return (void *)(r->room + at);
}

/* Where `size` bytes fit, or SIZE_MAX. */
static size_t
find_place(const struct ring *r, size_t size)
{
	size_t first;

	if (!r->first)
		return size <= r->size ? 0 : SIZE_MAX;
	first = (size_t)((unsigned char *)r->first - r->room);
	if (r->end <= first) /* it went round */
		return size <= first - r->end ? r->end : SIZE_MAX;
	if (size <= r->size - r->end)
		return r->end;
	return size <= first ? 0 : SIZE_MAX;
}

unsigned char *
ring_take(struct ring *r, size_t len)
{
	size_t size, at;
	struct piece *p;

	if (len > ring_max(r))
		return NULL;
	size = HEAD + (len + ALIGN - 1) / ALIGN * ALIGN;
	at = find_place(r, size);
	if (at == SIZE_MAX)
		return NULL;
	p = piece_at(r, at);
	*p = (struct piece){ .size = size };
	if (r->first)
		r->last->next = p;
	else
		r->first = p;
	r->last = p;
	r->end = at + size;
	return (unsigned char *)p + HEAD;
}

void
ring_give(struct ring *r, unsigned char *bytes)
{
	struct piece *p = (void *)(bytes - HEAD);

	assert(!p->given_back);
	p->given_back = true;
	while (r->first && r->first->given_back)
		r->first = r->first->next;
}
