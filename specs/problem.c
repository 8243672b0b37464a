/* Patterns against facts, each alone first; then narrowed until every variable
 * has, for each value it may still take, a fact in each of its patterns (arc
 * consistency). Narrowing only removes what can be in no match at all. */
#include "specs/problem.h"

struct literals {
	uint32_t id[FACT_WORDS]; /* NOTHING: not literal */
	bool absent;             /* a literal that no fact holds */
};

static void
look_up(const struct problem *pb, const struct pattern *p, struct literals *l)
{
	l->absent = false;
	for (int w = 0; w < FACT_WORDS; w++) {
		l->id[w] = NOTHING;
		if (pattern_word_is_literal(&p->word[w]) &&
		    !facts_id_of(pb->facts, p->word[w].text, &l->id[w]))
			l->absent = true;
	}
}

static bool
literals_fit(const struct problem *pb, const struct literals *l, size_t f)
{
	for (int w = FACT_WORDS - 1; w >= 0; w--)
		if (l->id[w] != NOTHING &&
		    l->id[w] != facts_id(pb->facts, f, w))
			return false;
	return true;
}

/* A variable written twice in one row is worth one value. */
static bool
agrees(const struct problem *pb, const struct pattern *p, size_t f)
{
	for (int w = 1; w < FACT_WORDS; w++)
		for (int x = 0; x < w && p->word[w].variable >= 0; x++)
			if (p->word[w].variable == p->word[x].variable &&
			    facts_id(pb->facts, f, w) !=
				    facts_id(pb->facts, f, x))
				return false;
	return true;
}

static bool
tests_hold(const struct problem *pb, const struct pattern *p, size_t f)
{
	const struct fact *fact = facts_at(pb->facts, f);

	for (int w = 0; w < FACT_WORDS; w++)
		if (p->word[w].test &&
		    predicate_eval(p->word[w].test, fact->word[w]) != TRUTH_YES)
			return false;
	return true;
}

bool
problem_spells(const struct problem *pb, size_t row, size_t f)
{
	const struct pattern *p = &pb->patterns->at[row];
	const struct fact *fact = facts_at(pb->facts, f);

	for (int w = 0; w < FACT_WORDS; w++)
		if (strcmp(p->word[w].text, fact->word[w]) != 0)
			return false;
	return true;
}

/* A row with variables is never matched by a fact that spells it: its
 * variables would be worth nothing. */
static bool
fill_row(struct problem *pb, size_t row)
{
	const struct pattern *p = &pb->patterns->at[row];
	uint64_t *bits = pb->can + row * pb->stride;
	struct literals l;
	bool any = false;

	if (p->like < row) { /* which has been filled, and not with nothing */
		memcpy(bits, pb->can + p->like * pb->stride,
		       pb->stride * sizeof(*bits));
		pb->exact[row] = pb->exact[p->like];
		return true;
	}
	look_up(pb, p, &l);
	for (size_t f = 0; !l.absent && f < pb->cols; f++) {
		bool spelt;

		if (!literals_fit(pb, &l, f) || !agrees(pb, p, f))
			continue;
		spelt = p->calls && !p->binds && problem_spells(pb, row, f);
		if (!spelt && !tests_hold(pb, p, f))
			continue;
		pb->exact[row] = pb->exact[row] || spelt;
		bit_set(bits, f);
		any = true;
	}
	return any;
}

/* First occurrence of word w's variable in its row: counts the row once. */
static bool
is_first(const struct pattern *p, int w)
{
	for (int x = 0; x < w; x++)
		if (p->word[x].variable == p->word[w].variable)
			return false;
	return p->word[w].variable >= 0;
}

static void
index_variables(struct problem *pb)
{
	size_t vars = pb->patterns->names_len;
	AUTO_FREE size_t *at = base_array(vars + 1, sizeof(size_t));

	for (size_t i = 0; i < pb->rows; i++)
		for (int w = 0; w < FACT_WORDS; w++)
			if (is_first(&pb->patterns->at[i], w))
				pb->first[pb->patterns->at[i].word[w].variable +
					  1]++;
	for (size_t v = 0; v < vars; v++)
		pb->first[v + 1] += pb->first[v];
	memcpy(at, pb->first, (vars + 1) * sizeof(*at));
	for (size_t i = 0; i < pb->rows; i++)
		for (int w = 0; w < FACT_WORDS; w++)
			if (is_first(&pb->patterns->at[i], w))
				pb->of[at[pb->patterns->at[i]
						  .word[w]
						  .variable]++] = (uint32_t)i;
}

