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
	return test_end();
}
