/* The matcher where it is hard: many disks alike, a row that spoils all, and
 * matches far from where a search begins. And what it tells besides yes. */
#include <stdio.h>

#include "lib/clock.h"
#include "specs/match.h"
#include "tests/test.h"

/* A profile and a machine, written row by row. */
struct site {
	struct buf rows;
	struct facts *facts;
};

static struct match
run(struct site *s, size_t number)
{
	AUTO(patterns) p = NULL;
	struct err e = { 0 };
	struct match m = { 0 };
	int64_t start = clock_boot_ms();

	CHECK_SHOW(number,
		   patterns_parse(&p, "hard", buf_text(&s->rows), s->rows.len,
				  &e) == 0,
		   "%s", e.text);
	if (p)
		match_run(p, s->facts, 0, &m);
	printf("# row %zu: outcome %d, %lu steps, %d ms\n", number, m.outcome,
	       m.steps, (int)(clock_boot_ms() - start));
	buf_clear(&s->rows);
	facts_free(s->facts);
	s->facts = NULL;
	return m;
}

static void
start(struct site *s)
{
	*s = (struct site){ .facts = facts_new() };
	buf_str(&s->rows, "[");
}

/* `there` disks alike but for serial and slot (a letter each), of which the
 * first `typed` are of type z; a profile that wants `wanted` of them. */
static void
write_disks(struct site *s, int there, int wanted, int typed)
{
	for (int i = 0; i < there; i++) {
		char name[16];

		snprintf(name, sizeof(name), "sd%c", 'a' + i);
		facts_add(s->facts, "disk", name, "size", "8");
		facts_addf(s->facts, "disk", name, "serial", "S%d", i);
		facts_addf(s->facts, "disk", name, "slot", "%c", 'a' + i);
		if (i < typed)
			facts_add(s->facts, "disk", name, "type", "z");
	}
	for (int i = 1; i <= wanted; i++)
		buf_printf(&s->rows,
			   "('disk', '$d%d', 'size', 'gt(4)'),\n"
			   "('disk', '$d%d', 'serial', '$s%d'),\n",
			   i, i, i);
}

static const struct {
	int there, wanted, typed;
	const char *last;   /* rows behind those of the disks */
	const char *d1;     /* what $d1 is worth, NULL: a miss */
	unsigned long most; /* steps */
} rows[] = {
	{ 8, 8, 0, "('no', 'such', 'row', 'here')]", NULL, 0 },
	{ 8, 8, 0, "('disk', '$d8', 'type', 'z')]", NULL, 0 },
	{ 8, 8, 1,
	  "('disk', '$d1', 'type', 'z'), ('disk', '$d2', 'type', 'z')]", NULL,
	  5000 },
	{ 16, 16, 1,
	  "('disk', '$d1', 'type', 'z'), ('disk', '$d2', 'type', 'z')]", NULL,
	  5000 },
	{ 24, 24, 1,
	  "('disk', '$d1', 'type', 'z'), ('disk', '$d2', 'type', 'z')]", NULL,
	  5000 },
	{ 24, 24, 2,
	  "('disk', '$d1', 'type', 'z'), ('disk', '$d2', 'type', 'z'),"
	  "('disk', '$d3', 'type', 'z')]",
	  NULL, 5000 },
	{ 24, 24, 3,
	  "('disk', '$d7', 'type', 'z'), ('disk', '$d7', 'slot', 'x')]", NULL,
	  20000 },
	{ 16, 17, 0, "]", NULL, 0 },
	{ 24, 25, 0, "]", NULL, 0 },
	{ 24, 24, 0, "]", "sda", 500 },
	/* Each last row alone can be; it takes 23 others to move. */
	{ 24, 24, 0,
	  "('disk', '$d24', 'slot', 'a'), ('disk', '$d1', 'slot', 'w')]", "sdw",
	  1000000 },
	{ 24, 24, 24,
	  "('disk', '$d24', 'slot', 'a'), ('disk', '$d1', 'slot', 'w'),"
	  "('disk', '$d12', 'slot', 'x'), ('disk', '$d13', 'slot', 'b')]",
	  "sdw", 1000000 },
};

