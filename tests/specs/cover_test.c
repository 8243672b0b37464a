/* What one predicate says of another, and one profile of another; and that it
 * is true of machines. */
#include <stdio.h>
#include <stdlib.h>

#include "specs/cover.h"
#include "specs/match.h"
#include "specs/predicate.h"
#include "tests/test.h"

/* ---- predicates ---- */

static const struct {
	const char *a, *b;
	bool want; /* every word that fits a fits b */
} words[] = {
	{ "gt(10)", "gt(4)", true },
	{ "gt(4)", "gt(10)", false },
	{ "gt(4)", "ge(4)", true },
	{ "ge(4)", "gt(4)", false },
	{ "ge(4)", "gt(3.5)", true },
	{ "range(5, 7)", "gt(4)", true },
	{ "range(5, 7)", "le(7)", true },
	{ "range(5, 7)", "lt(7)", false },
	{ "gt(4)", "range(4, inf)", true },
	{ "lt(4)", "lt(inf)", true },
	{ "gt(4)", "lt(inf)", false },
	{ "in(5, 6)", "gt(4)", true },
	{ "in(5, x)", "gt(4)", false },
	{ "in(a, b)", "in(a, b, c)", true },
	{ "in(a, b, d)", "in(a, b, c)", false },
	{ "in(abc, abd)", "regexp(^ab)", true },
	{ "regexp(^ab)", "regexp(^ab)", true },
	{ "regexp(^abc)", "regexp(^ab)", false }, /* true, but not certain */
	{ "network(10.1.0.0/16)", "network(10.0.0.0/8)", true },
	{ "network(10.0.0.0/8)", "network(10.1.0.0/16)", false },
	{ "network(10.0.0.0/8)", "network(fe80::/10)", false },
	{ "and(gt(4), lt(9))", "gt(3)", true },
	{ "and(gt(4), lt(9))", "range(4, 9)", false }, /* not certain */
	{ "range(5, 8)", "and(gt(4), lt(9))", true },
	{ "gt(4)", "or(gt(3), in(x))", true },
	{ "or(gt(4), in(5))", "gt(3)", true },
	{ "or(gt(4), in(x))", "gt(3)", false },
	{ "or(gt(4), in(x))", "or(in(x), gt(4))", true },
	{ "not(gt(4))", "not(gt(10))", true },
	{ "not(gt(10))", "not(gt(4))", false },
	{ "not(in(a))", "not(in(a))", false }, /* true, but not certain */
	{ "not(gt(4))", "le(4)", false },      /* true, but not certain */
};

static void
test_words(void)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		AUTO(predicate) a = NULL;
		AUTO(predicate) b = NULL;
		struct err e = { 0 };
		const char *odd;

		CHECK(i,
		      predicate_parse(&a, words[i].a, &odd, &e) == 0 &&
			      predicate_parse(&b, words[i].b, &odd, &e) == 0);
		CHECK_SHOW(i, predicate_implies(a, b) == words[i].want,
			   "%s -> %s", words[i].a, words[i].b);
	}
}

/* ---- profiles ---- */

#define DISK(test) "('disk', '$d', 'size', '" test "')"

static const struct {
	const char *general, *special;
	bool want;
} rows[] = {
	{ "[]", "[" DISK("gt(4)") "]", true },
	{ "[" DISK("gt(4)") "]", "[]", false },
	{ "[" DISK("gt(4)") "]", "[" DISK("gt(10)") "]", true },
	{ "[" DISK("gt(10)") "]", "[" DISK("gt(4)") "]", false },
	{ "[" DISK("gt(4)") "]", "[" DISK("8") "]", true },
	{ "[" DISK("8") "]", "[" DISK("gt(4)") "]", false },
	/* two disks must be two */
	{ "[('disk', '$a', 'size', 'gt(4)'), ('disk', '$b', 'size', 'gt(4)')]",
	  "[('disk', '$a', 'size', 'gt(4)')]", false },
	{ "[('disk', '$a', 'size', 'gt(4)')]",
	  "[('disk', '$a', 'size', 'gt(8)'), ('disk', '$b', 'size', 'gt(9)')]",
	  true },
	/* the variable joins rows */
	{ "[('disk', '$a', 'size', 'gt(4)'), ('disk', '$a', 'type', 'x')]",
	  "[('disk', '$a', 'size', 'gt(4)'), ('disk', '$b', 'type', 'x')]",
	  false },
	{ "[('disk', '$a', 'size', 'gt(4)'), ('disk', '$b', 'type', 'x')]",
	  "[('disk', '$a', 'size', 'gt(4)'), ('disk', '$a', 'type', 'x')]",
	  true },
	{ "[('disk', '$a', 'size', '$s'), ('disk', '$b', 'type', '$s')]",
	  "[('disk', 'sda', 'size', '8'), ('disk', 'sdb', 'type', '8')]",
	  true },
	{ "[('disk', '$a', 'size', '$s'), ('disk', '$b', 'type', '$s')]",
	  "[('disk', 'sda', 'size', '8'), ('disk', 'sdb', 'type', '9')]",
	  false },
	/* the second way is the right one */
	{ "[('disk', '$a', 'size', 'gt(4)'), ('disk', '$a', 'type', 'x')]",
	  "[('disk', '$p', 'size', 'gt(5)'), ('disk', '$q', 'size', 'gt(6)'),"
	  " ('disk', '$q', 'type', 'x')]",
	  true },
	{ "[('network', '$e', 'serial', '$m')]",
	  "[('network', '$eth', 'serial', '$$mac')]", true },
	{ "[('network', '$e', 'ipv4', '$ip=network(10.0.0.0/8)')]",
	  "[('network', 'eth0', 'ipv4', 'network(10.2.0.0/16)')]", true },
};

