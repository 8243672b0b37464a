#include "lib/base.h"
#include "lib/hash.h"
#include "lib/text.h"
#include "tests/test.h"

static const struct {
	const char *text, *shown, *quoted, *encoded;
} rows[] = {
	{ "abc", "abc", "'abc'", "abc" },
	{ "a'b", "a'b", "'a'\\''b'", "a%27b" },
	{ "a\nb\x1b[1m", "a\\nb\\x1b[1m", "'a\nb\x1b[1m'", "a%0Ab%1B%5B1m" },
	{ "\xc3\xa9\xff", "\xc3\xa9\\xff", "'\xc3\xa9\xff'", "%C3%A9%FF" },
	{ "\xc2\x9b", "\\xc2\\x9b", "'\xc2\x9b'", "%C2%9B" },
	{ "\x7f\t\xed\xa0\x80", "\\x7f\t\\xed\\xa0\\x80",
	  "'\x7f\t\xed\xa0\x80'", "%7F%09%ED%A0%80" },
};

static const struct {
	const char *from, *to; /* NULL: refused */
} urls[] = { { "a%20b+c", "a b c" },
	     { "%4", NULL },
	     { "%zz", NULL },
	     { "%00", NULL },
	     { "", "" } };

int
main(void)
{
	char hash[HASH_HEX], a[TOKEN_HEX], b[TOKEN_HEX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(buf) shown = { 0 };
		AUTO_CLEAR(buf) quoted = { 0 };
		AUTO_CLEAR(buf) encoded = { 0 };

		text_show(rows[i].text, strlen(rows[i].text), 1, &shown);
		text_shell_quote(rows[i].text, &quoted);
		text_url_encode(rows[i].text, &encoded);
		CHECK_SHOW(i, str_eq(shown.at, rows[i].shown), "%s", shown.at);
		CHECK(i, str_eq(quoted.at, rows[i].quoted));
		CHECK(i, str_eq(encoded.at, rows[i].encoded));
	}
	for (i = 0; i < ARRAY_LEN(urls); i++) {
		AUTO_FREE char *text = base_strdup(urls[i].from);
		long n = text_url_decode(text);

		CHECK(i, urls[i].to ? str_eq(text, urls[i].to) : n < 0);
	}
	hash_hex("", 0, hash); /* b2sum -l 256 of nothing */
	CHECK(0, str_eq(hash, "0e5751c026e543b2e8ab2eb06099daa1"
			      "d1e5df47778f7787faab45cdf12fe3a8"));
	token_make(a);
	token_make(b);
	CHECK(1, token_valid(a) && token_valid(b) && !token_equal(a, b) &&
			 token_equal(a, a) && !token_valid("abc"));
	return test_end();
}