static void
check_disks(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct site s;
		struct match m;

		start(&s);
		write_disks(&s, rows[i].there, rows[i].wanted, rows[i].typed);
		buf_str(&s.rows, rows[i].last);
		m = run(&s, i);
		CHECK(i, m.outcome == (rows[i].d1 ? MATCH_HIT : MATCH_MISS));
		CHECK_SHOW(i, m.steps <= rows[i].most, "%lu steps", m.steps);
		if (m.outcome == MATCH_HIT)
			CHECK(i, str_eq(bindings_get(m.bindings, "d1"),
					rows[i].d1));
		match_clear(&m);
	}
}

/* What cannot be told apart in a budget is neither yes nor no. */
static void
check_budget(void)
{
	AUTO(patterns) p = NULL;
	struct err e = { 0 };
	struct match m;
	struct site s;

	start(&s);
	write_disks(&s, 12, 12, 0);
	buf_str(&s.rows,
		"('disk', '$d12', 'slot', 'a'), ('disk', '$d1', 'slot', 'k')]");
	CHECK(0, patterns_parse(&p, "t", s.rows.at, s.rows.len, &e) == 0);
	match_run(p, s.facts, 10, &m);
	CHECK_SHOW(0, m.outcome == MATCH_GAVE_UP && !m.bindings, "%d",
		   m.outcome);
	match_clear(&m);
	match_run(p, s.facts, 0, &m);
	CHECK(0, m.outcome == MATCH_HIT);
	match_clear(&m);
	buf_clear(&s.rows);
	facts_free(s.facts);
}

static const struct {
	const char *rows;
	size_t failed;
} reasons[] = {
	{ "[('disk', '$d', 'size', '8'), ('disk', '$d', 'slot', 'q')]", 1 },
	{ "[('disk', '$d', 'size', '9'), ('disk', '$d', 'slot', 'q')]", 0 },
	{ "[('disk', '$d', 'slot', 'a'), ('disk', '$e', 'slot', 'b'),"
	  " ('disk', '$d', 'serial', 'S1'), ('disk', '$e', 'size', '8')]",
	  2 },
	{ "[('disk', '$d', 'slot', '$x'), ('disk', '$d', 'serial', '$x')]", 1 },
};

static void
check_reasons(void)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		struct site s;
		struct match m;

		start(&s);
		write_disks(&s, 3, 0, 0);
		buf_reset(&s.rows);
		buf_str(&s.rows, reasons[i].rows);
		m = run(&s, i);
		CHECK_SHOW(i,
			   m.outcome == MATCH_MISS &&
				   m.failed == reasons[i].failed,
			   "row %zu", m.failed);
		match_clear(&m);
	}
}

static void
check_origin(void)
{
	const struct binding *b;
	struct match m;
	struct site s;

	start(&s);
	facts_add(s.facts, "network", "eth0", "serial", "52:54:00:00:00:01");
	buf_str(&s.rows, "('network', '$eth', 'serial', '$$mac'),]");
	m = run(&s, 0);
	CHECK(0, m.outcome == MATCH_HIT && m.bindings->len == 2);
	b = m.bindings->at;
	CHECK(0,
	      str_eq(b[0].name, "eth") && !b[0].key && b[0].word == FACT_NAME);
	CHECK(0, str_eq(b[1].name, "mac") && b[1].key &&
			 b[1].word == FACT_VALUE &&
			 str_eq(b[1].cls, "network") &&
			 str_eq(b[1].property, "serial"));
	match_clear(&m);
}

static void
add_serial(void *ctx, const struct bindings *b)
{
	struct buf *out = ctx;

	buf_printf(out, "%s=%s ", bindings_get(b, "eth"),
		   bindings_get(b, "serial"));
}

static void
check_each(void)
{
	static const char text[] = "[('network', '$eth', 'serial', '$serial')]";
	AUTO_CLEAR(buf) seen = { 0 };
	AUTO(patterns) p = NULL;
	AUTO(facts) f = facts_new();
	struct err e = { 0 };

	CHECK(0, patterns_parse(&p, "t", text, strlen(text), &e) == 0);
	CHECK(0, match_each(p, f, add_serial, &seen) == 0);
	facts_add(f, "network", "eth1", "serial", "b");
	facts_add(f, "network", "eth0", "serial", "a");
	facts_add(f, "network", "eth0", "link", "yes");
	CHECK(0, match_each(p, f, add_serial, &seen) == 2);
	CHECK(0, str_eq(buf_text(&seen), "eth1=b eth0=a "));
}

int
main(void)
{
	check_disks();
	check_budget();
	check_reasons();
	check_origin();
	check_each();
	return test_end();
}
