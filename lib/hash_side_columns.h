/* Lane l of every vector belongs to the l-th message, so all lanes do what one
 * message would need. For many messages. A part of hash_side_body.h. */
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

typedef uint8_t vec_bytes __attribute__((vector_size(LANES * 8)));

#ifdef ROTATES
/* One instruction, which compilers know. */
#define TURN(x, n) ((x) >> (n)*8 | (x) << (64 - (n)*8))
#define DOUBLE(x) ((x) << 1)
#else
#define DOUBLE(x) ((x) + (x)) /* quicker than to shift */
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
#endif

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
	*b = *b >> 63 | DOUBLE(*b);
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
#if LANES == 8
/* Eight words of eight messages: pairs change places, then fours, then halves.
 */
INLINE void
turn_over(vec m[8], vec x[8])
{
	vec y[8];
	int i, k;

	for (i = 0; i < 8; i += 2) {
		y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 8, 2, 10, 4,
					       12, 6, 14);
		y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 1, 9, 3, 11,
						   5, 13, 7, 15);
	}
	for (i = 0; i < 2; i++)
		for (k = i; k < 8; k += 4) {
			x[k] = __builtin_shufflevector(y[k], y[k + 2], 0, 1, 8,
						       9, 4, 5, 12, 13);
			x[k + 2] = __builtin_shufflevector(
				y[k], y[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
		}
	for (i = 0; i < 4; i++) {
		m[i] = __builtin_shufflevector(x[i], x[i + 4], 0, 1, 2, 3, 8, 9,
					       10, 11);
		m[i + 4] = __builtin_shufflevector(x[i], x[i + 4], 4, 5, 6, 7,
						   12, 13, 14, 15);
	}
}

INLINE void
load(vec m[16], const unsigned char *const at[LANES])
{
	int i;

	for (i = 0; i < 16; i += LANES) {
		vec x[LANES];
		int l;

		for (l = 0; l < LANES; l++)
			memcpy(&x[l], at[l] + i * 8, sizeof(x[l]));
		turn_over(m + i, x);
	}
}
#else
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
#endif

INLINE void
compress(struct state *s, const unsigned char *const at[LANES])
{
	vec m[16], v[16];
	int i;

	load(m, at);
	s->done += s->add;
	for (i = 0; i < 8; i++) {
		v[i] = s->h[i];
		v[i + 8] = (vec){ 0 } + iv[i];
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

static TARGETED void
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
