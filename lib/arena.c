/* A chain of blocks, each filled from its front. A thing that is larger than
 * what a block has left opens the next one, which has room for it. */
#include <stdalign.h>

#include "lib/arena.h"

#define BLOCK_MIN ((size_t)16 << 10)
#define BLOCK_MAX ((size_t)1 << 20)

struct block {
	struct block *before;
	size_t used, size;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct block *last;
};

struct arena *
arena_new(void)
{
	return base_alloc(sizeof(struct arena));
}

/* Blocks grow with the arena: small ones cost little, large ones few calls. */
static void
open_block(struct arena *a, size_t len)
{
	size_t size = a->last ? a->last->size * 2 : BLOCK_MIN;
	struct block *b;

	if (size > BLOCK_MAX)
		size = BLOCK_MAX;
	if (size < len)
		size = len;
	b = base_alloc(sizeof(*b) + size);
	b->size = size;
	b->before = a->last;
	a->last = b;
}

static char *
take(struct arena *a, size_t len, size_t align)
{
	size_t skip = a->last ? -a->last->used % align : 0;
	char *at;

	if (!a->last || len + skip > a->last->size - a->last->used) {
		open_block(a, len);
		skip = 0;
	}
	at = a->last->bytes + a->last->used + skip;
	a->last->used += skip + len;
	return at;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	size_t len;

	if (__builtin_mul_overflow(count, size, &len) || len > SIZE_MAX / 4)
		abort();
	return take(a, len, alignof(max_align_t));
}

char *
arena_copy(struct arena *a, const void *bytes, size_t len)
{
	char *at = take(a, len + 1, 1);

	memcpy(at, bytes, len); /* the NUL is there: blocks are zeroed */
	return at;
}

static void
drop(struct block *b)
{
	struct block *before;

	for (; b; b = before) {
		before = b->before;
		free(b);
	}
}

void
arena_reset(struct arena *a)
{
	struct block *b = a->last;

	if (!b)
		return;
	drop(b->before);
	b->before = NULL;
	memset(b->bytes, 0, b->used);
	b->used = 0;
}

void
arena_free(struct arena *a)
{
	if (a)
		drop(a->last);
	free(a);
}
