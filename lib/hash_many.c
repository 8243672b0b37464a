/* Several BLAKE2b hashes (RFC 7693) side by side: lane l of every vector
 * belongs to the l-th message. One message cannot use a processor's vectors
 * well, since each step waits for the one before; four that know nothing of
 * each other take less than half of the time that libsodium takes for one after
 * the other, and nothing that Debian packages does this for BLAKE2b.
 *
 * The digests are libsodium's: it is asked once, at the first call, and where
 * it does not agree (or there is no AVX2) it does all of the work. */
#include "lib/hash.h"

#include "lib/base.h"

#ifdef __x86_64__
#include <pthread.h>

#define LANES 4
#define BLOCK 128
#define AVX2 __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline)) AVX2

typedef uint64_t vec __attribute__((vector_size(LANES * 8)));
typedef uint8_t vec_bytes __attribute__((vector_size(LANES * 8)));

static const uint64_t iv[8] = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b,
				0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
				0x510e527fade682d1, 0x9b05688c2b3e6c1f,
				0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 };
/* No key, 32 bytes of output, a tree of one leaf. */
#define PARAMETERS 0x01010020

static const uint8_t sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

/* ---- one block of each message ---- */

/* Bytes of each word, turned right by `n` of them. */
#define WORD(n, at)                                                            \
	(at) + (n) % 8, (at) + ((n) + 1) % 8, (at) + ((n) + 2) % 8,            \
		(at) + ((n) + 3) % 8, (at) + ((n) + 4) % 8,                    \
		(at) + ((n) + 5) % 8, (at) + ((n) + 6) % 8,                    \
		(at) + ((n) + 7) % 8
#define TURN(x, n)                                                             \
	((vec)__builtin_shufflevector((vec_bytes)(x), (vec_bytes)(x),          \
				      WORD(n, 0), WORD(n, 8), WORD(n, 16),     \
				      WORD(n, 24)))

INLINE void
mix(vec *a, vec *b, vec *c, vec *d, const vec *x, const vec *y)
{
	*a += *b + *x;
	*d = TURN(*d ^ *a, 4);
	*c += *d;
	*b = TURN(*b ^ *c, 3);
	*a += *b + *y;
	*d = TURN(*d ^ *a, 2);
	*c += *d;
	*b ^= *c;
	*b = *b >> 63 | (*b + *b);
}

INLINE void
round_of(vec v[16], const vec m[16], const uint8_t s[16])
{
	mix(&v[0], &v[4], &v[8], &v[12], &m[s[0]], &m[s[1]]);
	mix(&v[1], &v[5], &v[9], &v[13], &m[s[2]], &m[s[3]]);
	mix(&v[2], &v[6], &v[10], &v[14], &m[s[4]], &m[s[5]]);
	mix(&v[3], &v[7], &v[11], &v[15], &m[s[6]], &m[s[7]]);
	mix(&v[0], &v[5], &v[10], &v[15], &m[s[8]], &m[s[9]]);
	mix(&v[1], &v[6], &v[11], &v[12], &m[s[10]], &m[s[11]]);
	mix(&v[2], &v[7], &v[8], &v[13], &m[s[12]], &m[s[13]]);
	mix(&v[3], &v[4], &v[9], &v[14], &m[s[14]], &m[s[15]]);
}

