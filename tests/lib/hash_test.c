/* Hashes that other programs compute too, and tokens. */
#include "lib/base.h"
#include "lib/hash.h"
#include "tests/test.h"

/* As `printf %s TEXT | b2sum -l 256` prints them. */
static const struct {
	const char *text, *want;
} hashes[] = {
	{ "",
	  "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
	{ "abc",
	  "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319" },
	{ "log('one')\n",
	  "27fca6edb49310f9fa338dfaf4fc0a48e3a46112665a5113feac12b7d6caedc4" },
};

#define GOOD "0123456789abcdef0123456789abcdef"
static const struct {
	const char *text;
	int want;
} tokens[] = {
	{ GOOD, 1 },
	{ "", 0 },
	{ "0123456789abcdef0123456789abcde", 0 },
	{ GOOD "0", 0 },
	{ GOOD "\n", 0 },
	{ "0123456789ABCDEF0123456789abcdef", 0 },
	{ "0123456789abcdeg0123456789abcdef", 0 },
	{ "../456789abcdef0123456789abcdef0", 0 },
	{ " 123456789abcdef0123456789abcdef", 0 },
};

static const struct {
	const char *a, *b;
	int want;
} pairs[] = {
	{ GOOD, GOOD, 1 },
	{ GOOD, "0123456789abcdef0123456789abcdee", 0 },
	{ GOOD, "1123456789abcdef0123456789abcdef", 0 },
	{ GOOD, "", 0 },
	{ "", "", 0 },
	{ "", GOOD, 0 },
	{ GOOD, GOOD "0", 0 },
	{ GOOD "0", GOOD "0", 0 },
};

/* Taken in pieces, as bytes, read back: always the same hash. */
static void
test_digest(void)
{
	size_t i, cut;

	for (i = 0; i < ARRAY_LEN(hashes); i++) {
		size_t len = strlen(hashes[i].text);
		struct digest whole, got;
		char hex[HASH_HEX];

		digest_of(hashes[i].text, len, &whole);
		digest_hex(&whole, hex);
		CHECK(i, str_eq(hex, hashes[i].want));
		CHECK(i, digest_read(&got, hex) == 0);
		CHECK(i, digest_eq(&got, &whole));
		for (cut = 0; cut <= len; cut++) {
			struct digest_run r;

			digest_begin(&r);
			digest_add(&r, hashes[i].text, cut);
			digest_add(&r, hashes[i].text + cut, len - cut);
			digest_end(&r, &got);
			CHECK(i, digest_eq(&got, &whole));
		}
		got.b[31] ^= 1;
		CHECK(i, !digest_eq(&got, &whole));
		hex[5] = 'A';
		CHECK(i, digest_read(&got, hex) < 0);
		hex[5] = '\0';
		CHECK(i, digest_read(&got, hex) < 0);
	}
	CHECK(99, digest_read(&(struct digest){ 0 }, GOOD GOOD "0") < 0);
}

#define ROOM (64 * 1024)

/* `n` messages of these lengths, which repeat, laid one behind the other. */
static const struct {
	size_t n, len[6];
} crowds[] = {
	{ 0, { 1 } },
	{ 1, { 300 } },
	{ 2, { 300, 300 } },
	{ 3, { 300, 300, 300 } },
	{ 4, { 128, 128, 128, 128 } },
	{ 5, { 0, 1, 127, 129, 1000 } },
	{ 40, { 0, 0, 0, 0, 0, 0 } },
	{ 90, { 1, 200, 3, 255, 256, 257 } },
	{ 17, { 4096, 4095, 4097, 1, 128, 129 } },
	{ 9, { 5000, 10, 10, 10, 5000, 5000 } }, /* one is alone in the end */
	{ 6, { 50000, 1, 2, 3, 4, 5 } },         /* and here in the begin */
};

static unsigned char room[ROOM];

/* How many of the digests are not what each message has by itself. */
static size_t
wrong_of(struct digest_job *job, size_t n)
{
	size_t i, wrong = 0;
	struct digest want;

	for (i = 0; i < n; i++)
		memset(job[i].out, 0xee, sizeof(*job[i].out));
	digest_many(job, n);
	for (i = 0; i < n; i++) {
		digest_of(job[i].bytes, job[i].len, &want);
		wrong += !digest_eq(&want, job[i].out);
	}
	return wrong;
}

static void
test_crowds(void)
{
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(crowds); i++) {
		size_t n = crowds[i].n, at = i; /* not aligned */
		struct digest out[90];
		struct digest_job job[90];

		for (k = 0; k < n; k++) {
			job[k] = (struct digest_job){ room + at,
						      crowds[i].len[k % 6],
						      &out[k] };
			at += job[k].len;
		}
		CHECK(i, at <= ROOM);
		CHECK_SHOW(i, wrong_of(job, n) == 0, "%zu wrong",
			   wrong_of(job, n));
	}
}