static struct patterns *
parse(size_t i, const char *text)
{
	struct patterns *p = NULL;
	struct err e = { 0 };

	CHECK_SHOW(i,
		   patterns_parse(&p, "x.specs", text, strlen(text), &e) == 0,
		   "%s", e.text);
	return p;
}

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(patterns) general = parse(i, rows[i].general);
		AUTO(patterns) special = parse(i, rows[i].special);

		CHECK(i, patterns_cover(general, special) == rows[i].want);
		CHECK(i, patterns_cover(general, general));
	}
}

/* ---- of machines, at random ---- */

static const char *
any(const char *const *list, size_t len)
{
	return list[(size_t)random() % len];
}

static char *
random_profile(void)
{
	static const char *const classes[] = { "disk", "net", "$c" };
	static const char *const names[] = { "a", "b", "$x", "$y" };
	static const char *const values[] = { "1",        "2",       "gt(0)",
					      "gt(1)",    "lt(3)",   "$v",
					      "$v=gt(1)", "in(1,2)", "$x" };
	AUTO_CLEAR(buf) out = { 0 };
	long len = random() % 4;

	buf_str(&out, "[");
	for (long i = 0; i < len; i++)
		buf_printf(&out, "('%s', '%s', 'p', '%s'),",
			   any(classes, ARRAY_LEN(classes)),
			   any(names, ARRAY_LEN(names)),
			   any(values, ARRAY_LEN(values)));
	buf_str(&out, "]");
	return buf_take(&out);
}

static struct facts *
random_machine(void)
{
	static const char *const classes[] = { "disk", "net" };
	static const char *const names[] = { "a", "b", "c" };
	static const char *const values[] = { "1", "2", "3", "a" };
	struct facts *f = facts_new();
	long len = random() % 5;

	for (long i = 0; i < len; i++)
		facts_add(f, any(classes, 2), any(names, 3), "p",
			  any(values, 4));
	return f;
}

static bool
fits(const struct patterns *p, const struct facts *f)
{
	struct match m;
	bool hit;

	match_run(p, f, 0, &m);
	hit = m.outcome == MATCH_HIT;
	match_clear(&m);
	return hit;
}

static void
test_random(void)
{
	size_t covered = 0, told = 0;

	srandom(11);
	for (size_t i = 0; i < 20000; i++) {
		AUTO_FREE char *a = random_profile(), *b = random_profile();
		AUTO(patterns) general = NULL;
		AUTO(patterns) special = NULL;
		struct err e = { 0 };

		if (patterns_parse(&general, "a", a, strlen(a), &e) < 0 ||
		    patterns_parse(&special, "b", b, strlen(b), &e) < 0 ||
		    !patterns_cover(general, special))
			continue;
		covered++;
		for (int n = 0; n < 20; n++) {
			AUTO(facts) f = random_machine();

			if (!fits(special, f))
				continue;
			told++;
			if (!fits(general, f))
				CHECK_SHOW(i, false, "%s does not cover %s", a,
					   b);
		}
	}
	CHECK_SHOW(0, covered > 1000 && told > 1000, "%zu, %zu", covered, told);
}

int
main(void)
{
	test_words();
	test_rows();
	test_random();
	return test_end();
}
