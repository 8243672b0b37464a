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

int
main(void)
{
	test_digest();
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
