/* The matcher against two searchers that are too simple to be wrong, on small
 * random machines with fixed seeds: one that tries every way there is, for
 * whether there is a match; and the first eDeploy's search as it stood, for the
 * variables it gave wherever it found a match. */
#include <stdio.h>

#include "specs/match.h"
#include "tests/test.h"

#define ROWS 7
#define FACTS 12
#define VARS 6
#define FREE (-1)
#define ANY 100 /* regexp(^): true of every word */

/* A word of a row: below 10 that word, ANY, or -1 - variable. */
struct machine {
	int rows, facts;
	int row[ROWS][4], fact[FACTS][4];
};

static uint64_t seed;

static int
pick(int n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (int)((seed >> 33) % (uint64_t)n);
}

/* Names, properties and values of a few kinds, so that rows interact. */
static void
draw(struct machine *m)
{
	int names = 2 + pick(4), values = 1 + pick(3);

	m->rows = 2 + pick(ROWS - 1);
	m->facts = m->rows + pick(FACTS - m->rows + 1);
	for (int f = 0; f < m->facts; f++) {
		m->fact[f][0] = 0;
		m->fact[f][1] = pick(names);
		m->fact[f][2] = pick(2);
		m->fact[f][3] = pick(values);
	}
	for (int r = 0; r < m->rows; r++) {
		m->row[r][0] = 0;
		m->row[r][1] =
			pick(8) ? -1 - pick(4) : (pick(2) ? ANY : pick(names));
		m->row[r][2] = pick(8) ? pick(2) : ANY;
		m->row[r][3] = pick(3) ? pick(values)
				       : (pick(2) ? -1 - 4 - pick(2) : ANY);
	}
}

static bool
fits(const int row[4], const int fact[4], int vars[VARS])
{
	for (int w = 0; w < 4; w++) {
		int *v = row[w] < 0 ? &vars[-1 - row[w]] : NULL;

		if (row[w] == ANY)
			continue;
		if (!v && row[w] != fact[w])
			return false;
		if (v && *v != FREE && *v != fact[w])
			return false;
		if (v)
			*v = fact[w];
	}
	return true;
}

static bool
any_way(const struct machine *m, int at, unsigned taken, const int vars[VARS])
{
	if (at == m->rows)
		return true;
	for (int f = 0; f < m->facts; f++) {
		int mine[VARS];

		memcpy(mine, vars, sizeof(mine));
		if (!(taken >> f & 1) && fits(m->row[at], m->fact[f], mine) &&
		    any_way(m, at + 1, taken | 1u << f, mine))
			return true;
	}
	return false;
}

/* --- the first eDeploy's search, line by line ------------------------- */

struct lines {
	int at[FACTS], len;
};

static int
drop(struct lines *l, int i)
{
	int f = l->at[i];

	memmove(&l->at[i], &l->at[i + 1],
		(size_t)(l->len - i - 1) * sizeof(l->at[0]));
	l->len--;
	return f;
}

static int
take_first(const struct machine *m, int row, struct lines *l, int vars[VARS])
{
	for (int i = 0; i < l->len; i++) {
		int mine[VARS];

		memcpy(mine, vars, sizeof(mine));
		if (!fits(m->row[row], m->fact[l->at[i]], mine))
			continue;
		memcpy(vars, mine, sizeof(mine));
		return drop(l, i);
	}
	return -1;
}

struct point {
	struct lines lines;
	int row, vars[VARS];
};

static long calls;

/* 1 found, 0 not, -1 too long for this test. */
static int
first_match(const struct machine *m, struct lines lines, int row, int *vars,
	    int level)
{
	struct point points[ROWS];
	int n = 0, r;

	if (level == 50)
		return 0;
	if (++calls > 20000)
		return -1;
	for (; row < m->rows; row++) {
		int before[VARS], f;

		memcpy(before, vars, sizeof(before));
		f = take_first(m, row, &lines, vars);
		if (f < 0)
			break;
		if (memcmp(before, vars, sizeof(before)) == 0)
			continue;
		points[n] = (struct point){ .lines = lines, .row = row };
		points[n].lines.at[points[n].lines.len++] = f;
		memcpy(points[n++].vars, before, sizeof(before));
	}
	if (row == m->rows)
		return 1;
	while (n-- > 0) {
		r = first_match(m, points[n].lines, points[n].row,
				points[n].vars, level + 1);
		if (r)
			memcpy(vars, points[n].vars, sizeof(points[n].vars));
		if (r)
			return r;
	}
	return 0;
}

