#include <string.h>

#include "lib/base.h"
#include "lib/literal.h"
#include "tests/test.h"

/* text in, the same value printed as a literal; or the refusal's place */
static const struct {
	const char *text, *want, *refused;
} rows[] = {
	{ "1", "1", NULL },
	{ "-12", "-12", NULL },
	{ "0", "0", NULL },
	{ "3.50", "3.5", NULL },
	{ "1e3", "1000.0", NULL },
	{ ".5", "0.5", NULL },
	{ "5.", "5.0", NULL },
	{ "9223372036854775807", "9223372036854775807", NULL },
	{ "True", "True", NULL },
	{ "[None, False]", "[None, False]", NULL },
	{ "'a' \"b\"\n'c'", "'abc'", NULL },
	{ "'a\\n\\x41\\101\\u00e9\\q\\''", "\"a\\nAA\xc3\xa9\\\\q'\"", NULL },
	{ "'''a\n'b''''", NULL, "t:2:" },
	{ "'''a\n'b'''", "\"a\\n'b\"", NULL },
	{ "''", "''", NULL },
	{ "[]", "[]", NULL },
	{ "()", "()", NULL },
	{ "(1)", "1", NULL },
	{ "(1,)", "(1,)", NULL },
	{ "((1, 2), [3,],)", "((1, 2), [3])", NULL },
	{ "{'a': 1, \"b\": {'c': ()},}", "{'a': 1, 'b': {'c': ()}}", NULL },
	{ "# c\n[1, # x\n 2]\n# end", "[1, 2]", NULL },
	{ "\xef\xbb\xbf[1]\r\n", "[1]", NULL },
	{ "generate({'a': '1-3'})", "generate({'a': '1-3'})", NULL },
	{ "generate({'a': '1-3'},)\n", "generate({'a': '1-3'})", NULL },
	{ "generate({}, prefix='=')", "generate(({}, '='))", NULL },
	{ "generate({}, '=' ,)", "generate(({}, '='))", NULL },
	{ "generate({}, '=', 1)", NULL, "t:1:19: expected )" },
	{ "generate({} '=')", NULL, "t:1:13: expected ," },
	{ "", NULL, "t:1:1: the text ends" },
	{ "[1", NULL, "t:1:3: the text ends inside" },
	{ "[1\n\n 2]", NULL, "t:3:2: expected ," },
	{ "[1]]", NULL, "t:1:4: more text" },
	{ "01", NULL, "t:1:1: a number with leading zeros" },
	{ "0x10", NULL, "t:1:1: not a number" },
	{ "1_000", NULL, "t:1:1: not a number" },
	{ "1e", NULL, "t:1:1: not a number" },
	{ "--1", NULL, "t:1:1: not a number" },
	{ "99999999999999999999", NULL, "t:1:1: an integer of more" },
	{ "true", NULL, "t:1:1: not a string" },
	{ "Truex", NULL, "t:1:1: not a string" },
	{ "[generate({})]", NULL, "t:1:2: not a string" },
	{ "__import__('os')", NULL, "t:1:1: not a string" },
	{ "{'a': 1, 'a': 2}", NULL, "t:1:10: the key 'a' is there twice" },
	{ "{1: 2}", NULL, "t:1:2: a dict's key" },
	{ "{'a' 1}", NULL, "t:1:6: expected :" },
	{ "'abc", NULL, "t:1:1: a string that does not end" },
	{ "'a\nb'", NULL, "t:1:1: a string that does not end" },
	{ "['a', 'Z\xfcrich']", NULL, "t:1:7: text that is not UTF-8" },
	{ "'a\xc3' '\xbc'", NULL, "t:1:1: text that is not UTF-8" },
	{ "'\xed\xa0\x80'", NULL, "t:1:1: text that is not UTF-8" },
	{ "['Z\xc3\xbcrich', '\\x85'] # \xfc", "['Z\xc3\xbcrich', '\xc2\x85']",
	  NULL },
	{ "'\\x00'", NULL, "t:1:1: a \\ escape that is no character" },
	{ "'\\x4'", NULL, "t:1:1: a \\ escape with too few" },
	{ "'\\ud800'", NULL, "t:1:1: a \\ escape that is no character" },
	{ "[1,,2]", NULL, "t:1:4: not a string" },
	{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
	  "]",
	  NULL, "t:1:33: nested too deeply" },
};

static void
check_rows(void)
{
	const struct literal_opts opts = { .path = "t", .call = "generate" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(buf) shown = { 0 };
		struct value *v = NULL;
		struct err e = { 0 };
		int r = literal_parse(&v, rows[i].text, strlen(rows[i].text),
				      &opts, &e);

		if (rows[i].refused) {
			CHECK_SHOW(i,
				   r < 0 && str_starts(e.text, rows[i].refused),
				   "%s", e.text);
		} else {
			if (v)
				value_literal(v, &shown);
			CHECK_SHOW(i,
				   r == 0 && str_eq(buf_text(&shown),
						    rows[i].want),
				   "%s %s", buf_text(&shown), e.text);
		}
		value_free(v);
	}
}

/* The spans are what a written-back file stands on. */
static void
check_spans(void)
{
	static const char text[] = "[ {'a': 1} , # c\n  'x' 'y' ,\n (1, 2)\t,"
				   "'z' # it's\n, ( 'w' ) # \n ]";
	static const struct {
		size_t index;
		const char *want;
		unsigned line, column;
	} spans[] = {
		{ 0, "{'a': 1}", 1, 3 }, { 1, "'x' 'y'", 2, 3 },
		{ 2, "(1, 2)", 3, 2 },   { 3, "'z'", 3, 10 },
		{ 4, "( 'w' )", 4, 3 },
	};
	const struct literal_opts opts = { .path = "t" };
	struct value *v = NULL;
	struct err e = { 0 };
	size_t i;

	CHECK(0, literal_parse(&v, text, strlen(text), &opts, &e) == 0);
	for (i = 0; v && i < ARRAY_LEN(spans); i++) {
		const struct value *item = v->list.at[spans[i].index];
		size_t len = strlen(spans[i].want);

		CHECK(i, item->end - item->start == len &&
				 memcmp(text + item->start, spans[i].want,
					len) == 0);
		CHECK(i, item->line == spans[i].line &&
				 item->column == spans[i].column);
	}
	value_free(v);
}

/* A truncated file is never a valid one. */
static void
check_truncation(void)
{
	static const char text[] = "[('a', '$b', \"c\", 'gt(1)'), {'k': -1}]";
	const struct literal_opts opts = { .path = "t" };
	size_t n;

	for (n = 0; n < strlen(text); n++) {
		struct value *v = NULL;
		struct err e = { 0 };

		CHECK(n, literal_parse(&v, text, n, &opts, &e) < 0);
		value_free(v);
	}
}

static void
check_caps(void)
{
	const struct literal_opts few = { .path = "t", .max_nodes = 3 };
	const struct literal_opts small = { .path = "t", .max_bytes = 4 };
	struct value *v = NULL;
	struct err e = { 0 };

	CHECK(0, literal_parse(&v, "[1, 2, 3]", 9, &few, &e) < 0);
	CHECK(1, literal_parse(&v, "[1, 2]", 6, &small, &e) < 0);
	CHECK(2, literal_parse(&v, "[1\0]", 4, &small, &e) < 0 &&
			 str_eq(e.text, "t:1:3: a NUL byte"));
	CHECK(3, v == NULL);
}

int
main(void)
{
	check_rows();
	check_spans();
	check_truncation();
	check_caps();
	return test_end();
}