/* Word i of each message into m[i]. */
INLINE void
load(vec m[16], const unsigned char *const at[LANES])
{
	int i;

	for (i = 0; i < 16; i += LANES) {
		vec x[LANES], low01, high01, low23, high23;
		int l;

		for (l = 0; l < LANES; l++)
			memcpy(&x[l], at[l] + i * 8, sizeof(x[l]));
		low01 = __builtin_shufflevector(x[0], x[1], 0, 4, 2, 6);
		high01 = __builtin_shufflevector(x[0], x[1], 1, 5, 3, 7);
		low23 = __builtin_shufflevector(x[2], x[3], 0, 4, 2, 6);
		high23 = __builtin_shufflevector(x[2], x[3], 1, 5, 3, 7);
		m[i] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
		m[i + 1] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
		m[i + 2] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
		m[i + 3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
	}
}

/* What all lanes have done; `add` bytes of each come in each block, and `last`
 * is all ones in a lane whose message ends with it. */
struct state {
	vec h[8], done, add, last;
};

INLINE void
compress(struct state *s, const unsigned char *const at[LANES])
{
	vec m[16], v[16];
	int i;

	load(m, at);
	s->done += s->add;
	for (i = 0; i < 8; i++) {
		v[i] = s->h[i];
		v[i + 8] = (vec){ iv[i], iv[i], iv[i], iv[i] };
	}
	v[12] ^= s->done;
	v[14] ^= s->last;
	/* told one by one: then the tables are gone from the loop */
	round_of(v, m, sigma[0]), round_of(v, m, sigma[1]);
	round_of(v, m, sigma[2]), round_of(v, m, sigma[3]);
	round_of(v, m, sigma[4]), round_of(v, m, sigma[5]);
	round_of(v, m, sigma[6]), round_of(v, m, sigma[7]);
	round_of(v, m, sigma[8]), round_of(v, m, sigma[9]);
	round_of(v, m, sigma[0]), round_of(v, m, sigma[1]);
	for (i = 0; i < 8; i++)
		s->h[i] ^= v[i] ^ v[i + 8];
}

static AVX2 void
compress_all(struct state *s, const unsigned char *at[LANES],
	     const size_t step[LANES], size_t blocks)
{
	int l;

	for (; blocks > 0; blocks--) {
		compress(s, at);
		for (l = 0; l < LANES; l++)
			at[l] += step[l];
	}
}

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

static void
side_by_side(const struct digest_job *const *job, size_t jobs)
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

/* ---- does it work here? ---- */

static bool usable;

/* Of every length that is treated in another way, more than there are lanes. */
static bool
agrees_with_libsodium(void)
{
	static const size_t lens[] = { 700, 385, 384, 257, 256, 255, 129,
				       128, 127, 64,  1,   0,   513 };
	unsigned char bytes[1024];
	struct digest_job job[ARRAY_LEN(lens)];
	const struct digest_job *order[ARRAY_LEN(lens)];
	struct digest got[ARRAY_LEN(lens)], want;
	bool same = true;
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 167 + (i >> 3));
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		job[i] = (struct digest_job){ bytes + i, lens[i], &got[i] };
		order[i] = &job[i];
	}
	side_by_side(order, ARRAY_LEN(lens));
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		digest_of(job[i].bytes, job[i].len, &want);
		same = same && digest_eq(&want, &got[i]);
	}
	return same;
}

static void
look_once(void)
{
	usable = __builtin_cpu_supports("avx2") && agrees_with_libsodium();
}

bool
digest_many_quick(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look_once);
	return usable;
}
#else
bool
digest_many_quick(void)
{
	return false;
}

static void
side_by_side(const struct digest_job *const *job, size_t jobs)
{
	(void)job, (void)jobs;
}
#endif

/* ---- the door ---- */

static int
longest_first(const void *a, const void *b)
{
	const struct digest_job *x = *(const struct digest_job *const *)a,
				*y = *(const struct digest_job *const *)b;

	return x->len < y->len ? 1 : x->len > y->len ? -1 : 0;
}

/* A lane takes 1.8 times as long as libsodium for the same message. So of
 * messages that are long beside all others (which would leave lanes idle) some
 * are done alone: how many, for the least time? `order` is longest first. */
static size_t
count_alone(const struct digest_job *const *order, size_t n)
{
	size_t i, before = 0, rest = 0, best = n, least;

	for (i = 0; i < n; i++)
		rest += order[i]->len;
	least = rest;
	for (i = 0; i < n; i++) {
		size_t shared = rest / 4, longest = order[i]->len, time;

		time = before + (longest > shared ? longest : shared) / 5 * 9;
		if (time < least) {
			least = time;
			best = i;
		}
		before += order[i]->len;
		rest -= order[i]->len;
	}
	return best;
}

/* Long ones begin first, so that all lanes end at about the same time. */
void
digest_many(const struct digest_job *job, size_t n)
{
	AUTO_FREE const struct digest_job **order =
		base_array(n + 1, sizeof(*order));
	size_t i, alone = n;

	for (i = 0; i < n; i++)
		order[i] = &job[i];
	qsort(order, n, sizeof(*order), longest_first);
	if (digest_many_quick())
		alone = count_alone(order, n);
	for (i = 0; i < alone; i++)
		digest_of(order[i]->bytes, order[i]->len, order[i]->out);
	if (alone < n)
		side_by_side(order + alone, n - alone);
}