/* --- as eDeploy reads it ---------------------------------------------- */

static void
write_machine(const struct machine *m, struct buf *rows, struct facts *f)
{
	buf_str(rows, "[");
	for (int r = 0; r < m->rows; r++) {
		buf_str(rows, "(");
		for (int w = 0; w < 4; w++)
			if (m->row[r][w] == ANY)
				buf_str(rows, "'regexp(^)',");
			else if (m->row[r][w] < 0)
				buf_printf(rows, "'$v%d',", -1 - m->row[r][w]);
			else
				buf_printf(rows, "'w%d',", m->row[r][w]);
		buf_str(rows, "),\n");
	}
	buf_str(rows, "]");
	for (int i = 0; i < m->facts; i++) {
		char w[4][16];

		for (int k = 0; k < 4; k++)
			snprintf(w[k], sizeof(w[k]), "w%d", m->fact[i][k]);
		facts_add(f, w[0], w[1], w[2], w[3]);
	}
}

static void
read_bindings(const struct bindings *b, int vars[VARS])
{
	for (int v = 0; v < VARS; v++) {
		char name[16];
		const char *value;

		snprintf(name, sizeof(name), "v%d", v);
		value = bindings_get(b, name);
		vars[v] = value ? value[1] - '0' : FREE;
	}
}

static unsigned long hits, misses, firsts, beyond;

/* NULL when the matcher and both searchers agree. */
static const char *
compare(const struct machine *m, const struct match *got)
{
	int none[VARS] = { FREE, FREE, FREE, FREE, FREE, FREE };
	int first[VARS], vars[VARS];
	struct lines lines = { .len = m->facts };
	bool possible = any_way(m, 0, 0, none);
	int found;

	hits += possible;
	misses += !possible;
	if (got->outcome == MATCH_GAVE_UP)
		return "gave up";
	if ((got->outcome == MATCH_HIT) != possible)
		return possible ? "missed a match" : "made a match up";
	if (!possible)
		return got->failed < (size_t)m->rows ? NULL : "no reason";
	read_bindings(got->bindings, vars);
	if (!any_way(m, 0, 0, vars))
		return "bindings are no match";
	memcpy(first, none, sizeof(first));
	for (int f = 0; f < m->facts; f++)
		lines.at[f] = f;
	calls = 0;
	found = first_match(m, lines, 0, first, 0);
	firsts += found == 1;
	beyond += found == 0;
	if (found == 1 && memcmp(first, vars, sizeof(vars)) != 0)
		return "other bindings than the first eDeploy";
	return NULL;
}

int
main(void)
{
	unsigned long bad = 0;

	for (int round = 0; round < 30000; round++) {
		AUTO_CLEAR(buf) text = { 0 };
		AUTO(patterns) p = NULL;
		AUTO(facts) f = facts_new();
		struct match got = { 0 };
		struct machine m;
		struct err e = { 0 };
		const char *why;

		seed = (uint64_t)round;
		draw(&m);
		write_machine(&m, &text, f);
		if (patterns_parse(&p, "random", text.at, text.len, &e) < 0) {
			CHECK_SHOW(round, false, "%s", e.text);
			break;
		}
		match_run(p, f, 0, &got);
		why = compare(&m, &got);
		bad += why != NULL;
		if (why && bad < 4)
			CHECK_SHOW(round, false, "%s", why);
		match_clear(&got);
	}
	printf("# %lu matches, %lu of them the first eDeploy's, %lu beyond "
	       "it; %lu misses; %lu bad\n",
	       hits, firsts, beyond, misses, bad);
	CHECK(0, bad == 0);
	CHECK(0, firsts > 5000 && beyond > 20 && misses > 5000);
	return test_end();
}
