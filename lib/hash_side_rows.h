/* A vector holds four words of each of two messages, as libsodium has those of
 * one; with two such sets, the processor goes on with one while the other
 * waits. For few messages, which then take no longer than one does. A part of
 * hash_side_body.h. */
#define SETS (LANES / 2)
#define EACH for (k = 0; k < SETS; k++)

typedef uint64_t row __attribute__((vector_size(64)));

/* What a set works on: words 0-3, 4-7, 8-11, 12-15 of both messages; and their
 * blocks. */
struct rows {
	row a, b, c, d, m[4];
};

#define TURN(x, n) ((x) >> (n) | (x) << (64 - (n)))

/* The words x of all four mixes of a row, and then their words y. */
INLINE void
add_and_turn(struct rows s[SETS], const row x[SETS], int d, int b)
{
	int k;

	EACH s[k].a += x[k];
	EACH s[k].a += s[k].b;
	EACH s[k].d = TURN(s[k].d ^ s[k].a, d);
	EACH s[k].c += s[k].d;
	EACH s[k].b = TURN(s[k].b ^ s[k].c, b);
}

INLINE void
mix(struct rows s[SETS], const row x[SETS], const row y[SETS])
{
	add_and_turn(s, x, 32, 24);
	add_and_turn(s, y, 16, 63);
}

/* Columns become diagonals, and back. */
#define SHIFT(x, p, q, r, s)                                                   \
	__builtin_shufflevector(x, x, p, q, r, s, 4 + (p), 4 + (q), 4 + (r),   \
				4 + (s))

INLINE void
to_diagonals(struct rows s[SETS])
{
	int k;

	EACH s[k].b = SHIFT(s[k].b, 1, 2, 3, 0);
	EACH s[k].c = SHIFT(s[k].c, 2, 3, 0, 1);
	EACH s[k].d = SHIFT(s[k].d, 3, 0, 1, 2);
}

INLINE void
to_columns(struct rows s[SETS])
{
	int k;

	EACH s[k].b = SHIFT(s[k].b, 3, 0, 1, 2);
	EACH s[k].c = SHIFT(s[k].c, 2, 3, 0, 1);
	EACH s[k].d = SHIFT(s[k].d, 1, 2, 3, 0);
}

/* Words of both blocks: the first of each pair into x, the second into y. */
#define PICK(p, q, r, s, t, u, v, w)                                           \
	EACH                                                                   \
	{                                                                      \
		const row *m = set[k].m;                                       \
		row one = __builtin_shufflevector(m[0], m[1], p, r, t, v, q,   \
						  s, u, w);                    \
		row two = __builtin_shufflevector(m[2], m[3], p, r, t, v, q,   \
						  s, u, w);                    \
                                                                               \
		x[k] = __builtin_shufflevector(one, two, 0, 1, 2, 3, 8, 9, 10, \
					       11);                            \
		y[k] = __builtin_shufflevector(one, two, 4, 5, 6, 7, 12, 13,   \
					       14, 15);                        \
	}
/* A round, by the order in which it takes words of the block. */
#define ROUND(p, q, r, s, t, u, v, w, ...)                                     \
	PICK(p, q, r, s, t, u, v, w)                                           \
	mix(set, x, y);                                                        \
	to_diagonals(set);                                                     \
	PICK(__VA_ARGS__)                                                      \
	mix(set, x, y);                                                        \
	to_columns(set);

INLINE void
rounds(struct rows set[SETS])
{
	row x[SETS], y[SETS];
	int k;

	ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
	ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)
	ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)
	ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)
	ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)
	ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)
	ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)
	ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)
	ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)
	ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
}

/* Words `from` to from + 3 of a state, of both messages of a set. */
INLINE row
gather(const vec h[8], int from, int k)
{
	const int one = 2 * k, two = one + 1;

	return (row){ h[from][one],     h[from + 1][one], h[from + 2][one],
		      h[from + 3][one], h[from][two],     h[from + 1][two],
		      h[from + 2][two], h[from + 3][two] };
}

INLINE void
scatter(row x, vec h[8], int from, int k)
{
	int i;

	for (i = 0; i < 4; i++) {
		h[from + i][2 * k] = x[i];
		h[from + i][2 * k + 1] = x[i + 4];
	}
}

static TARGETED void
compress_all(struct state *s, const unsigned char *at[LANES],
	     const size_t step[LANES], size_t blocks)
{
	const row low = {
		iv[0], iv[1], iv[2], iv[3], iv[0], iv[1], iv[2], iv[3]
	};
	const row high = { iv[4], iv[5], iv[6], iv[7],
			   iv[4], iv[5], iv[6], iv[7] };
	struct rows set[SETS];
	row first[SETS], second[SETS];
	int k, l;

	EACH first[k] = gather(s->h, 0, k);
	EACH second[k] = gather(s->h, 4, k);
	for (; blocks > 0; blocks--) {
		s->done += s->add;
		EACH
		{
			const int one = 2 * k, two = one + 1;

			memcpy(&set[k].m[0], at[one], BLOCK);
			memcpy(&set[k].m[2], at[two], BLOCK);
			set[k].a = first[k];
			set[k].b = second[k];
			set[k].c = low;
			set[k].d = high ^ (row) {
				s->done[one], 0, s->last[one], 0, s->done[two],
					0, s->last[two], 0
			};
		}
		rounds(set);
		EACH first[k] ^= set[k].a ^ set[k].c;
		EACH second[k] ^= set[k].b ^ set[k].d;
		for (l = 0; l < LANES; l++)
			at[l] += step[l];
	}
	EACH scatter(first[k], s->h, 0, k);
	EACH scatter(second[k], s->h, 4, k);
}
