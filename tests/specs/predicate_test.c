/* Predicates on words, and what a profile may not say. */
#include "specs/match.h"
#include "specs/predicate.h"
#include "tests/test.h"

static const struct {
	const char *call, *word;
	enum truth want;
} rows[] = {
	{ "gt(4)", "4.0000001", TRUTH_YES },
	{ "gt(4)", "4", TRUTH_NO },
	{ "gt( 4 )", "\t5\n", TRUTH_YES },
	{ "gt(\"4\")", "5", TRUTH_YES },
	{ "gt('4')", "1e1", TRUTH_YES },
	{ "lt(0)", "-.5", TRUTH_YES },
	{ "le(inf)", "Infinity", TRUTH_YES },
	{ "lt(-inf)", "0", TRUTH_NO },
	{ "gt(4)", "--5", TRUTH_UNREADABLE },
	{ "gt(4)", "+5", TRUTH_YES },
	{ "gt(4)", "+-5", TRUTH_UNREADABLE },
	{ "gt(4)", "5e", TRUTH_UNREADABLE },
	{ "gt(4)", "5 6", TRUTH_UNREADABLE },
	{ "gt(4)", ".", TRUTH_UNREADABLE },
	{ "gt(4)", "nan", TRUTH_UNREADABLE },
	{ "gt(4)", "0x10", TRUTH_UNREADABLE },
	{ "ge(18446744073709551615)", "18446744073709551614", TRUTH_NO },
	{ "range(1,1)", "1", TRUTH_YES },
	{ "not(gt(4))", "1000GB", TRUTH_UNREADABLE },
	{ "and(gt(4), in(x))", "y", TRUTH_NO },
	{ "and(gt(4), in(y))", "y", TRUTH_UNREADABLE },
	{ "or(gt(4), in(y))", "y", TRUTH_YES },
	{ "or(gt(4), in(x))", "y", TRUTH_UNREADABLE },
	{ "in('a,b', \"c)\", d (e, f), '')", "a,b", TRUTH_YES },
	{ "in('a,b', \"c)\", d (e, f), '')", "c)", TRUTH_YES },
	{ "in('a,b', \"c)\", d (e, f), '')", "d (e, f)", TRUTH_YES },
	{ "in('a,b', \"c)\", d (e, f), '')", "", TRUTH_YES },
	{ "in('a,b', \"c)\", d (e, f), '')", "d (e", TRUTH_NO },
	{ "in(it's)", "it's", TRUTH_YES },
	{ "regexp(a{1,2}b)", "xaab", TRUTH_YES },
	{ "regexp(^a{,2}$)", "aa", TRUTH_YES },
	{ "regexp(^a{,2}$)", "aaa", TRUTH_NO },
	{ "regexp(a\\Z)", "a", TRUTH_YES },
	{ "regexp(a\\Z)", "a\n", TRUTH_NO },
	{ "regexp(a$)", "a\n", TRUTH_YES },
	{ "regexp(^[[:]+$)", "[:", TRUTH_YES },
	{ "regexp(^[]x]+$)", "]x", TRUTH_YES },
	{ "regexp(^[^]]$)", "]", TRUTH_NO },
	{ "regexp((?P<n>a)(?P=n))", "aa", TRUTH_YES },
	{ "regexp('^a b$')", "a b", TRUTH_YES },
	{ "regexp( ^a )", "ab", TRUTH_YES },
	{ "and(regexp(^(a|b),[)]$), not(in(c)))", "b,)", TRUTH_YES },
	{ "and(regexp(\\)), regexp([(\\]]))", ")(", TRUTH_YES },
	/* Far beyond the limit of one search: unreadable, in no time. */
	{ "regexp(^(a|aa)+$)", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
	  TRUTH_UNREADABLE },
	{ "network(10.0.0.0/8)", "10.255.255.255", TRUTH_YES },
	{ "network(10.0.0.0/8)", "11.0.0.0", TRUTH_NO },
	{ "network(10.0.0.9)", "10.0.0.9", TRUTH_YES },
	{ "network(0.0.0.0/0)", "1.2.3.4", TRUTH_YES },
	{ "network(0.0.0.0/0)", "::1", TRUTH_NO },
	{ "network(0.0.0.0/0.0.0.0)", "1.2.3.4", TRUTH_YES },
	{ "network(10.1.0.0/255.255.0.0)", "10.1.2.3", TRUTH_YES },
	{ "network(10.1.0.0/0.0.255.255)", "10.2.2.3", TRUTH_NO },
	{ "network(2001:db8::/33)", "2001:db8:7fff::1", TRUTH_YES },
	{ "network(2001:db8::/33)", "2001:db8:8000::1", TRUTH_NO },
	{ "not(network(10.0.0.0/8))", "eth0", TRUTH_UNREADABLE },
	{ "not(network(10.0.0.0/8))", "10.1.2.3/8", TRUTH_UNREADABLE },
	{ "not(network(10.0.0.0/8))", "10.01.2.3", TRUTH_UNREADABLE },
};

