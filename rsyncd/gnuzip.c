/* gzip's search for matches: chains of positions with the same hash of three
 * bytes, in a window of 64 KiB of which 32 KiB may be looked back on; and a
 * match is taken only when the next position has no longer one. Whatever looks
 * odd here (a hash of 15 bits, bytes behind the end that matches may run into)
 * is so because gzip's result depends on it. */
#include <assert.h>
#include <endian.h>

#include "lib/base.h"

#include "rsyncd/gnuzip.h"
#include "rsyncd/gnuzip_block.h"

#define HALF 32768U
#define WINDOW (2 * HALF)
#define MIN_MATCH 3U
#define MAX_MATCH 258U
#define LOOKAHEAD (MAX_MATCH + MIN_MATCH + 1)
#define MAX_DISTANCE (HALF - LOOKAHEAD)
#define HASHES 32768U
#define TOO_FAR 4096U /* for a match of three bytes */

static const struct effort {
	unsigned good, lazy, nice, chain;
} efforts[] = {
	[4] = { 4, 4, 16, 16 },       [5] = { 8, 16, 32, 32 },
	[6] = { 8, 16, 128, 128 },    [7] = { 8, 32, 128, 256 },
	[8] = { 32, 128, 258, 1024 }, [9] = { 32, 258, 258, 4096 },
};

struct gnuzip {
	struct effort effort;
	unsigned char window[WINDOW + 8];
	uint16_t head[HASHES], prev[HALF]; /* positions; 0: none */
	unsigned hash;
	unsigned at, ahead;  /* in the window: position, bytes from there on */
	int64_t block_begin; /* in the window; < 0: slid out of it */
	unsigned match_at, match_len; /* of the position before */
	bool pending; /* the byte before `at` waits for what comes */
	bool begun, input_ended, ended;
	unsigned char in[WINDOW]; /* what gzip would read next */
	unsigned in_len;
	struct gnuzip_block block;
};

struct gnuzip *
gnuzip_new(int level)
{
	struct gnuzip *z = base_alloc(sizeof(*z));

	assert(level >= GNUZIP_LEVEL_MIN && level <= 9);
	z->effort = efforts[level];
	z->match_len = MIN_MATCH - 1;
	gnuzip_block_begin(&z->block);
	return z;
}

void
gnuzip_free(struct gnuzip *z)
{
	free(z);
}

/* ---- window ---- */

static void
slide_positions(uint16_t *at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		at[i] = at[i] >= HALF ? (uint16_t)(at[i] - HALF) : 0;
}

static void
slide(struct gnuzip *z)
{
	memcpy(z->window, z->window + HALF, HALF);
	z->match_at -= HALF;
	z->at -= HALF;
	z->block_begin -= HALF;
	slide_positions(z->head, HASHES);
	slide_positions(z->prev, HALF);
}

static void
roll(struct gnuzip *z, unsigned char c)
{
	z->hash = (z->hash << 5 ^ c) & (HASHES - 1);
}

/* Fill the window as one read of gzip's would. False: its bytes have not all
 * come yet. */
static bool
fill(struct gnuzip *z)
{
	bool slides = z->at >= HALF + MAX_DISTANCE;
	unsigned room = WINDOW - z->ahead - z->at + (slides ? HALF : 0);
	unsigned n = z->in_len < room ? z->in_len : room;

	if (n < room && !z->input_ended)
		return false;
	if (slides)
		slide(z);
	memcpy(z->window + z->at + z->ahead, z->in, n);
	memmove(z->in, z->in + n, z->in_len - n);
	z->in_len -= n;
	if (n == 0) {
		z->ended = true;
		memset(z->window + z->at + z->ahead, 0, MIN_MATCH - 1);
	}
	z->ahead += n;
	if (!z->begun) {
		roll(z, z->window[0]);
		roll(z, z->window[1]);
		z->begun = true;
	}
	return true;
}

/* ---- matches ---- */

/* Note the three bytes at `at`; where they were seen before, or 0. */
static unsigned
insert(struct gnuzip *z, unsigned at)
{
	unsigned was;

	roll(z, z->window[at + 2]);
	was = z->head[z->hash];
	z->prev[at & (HALF - 1)] = (uint16_t)was;
	z->head[z->hash] = (uint16_t)at;
	return was;
}