/* Every length up to five blocks, in a crowd of others. */
static void
test_lengths(void)
{
	struct digest out[7];
	size_t len, k;

	for (len = 0; len <= 640; len++) {
		struct digest_job job[7];

		for (k = 0; k < 7; k++)
			job[k] = (struct digest_job){ room + 1000 * k + len,
						      k & 1 ? len : len + k,
						      &out[k] };
		CHECK_SHOW(len, wrong_of(job, 7) == 0, "length %zu", len);
	}
}

/* No byte of any message is overlooked, in whichever lane it is. */
static void
test_each_byte(void)
{
	enum { N = 5, LEN = 300 };
	struct digest out[N], before[N];
	struct digest_job job[N];
	size_t i, k, same = 0, moved = 0;

	for (k = 0; k < N; k++)
		job[k] = (struct digest_job){ room + k * LEN, LEN, &out[k] };
	digest_many(job, N);
	memcpy(before, out, sizeof(out));
	for (i = 0; i < (size_t)N * LEN; i++) {
		room[i] ^= 0x10;
		digest_many(job, N);
		room[i] ^= 0x10;
		for (k = 0; k < N; k++)
			if (k == i / LEN)
				same += digest_eq(&before[k], &out[k]);
			else
				moved += !digest_eq(&before[k], &out[k]);
	}
	CHECK_SHOW(0, same == 0, "%zu overlooked", same);
	CHECK_SHOW(1, moved == 0, "%zu changed a neighbour's", moved);
}

static void
test_many(void)
{
	size_t i;

#ifdef __x86_64__
	/* else libsodium would be compared with itself */
	CHECK(0, digest_many_quick() == !!__builtin_cpu_supports("avx2"));
#endif
	for (i = 0; i < ROOM; i++)
		room[i] = (unsigned char)(i * 131 + (i >> 8) * 17);
	test_crowds();
	test_lengths();
	test_each_byte();
}

int
main(void)
{
	test_digest();
	test_many();
	char hex[HASH_HEX], a[TOKEN_HEX], b[TOKEN_HEX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(hashes); i++) {
		hash_hex(hashes[i].text, strlen(hashes[i].text), hex);
		CHECK_SHOW(i, str_eq(hex, hashes[i].want), "%s", hex);
		CHECK(i,
		      hash_short(hashes[i].text, strlen(hashes[i].text)) >= 0);
	}
	CHECK(0, hash_short("a", 1) == hash_short("a", 1));
	CHECK(1, hash_short("a", 1) != hash_short("b", 1));
	CHECK(2, hash_table("a", 1) == hash_table("ab", 1));
	CHECK(3, hash_table("a", 1) != hash_table("b", 1));
	for (i = 0; i < ARRAY_LEN(tokens); i++)
		CHECK(i, token_valid(tokens[i].text) == tokens[i].want);
	for (i = 0; i < ARRAY_LEN(pairs); i++)
		CHECK(i, token_equal(pairs[i].a, pairs[i].b) == pairs[i].want);
	for (i = 0; i < 100; i++) {
		token_make(a);
		token_make(b);
		CHECK(i,
		      token_valid(a) && token_valid(b) && !token_equal(a, b));
	}
	return test_end();
}
