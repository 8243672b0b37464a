/* Several BLAKE2b hashes (RFC 7693) side by side. One message cannot use a
 * processor's vectors well, since each step waits for the one before; several
 * that know nothing of each other take less than half of the time that
 * libsodium takes for one after the other, and nothing that Debian packages
 * does this for BLAKE2b.
 *
 * Included once by each file that says for how many messages (LANES), in which
 * manner (ROWS or not), for which processors (TARGET; ROTATES when they turn
 * words by themselves), and the function's name (SIDE). */
#include <stdint.h>
#include <string.h>

#include "lib/hash_side.h"

#define BLOCK 128
#define TARGETED __attribute__((target(TARGET)))
#define INLINE static inline __attribute__((always_inline)) TARGETED

typedef uint64_t vec __attribute__((vector_size(LANES * 8)));

static const uint64_t iv[8] = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b,
				0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
				0x510e527fade682d1, 0x9b05688c2b3e6c1f,
				0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 };
/* No key, 32 bytes of output, a tree of one leaf. */
#define PARAMETERS 0x01010020

/* Lane l belongs to the l-th message. What all have done; `add` bytes of each
 * come in each block, and `last` is all ones where a message ends with it. */
struct state {
	vec h[8], done, add, last;
};

#ifdef ROWS
#include "lib/hash_side_rows.h"
#else
#include "lib/hash_side_columns.h"
#endif

/* ---- messages ---- */

/* The message of a lane. */
struct message {
	const unsigned char *at;
	size_t left;        /* bytes */
	struct digest *out; /* NULL: the lane is idle */
	unsigned char end[BLOCK];
};

struct work {
	struct state s;
	struct message lane[LANES];
	const struct digest_job *const *job;
	size_t jobs, next;
};

/* The next message into a lane that is free. */
static void
take_message(struct work *w, int l)
{
	struct message *x = &w->lane[l];
	int i;

	x->out = NULL;
	if (w->next == w->jobs)
		return;
	x->at = w->job[w->next]->bytes;
	x->left = w->job[w->next]->len;
	x->out = w->job[w->next++]->out;
	for (i = 0; i < 8; i++)
		w->s.h[i][l] = iv[i];
	w->s.h[0][l] ^= PARAMETERS;
	w->s.done[l] = 0;
}

/* Whole blocks that come before a message's last one. */
static size_t
blocks_before_end(const struct message *x)
{
	return x->left > 0 ? (x->left - 1) / BLOCK : 0;
}

/* How many blocks all busy lanes have before one of them ends; SIZE_MAX when
 * none is busy. */
static size_t
blocks_for_all(const struct work *w)
{
	size_t least = SIZE_MAX;
	int l;

	for (l = 0; l < LANES; l++)
		if (w->lane[l].out && blocks_before_end(&w->lane[l]) < least)
			least = blocks_before_end(&w->lane[l]);
	return least;
}

static void
run_middle(struct work *w, size_t blocks)
{
	static const unsigned char idle[BLOCK];
	const unsigned char *at[LANES];
	size_t step[LANES];
	int l;

	for (l = 0; l < LANES; l++) {
		struct message *x = &w->lane[l];

		at[l] = x->out ? x->at : idle;
		step[l] = x->out ? BLOCK : 0;
		w->s.add[l] = BLOCK;
		w->s.last[l] = 0;
	}
	compress_all(&w->s, at, step, blocks);
	for (l = 0; l < LANES; l++)
		if (w->lane[l].out) {
			w->lane[l].at += blocks * BLOCK;
			w->lane[l].left -= blocks * BLOCK;
		}
}

static void
end_message(struct work *w, int l)
{
	int i;

	for (i = 0; i < 4; i++) {
		uint64_t word = w->s.h[i][l];

		memcpy(w->lane[l].out->b + i * 8, &word, 8);
	}
	take_message(w, l);
}

/* One block of each lane, which is the last one of one of them at least. */
static void
run_end(struct work *w)
{
	const unsigned char *at[LANES];
	const size_t step[LANES] = { 0 };
	bool ends[LANES];
	int l;

	for (l = 0; l < LANES; l++) {
		struct message *x = &w->lane[l];

		ends[l] = !x->out || x->left <= BLOCK;
		w->s.add[l] = ends[l] ? x->left : BLOCK;
		w->s.last[l] = ends[l] ? UINT64_MAX : 0;
		at[l] = ends[l] ? x->end : x->at;
		if (!ends[l])
			continue;
		memset(x->end, 0, BLOCK);
		if (x->out && x->left > 0)
			memcpy(x->end, x->at, x->left);
	}
	compress_all(&w->s, at, step, 1);
	for (l = 0; l < LANES; l++) {
		struct message *x = &w->lane[l];

		if (ends[l] && x->out) {
			end_message(w, l);
		} else if (x->out) {
			x->at += BLOCK;
			x->left -= BLOCK;
		}
	}
}

void
SIDE(const struct digest_job *const *job, size_t jobs)
{
	struct work w = { .job = job, .jobs = jobs };
	size_t blocks;
	int l;

	for (l = 0; l < LANES; l++)
		take_message(&w, l);
	while ((blocks = blocks_for_all(&w)) != SIZE_MAX)
		if (blocks > 0)
			run_middle(&w, blocks);
		else
			run_end(&w);
}