static unsigned
equal_len(const unsigned char *a, const unsigned char *b)
{
	unsigned n = 0;
	uint64_t x, y;

	while (n + 8 <= MAX_MATCH) {
		memcpy(&x, a + n, 8);
		memcpy(&y, b + n, 8);
		if (x != y)
			return n + (unsigned)__builtin_ctzll(le64toh(x) ^
							     le64toh(y)) /
					   8;
		n += 8;
	}
	while (n < MAX_MATCH && a[n] == b[n])
		n++;
	return n;
}

static inline uint16_t
pair_at(const unsigned char *p)
{
	uint16_t pair;

	memcpy(&pair, p, sizeof(pair));
	return pair;
}

/* The longest match of those that begin with `was`; must be above `best`. */
static unsigned
longest(struct gnuzip *z, unsigned was, unsigned best)
{
	const unsigned char *window = z->window, *here = window + z->at;
	const uint16_t *prev = z->prev;
	unsigned limit = z->at > MAX_DISTANCE ? z->at - MAX_DISTANCE : 0;
	unsigned chain = z->effort.chain >> (best >= z->effort.good ? 2 : 0);
	uint16_t first = pair_at(here), last = pair_at(here + best - 1);

	do {
		const unsigned char *there = window + was;
		unsigned len;

		if (pair_at(there + best - 1) != last ||
		    pair_at(there) != first)
			continue;
		len = equal_len(here, there);
		if (len <= best)
			continue;
		z->match_at = was;
		best = len;
		last = pair_at(here + best - 1);
		if (len >= z->effort.nice)
			break;
	} while ((was = prev[was & (HALF - 1)]) > limit && --chain != 0);
	return best;
}

/* The match at this position, if one is worth looking for. */
static unsigned
match_here(struct gnuzip *z, unsigned was, unsigned before)
{
	unsigned len;

	if (was == 0 || before >= z->effort.lazy ||
	    z->at - was > MAX_DISTANCE || z->at > WINDOW - LOOKAHEAD)
		return MIN_MATCH - 1;
	len = longest(z, was, before);
	if (len > z->ahead)
		len = z->ahead;
	if (len == MIN_MATCH && z->at - z->match_at > TOO_FAR)
		len--;
	return len;
}

static void
end_block(struct gnuzip *z, bool last, struct buf *out)
{
	gnuzip_block_end(&z->block,
			 z->block_begin >= 0 ? z->window + z->block_begin
					     : NULL,
			 (size_t)((int64_t)z->at - z->block_begin), last, out);
	z->block_begin = z->at;
}

static bool
full(const struct gnuzip *z)
{
	return gnuzip_block_full(&z->block,
				 (uint64_t)((int64_t)z->at - z->block_begin));
}

/* The match of the position before is taken. */
static void
take_match(struct gnuzip *z, unsigned len, unsigned from, struct buf *out)
{
	bool ends;

	gnuzip_block_match(&z->block, len, z->at - 1 - from);
	ends = full(z);
	z->ahead -= len - 1;
	for (len -= 2; len > 0; len--)
		insert(z, ++z->at);
	z->pending = false;
	z->match_len = MIN_MATCH - 1;
	z->at++;
	if (ends)
		end_block(z, false, out);
}

static void
step(struct gnuzip *z, struct buf *out)
{
	unsigned before = z->match_len, from = z->match_at;
	unsigned was = insert(z, z->at);

	z->match_len = match_here(z, was, before);
	if (before >= MIN_MATCH && z->match_len <= before) {
		take_match(z, before, from, out);
		return;
	}
	if (z->pending) {
		gnuzip_block_literal(&z->block, z->window[z->at - 1]);
		if (full(z))
			end_block(z, false, out);
	}
	z->pending = true;
	z->at++;
	z->ahead--;
}

/* ---- stream ---- */

/* As far as the input goes. */
static void
run(struct gnuzip *z, struct buf *out)
{
	for (;;) {
		while (z->ahead < LOOKAHEAD && !z->ended)
			if (!fill(z))
				return;
		if (z->ahead == 0)
			return;
		step(z, out);
	}
}

void
gnuzip_feed(struct gnuzip *z, const void *bytes, size_t len, struct buf *out)
{
	const unsigned char *from = bytes;

	while (len > 0) {
		size_t n = WINDOW - z->in_len < len ? WINDOW - z->in_len : len;

		memcpy(z->in + z->in_len, from, n);
		z->in_len += (unsigned)n;
		from += n;
		len -= n;
		run(z, out);
	}
}

void
gnuzip_end(struct gnuzip *z, struct buf *out)
{
	z->input_ended = true;
	run(z, out);
	if (z->pending)
		gnuzip_block_literal(&z->block, z->window[z->at - 1]);
	end_block(z, true, out);
}
