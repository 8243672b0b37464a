/* Many plain hashes side by side, by the way that takes least time here. The
 * digests are libsodium's: it is asked once, at the first call, and a way that
 * does not agree with it is never taken. */
#include "lib/hash.h"

#include <pthread.h>

#include "lib/base.h"
#include "lib/hash_side.h"

/* ---- what works here? ---- */

static struct hash_side usable[8];
static size_t usables;

/* Of every length that is treated in another way, more than there are lanes. */
static bool
agrees_with_libsodium(const struct hash_side *s)
{
	static const size_t lens[] = { 700, 385, 384, 257, 256, 255, 129, 128,
				       127, 64,  1,   0,   513, 130, 900, 2 };
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
	s->run(order, ARRAY_LEN(lens));
	for (i = 0; i < ARRAY_LEN(lens); i++) {
		hash_plain(job[i].bytes, job[i].len, &want);
		same = same && digest_eq(&want, &got[i]);
	}
	return same;
}

#ifdef __x86_64__
static void
offer(const struct hash_side *s)
{
	if (agrees_with_libsodium(s))
		usable[usables++] = *s;
}

static void
look_once(void)
{
	static const struct hash_side avx2 = { "avx2", hash_side_avx2, 4, 185 };
	static const struct hash_side of_avx512[] = {
		{ "pair", hash_side_pair, 2, 100 },
		{ "four", hash_side_four, 4, 145 },
		{ "wide", hash_side_wide, 8, 205 },
	};
	size_t i;

	if (__builtin_cpu_supports("avx2"))
		offer(&avx2);
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512vl"))
		for (i = 0; i < ARRAY_LEN(of_avx512); i++)
			offer(&of_avx512[i]);
}
#else
static void
look_once(void)
{
}
#endif

size_t
hash_sides(const struct hash_side **out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look_once);
	*out = usable;
	return usables;
}

bool
digest_many_quick(void)
{
	const struct hash_side *s;

	return hash_sides(&s) > 0;
}

/* ---- the door ---- */

static int
longest_first(const void *a, const void *b)
{
	const struct digest_job *x = *(const struct digest_job *const *)a,
				*y = *(const struct digest_job *const *)b;

	return x->len < y->len ? 1 : x->len > y->len ? -1 : 0;
}

/* The first `alone` by libsodium, the others by `side` (NULL: there are none).
 */
struct way {
	size_t alone;
	const struct hash_side *side;
	size_t time;
};

/* What is left when `before` bytes are done alone: a lane has the longest, or
 * its share. */
static void
try_side(struct way *best, size_t alone, size_t before, size_t longest,
	 size_t rest, const struct hash_side *s)
{
	size_t shared = rest / s->lanes, time;

	time = before + (longest > shared ? longest : shared) / 100 * s->cost;
	if (time >= best->time)
		return;
	*best = (struct way){ alone, s, time };
}

/* A lane takes about twice as long as libsodium for the same message. So of
 * messages that are long beside all others (which would leave lanes idle) some
 * are done alone: how many, for the least time? `order` is longest first. */
static struct way
choose(const struct digest_job *const *order, size_t n)
{
	const struct hash_side *side;
	size_t sides = hash_sides(&side), i, k, before = 0, rest = 0;
	struct way best = { .alone = n };

	for (i = 0; i < n; i++)
		rest += order[i]->len;
	best.time = rest;
	for (i = 0; i < n; i++) {
		for (k = 0; k < sides; k++)
			try_side(&best, i, before, order[i]->len, rest,
				 &side[k]);
		before += order[i]->len;
		rest -= order[i]->len;
	}
	return best;
}

/* Long ones begin first, so that all lanes end at about the same time. */
void
hash_plain_many(const struct digest_job *job, size_t n)
{
	AUTO_FREE const struct digest_job **order =
		base_array(n + 1, sizeof(*order));
	struct way way;
	size_t i;

	for (i = 0; i < n; i++)
		order[i] = &job[i];
	qsort(order, n, sizeof(*order), longest_first);
	way = choose(order, n);
	for (i = 0; i < way.alone; i++)
		hash_plain(order[i]->bytes, order[i]->len, order[i]->out);
	if (way.side)
		way.side->run(order + way.alone, n - way.alone);
}
