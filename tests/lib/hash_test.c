/* Hashes that other programs compute too, and tokens. */
#include "lib/base.h"
#include "lib/hash.h"
#include "lib/hash_side.h"
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

/* By this way, whatever takes least time; NULL: by the door. */
static const struct hash_side *side;

static void
take_all(const struct digest_job *job, size_t n)
{
	const struct digest_job *order[90];
	size_t i;

	for (i = 0; i < n; i++)
		order[i] = &job[i];
	if (side)
		side->run(order, n);
	else
		digest_many(job, n);
}

/* How many of the digests are not what each message has by itself. */
static size_t
wrong_of(struct digest_job *job, size_t n)
{
	size_t i, wrong = 0;
	struct digest want;

	for (i = 0; i < n; i++)
		memset(job[i].out, 0xee, sizeof(*job[i].out));
	take_all(job, n);
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
	enum { N = 11 };
	struct digest out[N];
	size_t len, k;

	for (len = 0; len <= 640; len++) {
		struct digest_job job[N];

		for (k = 0; k < N; k++)
			job[k] = (struct digest_job){ room + 1000 * k + len,
						      k & 1 ? len : len + k,
						      &out[k] };
		CHECK_SHOW(len, wrong_of(job, N) == 0, "length %zu", len);
	}
}

/* No byte of any message is overlooked, in whichever lane it is. */
static void
test_each_byte(void)
{
	enum { N = 9, LEN = 300 };
	struct digest out[N], before[N];
	struct digest_job job[N];
	size_t i, k, same = 0, moved = 0;

	for (k = 0; k < N; k++)
		job[k] = (struct digest_job){ room + k * LEN, LEN, &out[k] };
	take_all(job, N);
	memcpy(before, out, sizeof(out));
	for (i = 0; i < (size_t)N * LEN; i++) {
		room[i] ^= 0x10;
		take_all(job, N);
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

/* Else libsodium would be compared with itself. */
static size_t
sides_of_this_processor(void)
{
	size_t n = 0;

#ifdef __x86_64__
	n += !!__builtin_cpu_supports("avx2");
	n += __builtin_cpu_supports("avx512f") &&
			     __builtin_cpu_supports("avx512vl")
		     ? 3
		     : 0;
#endif
	return n;
}

static void
test_many(void)
{
	const struct hash_side *sides;
	size_t i, n = hash_sides(&sides);

	CHECK_SHOW(0, n == sides_of_this_processor(), "%zu ways", n);
	CHECK(0, digest_many_quick() == (n > 0));
	for (i = 0; i < ROOM; i++)
		room[i] = (unsigned char)(i * 131 + (i >> 8) * 17);
	for (i = 0; i <= n; i++) {
		side = i < n ? &sides[i] : NULL;
		printf("# %s\n", side ? side->name : "whichever is quickest");
		test_crowds();
		test_lengths();
		test_each_byte();
	}
}

/* What Python's hashlib makes of it. */
static const struct {
	size_t len;
	const char *hex;
} parts[] = {
	{ 0,
	  "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8" },
	{ 1,
	  "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314" },
	{ 65535,
	  "4ace38f0b493a36a7a8eae96030ceede31e150c206580107563fbd205284828b" },
	{ 65536,
	  "a3f8e57398707cfcabcbe2142f28121e45557e06cc4e70409ab287dca2eaeb30" },
	{ 65537,
	  "1dcc4cbc62ca0a1638a2199fce1209b481cc1505eda44c64a503f6e064808995" },
	{ 131072,
	  "de51d7b4a11296b00b3a90eeac3cdc41d840c76cb18ae5c9b3bf616bb8a886d6" },
	{ 131073,
	  "8f62926c66d2da8714f58f565007a4873f206ee930e1b32647c23073405b1376" },
	{ 300000,
	  "fadf0145d53ffae51db1621d4abd3ae90e179926ba73fb41d44bb536a7944764" },
	{ 9000000,
	  "41bb0839ad7dcc1efe573f8d888acecd28b9222b81a288b2a8be5e623d0f05fd" },
};

#define LONG 9000000

/* The same in pieces, which end before, at and behind those of 64 KiB. */
static void
check_run(size_t row, const unsigned char *bytes, size_t piece,
	  const struct digest *want)
{
	struct digest_run r;
	struct digest got;
	size_t at, n;

	digest_begin(&r);
	for (at = 0; at < parts[row].len; at += n) {
		n = parts[row].len - at < piece ? parts[row].len - at : piece;
		digest_add(&r, bytes + at, n);
	}
	digest_end(&r, &got);
	CHECK_SHOW(row, digest_eq(&got, want), "in pieces of %zu", piece);
}

static void
test_parts(void)
{
	static const size_t piece[] = { 1000,   65535,      65536,   65537,
					200000, 64 * 65536, 5000000, LONG };
	AUTO_FREE unsigned char *bytes = base_alloc(LONG);
	struct digest got[ARRAY_LEN(parts)], one;
	struct digest_job job[ARRAY_LEN(parts)];
	char hex[HASH_HEX];
	size_t i, k;

	for (i = 0; i < LONG; i++)
		bytes[i] = (unsigned char)(i * 131 + (i >> 8) * 17);
	for (i = 0; i < ARRAY_LEN(parts); i++)
		job[i] = (struct digest_job){ bytes, parts[i].len, &got[i] };
	digest_many(job, ARRAY_LEN(parts));
	for (i = 0; i < ARRAY_LEN(parts); i++) {
		digest_hex(&got[i], hex);
		CHECK_SHOW(i, str_eq(hex, parts[i].hex), "%s", hex);
		digest_hex_of(bytes, parts[i].len, hex);
		CHECK_SHOW(i, str_eq(hex, parts[i].hex), "%s", hex);
		digest_of(bytes, parts[i].len, &one);
		CHECK(i, digest_eq(&one, &got[i]));
		for (k = 0; k < ARRAY_LEN(piece); k++)
			check_run(i, bytes, piece[k], &got[i]);
	}
}

int
main(void)
{
	test_digest();
	test_many();
	test_parts();
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
