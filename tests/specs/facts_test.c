#include "lib/base.h"
#include "specs/facts.h"
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
	return test_end();
}
