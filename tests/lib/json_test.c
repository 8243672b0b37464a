#include "lib/base.h"
#include "lib/json.h"
#include "tests/test.h"

static const struct {
	const char *text, *want; /* NULL: refused */
} rows[] = {
	{ "[1, 2.5, \"a\", null, true, {\"k\": []}]",
	  "[1, 2.5, \"a\", null, true, {\"k\": []}]" },
	{ "9007199254740993", "9007199254740993" },
	{ "{\"a\": 1, \"a\": 2}", NULL },
	{ "[1,]", NULL },
	{ "", NULL },
	{ "[1", NULL },
	{ "[99999999999999999999]", NULL },
	{ "\"\\u0000\"", "\"\\u0000\"" },
};

/* ---- plain JSON is read by us, all other by jansson: the same values ---- */

static uint64_t seed = 20261121;

static unsigned
pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* Mostly good JSON. */
static void
write_any(struct buf *out, int depth)
{
	static const char *const leaves[] = { "0",
					      "-0",
					      "1",
					      "-17",
					      "007",
					      "12.5",
					      "1e3",
					      "-",
					      "+1",
					      "true",
					      "nul",
					      "null",
					      "\"\"",
					      "\"a\"",
					      "\"\t\"",
					      "\"\x7f\"",
					      "\"\xc3\xa9\"",
					      "\"\\n\"",
					      "\"\xff\"",
					      "123456789012345678",
					      "1234567890123456789",
					      "9223372036854775807",
					      "9223372036854775808",
					      "\"b",
					      "",
					      "- 1",
					      "1 2" };
	unsigned n = pick(4), kind = pick(5);

	if (depth == 0 || kind > 1) {
		buf_str(out, leaves[pick(pick(2) ? 3 : ARRAY_LEN(leaves))]);
		return;
	}
	buf_char(out, kind ? '[' : '{');
	for (unsigned i = 0; i < n; i++) {
		if (i)
			buf_str(out, pick(3) ? ", " : ",\n");
		if (!kind)
			buf_printf(out, "\"k%u\"%s:", pick(40),
				   pick(9) ? "" : " ");
		write_any(out, depth - 1);
	}
	buf_str(out, kind ? "]" : "}\t");
}

static void
spoil(struct buf *b)
{
	static const char bytes[] = "{}[],:\"\\ 0-.a\x01";

	for (unsigned i = pick(3); i > 0 && b->len > 0; i--)
		b->at[pick((unsigned)b->len)] = bytes[pick(sizeof(bytes))];
}

/* An escape behind it makes it jansson's. */
static bool
reads_alike(const struct buf *text, bool *read)
{
	AUTO_CLEAR(buf) odd = { 0 }, a = { 0 }, b = { 0 };
	AUTO(value) one = NULL;
	AUTO(value) both = NULL;
	struct err e = { 0 };
	bool good;

	buf_char(&odd, '[');
	buf_add(&odd, text->at, text->len);
	buf_str(&odd, ", \"\\u0041\"]");
	*read = json_parse(&one, buf_text(text), text->len, &e) == 0;
	good = json_parse(&both, odd.at, odd.len, &e) == 0 &&
	       both->list.len == 2;
	if (!good || !*read)
		return good == *read;
	value_json(one, 0, &a);
	value_json(both->list.at[0], 0, &b);
	return str_eq(a.at, b.at) && value_eq(one, both->list.at[0]);
}

static void
check_alike(void)
{
	size_t wrong = 0, good = 0;

	for (size_t i = 0; i < 50000; i++) {
		AUTO_CLEAR(buf) text = { 0 };
		bool read;

		write_any(&text, (int)pick(6));
		if (pick(2))
			spoil(&text);
		if (!reads_alike(&text, &read)) {
			printf("# otherwise: %.*s\n", (int)text.len,
			       buf_text(&text));
			wrong++;
		}
		good += read;
	}
	printf("# %zu were good\n", good);
	CHECK(0, wrong == 0 && good > 10000 && good < 49000);
}

int
main(void)
{
	AUTO_CLEAR(buf) deep = { 0 };
	struct value *v = NULL;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(buf) out = { 0 };
		int r = json_parse(&v, rows[i].text, strlen(rows[i].text), &e);

		CHECK(i, (r == 0) == (rows[i].want != NULL));
		if (r == 0)
			value_json(v, 0, &out);
		CHECK_SHOW(i, r < 0 || str_eq(out.at, rows[i].want), "%s",
			   out.at);
		value_free(STEAL(v));
	}
	for (i = 0; i < 100; i++)
		buf_char(&deep, '[');
	for (i = 0; i < 100; i++)
		buf_char(&deep, ']');
	CHECK(0, json_parse(&v, deep.at, deep.len, &e) < 0);
	check_alike();
	return test_end();
}