/* The word of `row` that holds variable v first. */
static int
word_of(const struct problem *pb, size_t row, int v)
{
	const struct pattern *p = &pb->patterns->at[row];
	int w = 0;

	while (p->word[w].variable != v)
		w++;
	return w;
}

/* Count, for each value, the rows of v that could give it. `seen` starts below
 * `base`; a value that all rows know ends at base + rows. */
static uint32_t
count_support(const struct problem *pb, int v, uint32_t *seen, uint32_t base)
{
	uint32_t rows = 0;

	for (size_t i = pb->first[v]; i < pb->first[v + 1]; i++, rows++) {
		size_t row = pb->of[i];
		const uint64_t *bits = problem_row(pb, pb->live, row);
		int w = word_of(pb, row, v);

		for (uint32_t f = bit_next(bits, bits, pb->stride, 0);
		     f != NOTHING;
		     f = bit_next(bits, bits, pb->stride, f + 1)) {
			uint32_t *s = &seen[facts_id(pb->facts, f, w)];

			if (rows == 0 || *s == base + rows)
				*s = base + rows + 1;
		}
	}
	return rows;
}

static bool
drop_unsupported(struct problem *pb, int v, const uint32_t *seen, uint32_t full)
{
	bool changed = false;

	for (size_t i = pb->first[v]; i < pb->first[v + 1]; i++) {
		size_t row = pb->of[i];
		uint64_t *bits = pb->live + row * pb->stride;
		int w = word_of(pb, row, v);

		for (uint32_t f = bit_next(bits, bits, pb->stride, 0);
		     f != NOTHING;
		     f = bit_next(bits, bits, pb->stride, f + 1)) {
			if (seen[facts_id(pb->facts, f, w)] == full)
				continue;
			bit_drop(bits, f);
			changed = true;
		}
	}
	return changed;
}

/* Each pass costs about what filling the rows did; the number of passes is
 * capped, since stopping early is only less narrow, never wrong. */
#define NARROW_PASSES 16

static void
narrow(struct problem *pb)
{
	AUTO_FREE uint32_t *seen =
		base_array(facts_ids(pb->facts) + 1, sizeof(uint32_t));
	uint32_t base = 1;
	bool changed = true;

	for (int pass = 0; changed && pass < NARROW_PASSES; pass++) {
		changed = false;
		for (size_t v = 0; v < pb->patterns->names_len; v++) {
			uint32_t rows = count_support(pb, (int)v, seen, base);

			changed |=
				drop_unsupported(pb, (int)v, seen, base + rows);
			base += rows + 1;
		}
	}
}

void
problem_build(struct problem *pb, const struct patterns *p,
	      const struct facts *f)
{
	size_t cells;

	*pb = (struct problem){ .patterns = p,
				.facts = f,
				.rows = p->len,
				.cols = facts_len(f),
				.stride = facts_len(f) / 64 + 1 };
	cells = pb->rows * pb->stride;
	pb->can = base_array(cells + 1, sizeof(uint64_t));
	pb->exact = base_array(pb->rows + 1, sizeof(bool));
	for (size_t i = 0; i < pb->rows; i++) {
		if (!fill_row(pb, i)) {
			pb->impossible = i;
			return;
		}
	}
	pb->impossible = pb->rows;
	pb->live = base_array(cells + 1, sizeof(uint64_t));
	memcpy(pb->live, pb->can, cells * sizeof(uint64_t));
	pb->first = base_array(p->names_len + 2, sizeof(size_t));
	pb->of = base_array(pb->rows * FACT_WORDS + 1, sizeof(uint32_t));
	index_variables(pb);
	narrow(pb);
}

void
problem_clear(struct problem *pb)
{
	free(pb->can);
	free(pb->live);
	free(pb->exact);
	free(pb->first);
	free(pb->of);
	*pb = (struct problem){ 0 };
}

unsigned
problem_bind(const struct problem *pb, uint32_t *bound, size_t row, uint32_t f)
{
	const struct pattern *p = &pb->patterns->at[row];
	unsigned words = 0;

	for (int w = 0; w < FACT_WORDS; w++) {
		int v = p->word[w].variable;

		if (v < 0 || bound[v])
			continue;
		bound[v] = facts_id(pb->facts, f, w) + 1;
		words |= 1u << w;
	}
	return words;
}

void
problem_unbind(const struct problem *pb, uint32_t *bound, size_t row,
	       unsigned words)
{
	const struct pattern *p = &pb->patterns->at[row];

	for (int w = 0; w < FACT_WORDS; w++)
		if (words >> w & 1)
			bound[p->word[w].variable] = 0;
}
