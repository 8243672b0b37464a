/* Pieces never share a byte, whoever gives back first, and what fits at all
 * gets its room when the others are gone. */
#include <stdint.h>

#include "rsyncd/ring.h"
#include "tests/test.h"

#define PIECES 24

struct held {
	unsigned char *bytes;
	size_t len;
	unsigned char mark;
};

/* Numbers that are the same in every run. */
static uint32_t
next(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Is all of it as it was written? */
static bool
is_whole(const struct held *h)
{
	size_t i, good = 0;

	for (i = 0; i < h->len; i++)
		good += h->bytes[i] == h->mark;
	return good == h->len;
}

static const struct {
	size_t size, len_max;
	bool in_order; /* is the oldest given back first? */
} rows[] = {
	{ 4096, 4096, true },  { 4096, 4096, false },  { 4096, 100, false },
	{ 10000, 3000, true }, { 10000, 3000, false }, { 64, 64, true },
	{ 1, 1, true },
};

static void
check_row(size_t row)
{
	AUTO(ring) r = ring_new(rows[row].size);
	struct held held[PIECES] = { 0 };
	size_t n = 0, turn, taken = 0, refused = 0, wrong = 0;
	uint32_t seed = 7;

	CHECK(row, ring_max(r) >= rows[row].size);
	for (turn = 0; turn < 20000; turn++) {
		struct held h = { .len = 1 + next(&seed) % rows[row].len_max,
				  .mark = (unsigned char)turn };
		size_t at;

		if (n < PIECES)
			h.bytes = ring_take(r, h.len);
		if (h.bytes) {
			memset(h.bytes, h.mark, h.len);
			held[n++] = h;
			taken++;
			continue;
		}
		refused++;
		if (n == 0) { /* it is empty and fits: no reason to refuse */
			wrong++;
			break;
		}
		at = rows[row].in_order ? 0 : next(&seed) % n;
		wrong += !is_whole(&held[at]);
		ring_give(r, held[at].bytes);
		memmove(&held[at], &held[at + 1], (--n - at) * sizeof(held[0]));
	}
	CHECK_SHOW(row, wrong == 0, "%zu of %zu", wrong, taken);
	CHECK(row, taken > 1000 && refused > 1000);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	{
		AUTO(ring) r = ring_new(1000);

		CHECK(0, !ring_take(r, ring_max(r) + 1));
		CHECK(1, !ring_take(r, SIZE_MAX));
		CHECK(2, ring_take(r, ring_max(r)));
		CHECK(3, !ring_take(r, 1));
	}
	return test_end();
}
