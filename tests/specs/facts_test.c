#include "lib/base.h"
#include "specs/facts_id.h"
#include "tests/test.h"

static const struct {
	const char *json, *want, *refused;
} rows[] = {
	{ "[[\"a\",\"b\",\"c\",\"d\"]]", "d", NULL },
	{ "[[\"a\",\"b\",\"c\",4]]", "4", NULL },
	{ "[[\"a\",\"b\",\"c\",3600.0]]", "3600.0", NULL },
	{ "[[\"a\",\"b\",\"c\",\"Caf\xc3\xa9 \xe2\x84\xa2X\"]]", "Caf X",
	  NULL },
	{ "[]", NULL, NULL },
	{ " [ [\"a\" , \"b\",\n\"c\",\t\"d\" ] ]\r\n", "d", NULL },
	{ "[[\"a\",\"b\",\"c\",\"\"]]", "", NULL },
	{ "[[\"a\",\"b\",\"c\",\"\\u0064\\\"\"]]", "d\"", NULL },
	{ "[[\"a\",\"b\",\"c\",\"d\"]] x", NULL, "JSON, line 1" },
	{ "[[\"a\",\"b\",\"c\",\"d\"],]", NULL, "JSON, line 1" },
	{ "[[\"a\",\"b\",\"c\",\"d\"]", NULL, "JSON, line 1" },
	{ "[[\"a\",\"b\",\"c\",\"d", NULL, "JSON, line 1" },
	{ "[[\"a\",\"b\",\"c\"]]", NULL, "fact 1: not a list of four" },
	{ "[[\"a\",\"b\",\"c\",\"d\",\"e\"]]", NULL, "fact 1: not a list" },
	{ "[[\"a\",\"b\",\"c\",true]]", NULL, "fact 1, value: not a text" },
	{ "[[\"a\",\"b\",\"c\",null]]", NULL, "fact 1, value: not a text" },
	{ "[[\"a\",\"b\",\"c\",\"d\"],[1]]", NULL,
	  "fact 2: not a list of four" },
	{ "[1]", NULL, "fact 1: not a list" },
	{ "{\"data\": []}", NULL, "facts are a list" },
	{ "[[\"a\",\"b\",\"c\",\"\\u0000\"]]", NULL,
	  "fact 1, value: has a NUL" },
	{ "not json", NULL, "JSON, line 1" },
	{ "", NULL, "JSON, line 1" },
};

static void
check_caps(void)
{
	AUTO_CLEAR(buf) b = { 0 };
	struct facts *f = NULL;
	struct err e = { 0 };
	size_t i;

	buf_str(&b, "[[\"a\",\"b\",\"c\",\"");
	for (i = 0; i < FACT_WORD_MAX + 1; i++)
		buf_char(&b, 'x');
	buf_str(&b, "\"]]");
	CHECK(0, facts_from_json(&f, b.at, b.len, &e) < 0);
	buf_reset(&b);
	for (i = 0; i <= FACTS_MAX; i++)
		buf_str(&b, i ? ",[1,2,3,4]" : "[[1,2,3,4]");
	buf_str(&b, "]");
	CHECK(1, facts_from_json(&f, b.at, b.len, &e) < 0 &&
			 str_eq(e.text, "more than 20000 facts"));
	while (b.len <= FACTS_MAX_BYTES)
		buf_char(&b, ' ');
	CHECK(2, facts_from_json(&f, b.at, b.len, &e) < 0 &&
			 str_eq(e.text, "facts larger than 1 MiB"));
}

/* The text of each word once, however it came, and each with one number. */
static void
check_ids(void)
{
	static const char plain[] = "[[\"a\",\"a\",\"b\",\"c\"],"
				    "[\"a\",\"c\",\"b\",\"a\"]]";
	static const char escaped[] = "[[\"\\u0061\",\"a\",\"b\",\"c\"],"
				      "[\"a\",\"c\",\"b\",\"a\"]]";
	AUTO(facts) f = NULL;
	AUTO(facts) g = NULL;
	struct err e = { 0 };
	bool same = true;

	CHECK(0,
	      facts_from_json(&f, plain, strlen(plain), &e) == 0 &&
		      facts_from_json(&g, escaped, strlen(escaped), &e) == 0 &&
		      facts_len(f) == 2 && facts_len(g) == 2);
	CHECK(0, facts_ids(f) == 3 && facts_ids(g) == 3);
	for (size_t i = 0; i < 2; i++)
		for (int w = 0; w < FACT_WORDS; w++)
			same &= facts_id(f, i, w) == facts_id(g, i, w) &&
				str_eq(facts_at(f, i)->word[w],
				       facts_at(g, i)->word[w]);
	CHECK(0, same);
	CHECK(0, facts_id(f, 0, 0) == facts_id(f, 1, 3) &&
			 facts_id(f, 0, 3) == facts_id(f, 1, 1));
}

/* A word of detection that is too long is cut, and is one word then. */
static void
check_cut(void)
{
	AUTO(facts) f = facts_new();
	AUTO_CLEAR(buf) b = { 0 };

	for (int i = 0; i < FACT_WORD_MAX + 5; i++)
		buf_char(&b, 'x');
	facts_add(f, "a", "b", "c", b.at);
	b.at[FACT_WORD_MAX] = '\0';
	facts_add(f, "z", "z", "z", b.at);
	CHECK(0, str_eq(facts_at(f, 0)->word[3], b.at));
	CHECK(0, facts_id(f, 0, 3) == facts_id(f, 1, 3));
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(facts) f = NULL;
		AUTO(facts) again = NULL;
		AUTO_CLEAR(buf) json = { 0 };
		struct err e = { 0 };
		int r = facts_from_json(&f, rows[i].json, strlen(rows[i].json),
					&e);

		if (rows[i].refused) {
			CHECK_SHOW(i,
				   r < 0 && str_starts(e.text, rows[i].refused),
				   "%s", e.text);
			continue;
		}
		CHECK(i, r == 0);
		CHECK(i, str_eq(facts_find(f, "a", NULL, "c"), rows[i].want));
		facts_to_json(f, &json);
		CHECK(i, facts_from_json(&again, json.at, json.len, &e) == 0 &&
				 facts_len(again) == facts_len(f));
	}
	check_caps();
	check_ids();
	check_cut();
	return test_end();
}
