/* The table of cases is data (match_cases.txt, in the literal syntax): each a
 * dict with name, patterns, facts, and what must come of them: `hit` with the
 * variables, `miss`, or `refused` with a piece of the message. */
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/literal.h"
#include "specs/match.h"
#include "tests/test.h"

static struct facts *
facts_of(const struct value *v)
{
	AUTO_CLEAR(buf) json = { 0 };
	struct facts *f = NULL;
	struct err e = { 0 };

	value_json(v, 0, &json);
	if (facts_from_json(&f, json.at, json.len, &e) < 0)
		printf("# %s\n", e.text);
	return f;
}

static bool
same_bindings(const struct bindings *b, const struct value *want)
{
	size_t i;

	if (!want || b->len != want->dict.len)
		return false;
	for (i = 0; i < want->dict.len; i++) {
		const struct value *v = want->dict.at[i].value;

		if (!str_eq(bindings_get(b, want->dict.at[i].key),
			    v->kind == VALUE_STR ? v->str.at : "?"))
			return false;
	}
	return true;
}

static void
show(const struct value *row, const struct match *m)
{
	size_t i;

	printf("# %s: outcome %d\n", value_get_str(row, "name"), m->outcome);
	for (i = 0; m->bindings && i < m->bindings->len; i++)
		printf("#   %s = %s\n", m->bindings->at[i].name,
		       m->bindings->at[i].value);
}

static void
check_case(size_t i, const struct value *row)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO(patterns) p = NULL;
	AUTO(facts) f = facts_of(value_get(row, "facts"));
	const char *refused = value_get_str(row, "refused");
	const struct value *hit = value_get(row, "hit");
	struct err e = { 0 };
	struct match m;
	bool good;

	value_literal(value_get(row, "patterns"), &text);
	if (patterns_parse(&p, "t", text.at, text.len, &e) < 0) {
		CHECK_SHOW(i, refused && strstr(e.text, refused), "%s: %s",
			   value_get_str(row, "name"), e.text);
		return;
	}
	CHECK_SHOW(i, !refused, "%s: not refused", value_get_str(row, "name"));
	if (!f) {
		CHECK(i, 0);
		return;
	}
	match_run(p, f, 0, &m);
	good = hit ? m.outcome == MATCH_HIT && same_bindings(m.bindings, hit)
		   : m.outcome == MATCH_MISS;
	CHECK(i, good);
	if (!good)
		show(row, &m);
	match_clear(&m);
}

/* `disks` interchangeable disks, a variable for each, and one last pattern
 * that nothing can satisfy, but only in combination with the others. */
static void
check_symmetry(size_t disks)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO(patterns) p = NULL;
	AUTO(facts) f = facts_new();
	struct err e = { 0 };
	struct match m;
	int64_t began;
	size_t i;

	buf_str(&text, "[");
	for (i = 0; i < disks; i++) {
		char name[16];

		snprintf(name, sizeof(name), "sd%zu", i);
		facts_add(f, "disk", name, "size", "8");
		facts_add(f, "disk", name, "slot", "1");
		buf_printf(&text, "('disk', '$d%zu', 'size', 'gt(4)'), ", i);
	}
	facts_add(f, "ctrl", "c0", "for", "nobody");
	facts_add(f, "ctrl", "c1", "is", "here");
	buf_str(&text, "('ctrl', '$c', 'for', 'nobody'), "
		       "('ctrl', '$c', 'is', '$what'), ");
	for (i = 0; i < disks; i++)
		buf_printf(&text, "('disk', '$d%zu', 'slot', '1'), ", i);
	buf_str(&text, "]");
	CHECK_SHOW(disks, patterns_parse(&p, "t", text.at, text.len, &e) == 0,
		   "%s", e.text);
	began = clock_boot_ms();
	match_run(p, f, 0, &m);
	CHECK(disks, m.outcome == MATCH_MISS);
	printf("# show: %zu interchangeable disks: %lu steps, %d ms\n", disks,
	       m.steps, (int)(clock_boot_ms() - began));
	match_clear(&m);
}

/* One disk too few, with slots that make every disk different. */
static void
check_shortage(void)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO(patterns) p = NULL;
	AUTO(facts) f = facts_new();
	struct err e = { 0 };
	struct match m;
	size_t i;

	buf_str(&text, "[");
	for (i = 0; i < 17; i++) {
		char name[16];

		snprintf(name, sizeof(name), "sd%zu", i);
		if (i < 16) {
			facts_add(f, "disk", name, "size", "8");
			facts_addf(f, "disk", name, "slot", "%zu", i);
		}
		buf_printf(&text,
			   "('disk', '$d%zu', 'size', '8'), "
			   "('disk', '$d%zu', 'slot', '$s%zu'), ",
			   i, i, i);
	}
	buf_str(&text, "]");
	CHECK(0, patterns_parse(&p, "t", text.at, text.len, &e) == 0);
	match_run(p, f, 0, &m);
	CHECK(0, m.outcome == MATCH_MISS && m.steps < 100);
	match_clear(&m);
}

int
main(int argc, char **argv)
{
	const struct literal_opts opts = { .path = "match_cases.txt" };
	AUTO_FREE char *text = NULL;
	struct value *cases = NULL;
	struct err e = { 0 };
	size_t i, len = 0;

	CHECK(0, argc == 2 &&
			 file_read(argv[1], 1 << 22, &text, &len, &e) == 0 &&
			 literal_parse(&cases, text, len, &opts, &e) == 0);
	for (i = 0; cases && i < cases->list.len; i++)
		check_case(i, cases->list.at[i]);
	value_free(cases);
	check_symmetry(8);
	check_symmetry(16);
	check_symmetry(24);
	check_shortage();
	return test_end();
}