static const struct {
	const char *word, *message; /* how it begins, place cut off */
} refused[] = {
	{ "gt(abc)", "gt() takes numbers, not 'abc'" },
	{ "gt(nan)", "gt() takes numbers" },
	{ "gt(1, 2)", "gt() takes 1 argument, not 2" },
	{ "gt()", "an argument is missing" },
	{ "gt(", "an argument is missing" },
	{ "gt(4", "gt( without its ')'" },
	{ "gt(4) x", "' x' behind the last ')'" },
	{ "range(1)", "range() takes 2 arguments, not 1" },
	{ "in(a,,b)", "an argument is missing" },
	{ "in('a)", "a quote ' without its end" },
	{ "in('a'b)", "text behind the quote '" },
	{ "and(gt(1))", "and() takes at least 2 arguments, not 1" },
	{ "not(x)", "not() takes predicates, not 'x)'" },
	{ "not(gt(4)", "not( without its ')'" },
	{ "not(regexp(a)", "not( without its ')'" },
	{ "regexp(a", "a '(' without its ')'" },
	{ "regexp()", "an argument is missing" },
	{ "regexp([)", "regexp: a [ without its ]" },
	{ "regexp((a)", "regexp: " },
	{ "regexp(\\Qa)", "regexp: an escape that re does not know at "
			  "character 1" },
	{ "regexp((*UTF)a)", "regexp: nothing to repeat at character 1" },
	{ "regexp(a\\)", "regexp: a backslash with nothing behind it" },
	{ "network(10.0.0.0/33)", "'33' is not a mask" },
	{ "network(10.0.0.0/255.0.255.0)", "'255.0.255.0' is not a mask" },
	{ "network(10.0.0/8)", "'10.0.0/8' is not a network" },
	{ "network(fe80::/129)", "'129' is not a mask (0 to 128" },
	{ "$", "a variable without a name" },
	{ "$=gt(4)", "a variable without a name" },
	{ "$x=", "'' is no predicate" },
	{ "$x=GT(4)", "'GT(4)' is no predicate; there are gt ge" },
	{ "not(not(not(not(not(not(not(not(not(not(not(not(not(not(not("
	  "not(not(gt(1))))))))))))))))))",
	  "nested more than 16 deep" },
};

static const struct {
	const char *word, *warning; /* NULL: none */
} odd[] = {
	{ "GT(4)", "'GT(4)': taken as plain text; did you mean gt(...)?" },
	{ "gt (4)", "'gt (4)': taken as plain text; did you mean gt(...)?" },
	{ "netwrk(1.2.3.4)", "'netwrk(1.2.3.4)': taken as plain text; did you "
			     "mean network(...)?" },
	{ "greater(4)", "'greater(4)': taken as plain text; predicates are" },
	{ "range(5, 1)", "'range(5, 1)': range() with its ends swapped" },
	{ "network(10.0.0.5/8)", "'network(10.0.0.5/8)': network() with bits" },
	{ "ProLiant DL360p Gen8 (654081-B21)", NULL },
	{ "edeploy_test_vm ()", NULL },
	{ "gt", NULL },
	{ "$x=gt(4)", NULL },
};

/* One row with this word, at line 2, column 18. */
static int
parse(struct patterns **p, const char *word, struct err *e)
{
	AUTO_CLEAR(buf) text = { 0 };

	buf_str(&text, "[\n ('a', 'b', 'c', \"");
	for (; *word; word++) {
		if (*word == '\\' || *word == '"')
			buf_char(&text, '\\');
		buf_char(&text, *word);
	}
	buf_str(&text, "\")]");
	return patterns_parse(p, "p", text.at, text.len, e);
}

static void
check_refused(size_t i)
{
	static const char place[] = "p:2:18: ";
	AUTO(patterns) p = NULL;
	struct err e = { 0 };
	int r = parse(&p, refused[i].word, &e);

	CHECK_SHOW(
		i,
		r < 0 && e.kind == ERR_INPUT && str_starts(e.text, place) &&
			str_starts(e.text + strlen(place), refused[i].message),
		"%s: %s", refused[i].word, e.text);
}

static void
check_odd(size_t i)
{
	AUTO(patterns) p = NULL;
	struct err e = { 0 };
	const char *warning;
	unsigned line = 0;

	CHECK_SHOW(i, parse(&p, odd[i].word, &e) == 0, "%s", e.text);
	warning = p ? patterns_warning(p, 0, &line) : NULL;
	if (odd[i].warning)
		CHECK_SHOW(i,
			   warning && str_starts(warning, odd[i].warning) &&
				   line == 2,
			   "%s", warning ? warning : "none");
	else
		CHECK_SHOW(i, !warning, "%s", warning);
}

int
main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(predicate) p = NULL;
		struct err e = { 0 };
		const char *remark = NULL;

		CHECK_SHOW(i,
			   predicate_parse(&p, rows[i].call, &remark, &e) == 0,
			   "%s", e.text);
		CHECK_SHOW(i,
			   p && predicate_eval(p, rows[i].word) == rows[i].want,
			   "%s on %s", rows[i].call, rows[i].word);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		check_refused(i);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		check_odd(i);
	return test_end();
}
