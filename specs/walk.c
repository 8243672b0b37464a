/* What the first eDeploy did: rows in order, each takes the first fact that
 * fits. A row that bound a new variable is a point to come back to. When a row
 * finds nothing, the latest point is tried again with the fact it had moved to
 * the end of the facts, then the points before it; each retry is one level
 * deeper, and at level 50 it gave up. The order of the facts is kept as a rank
 * per fact: moving to the end is a new highest rank.
 *
 * The cuts drop only branches in which no match can be, so the match that is
 * found is the one that would have been found. */
#include "specs/walk.h"

#define LEVELS 50
#define LOOKS_A_STEP 64 /* facts looked at, in one step */

struct walker {
	const struct problem *pb;
	uint64_t *open; /* bits: facts that no row has taken */
	uint64_t *rank, top;
	uint32_t *bound;
	uint32_t *chosen;
	unsigned char *fresh; /* per row: words that bound a variable */
	unsigned long looks, budget;
	bool plain, out;
	size_t longest, failed;
};

/* The first fact in order that fits; with `spelt` only one that is the row
 * word for word. */
static uint32_t
first_fit(struct walker *k, size_t row, bool spelt)
{
	const uint64_t *bits = problem_row(k->pb, k->pb->can, row);
	size_t stride = k->pb->stride;
	uint32_t best = NOTHING;

	for (uint32_t f = bit_next(bits, k->open, stride, 0); f != NOTHING;
	     f = bit_next(bits, k->open, stride, f + 1)) {
		k->looks++;
		if (best != NOTHING && k->rank[best] < k->rank[f])
			continue;
		if (problem_fits(k->pb, k->bound, row, f) &&
		    (!spelt || problem_spells(k->pb, row, f)))
			best = f;
	}
	return best;
}

static uint32_t
choose(struct walker *k, size_t row)
{
	uint32_t f = NOTHING;

	if (k->pb->exact[row])
		f = first_fit(k, row, true);
	return f == NOTHING ? first_fit(k, row, false) : f;
}

static bool
has_fit(struct walker *k, size_t row)
{
	const uint64_t *bits = problem_row(k->pb, k->pb->live, row);
	size_t stride = k->pb->stride;

	for (uint32_t f = bit_next(bits, k->open, stride, 0); f != NOTHING;
	     f = bit_next(bits, k->open, stride, f + 1)) {
		k->looks++;
		if (problem_fits(k->pb, k->bound, row, f))
			return true;
	}
	return false;
}

/* After `row` took a fact: no match can come of it, because the fact is in
 * none, or because a later row with the same new variable has none left. */
static bool
is_dead(struct walker *k, size_t row)
{
	const struct problem *pb = k->pb;

	if (k->plain)
		return false;
	if (!bit_has(problem_row(pb, pb->live, row), k->chosen[row]))
		return true;
	for (int w = 0; w < FACT_WORDS; w++) {
		int v = pb->patterns->at[row].word[w].variable;

		if (!(k->fresh[row] >> w & 1))
			continue;
		for (size_t i = pb->first[v]; i < pb->first[v + 1]; i++)
			if (pb->of[i] > row && !has_fit(k, pb->of[i]))
				return true;
	}
	return false;
}

static void
take(struct walker *k, size_t row, uint32_t f)
{
	bit_drop(k->open, f);
	k->chosen[row] = f;
	k->fresh[row] = (unsigned char)problem_bind(k->pb, k->bound, row, f);
	k->looks += LOOKS_A_STEP;
	k->out = k->looks / LOOKS_A_STEP >= k->budget;
}

static void
give_back(struct walker *k, size_t row)
{
	problem_unbind(k->pb, k->bound, row, k->fresh[row]);
	bit_set(k->open, k->chosen[row]);
}

/* From `row` on as far as it goes; the row behind the last that has a fact. */
static size_t
go_on(struct walker *k, size_t row, bool *stuck)
{
	*stuck = false;
	while (row < k->pb->rows && !*stuck) {
		uint32_t f = choose(k, row);

		if (f == NOTHING) {
			if (row >= k->longest) {
				k->failed = row;
				k->longest = row + 1;
			}
			*stuck = true;
			break;
		}
		take(k, row, f);
		*stuck = is_dead(k, row) || k->out;
		row++;
	}
	return row;
}

static bool
walk_from(struct walker *k, size_t start, unsigned level)
{
	bool stuck;
	size_t row;

	if (level == LEVELS || k->out)
		return false;
	row = go_on(k, start, &stuck);
	if (!stuck)
		return true;
	while (row-- > start) {
		uint32_t f = k->chosen[row];
		uint64_t rank = k->rank[f];

		give_back(k, row);
		if (!k->fresh[row] || k->out)
			continue;
		k->rank[f] = ++k->top;
		if (walk_from(k, row, level + 1))
			return true;
		k->rank[f] = rank;
	}
	return false;
}

void
walk_run(const struct problem *pb, unsigned long budget, bool plain,
	 struct walk *w)
{
	AUTO_FREE uint64_t *open = base_array(pb->stride, sizeof(uint64_t));
	AUTO_FREE uint64_t *rank = base_array(pb->cols + 1, sizeof(uint64_t));
	AUTO_FREE uint32_t *bound =
		base_array(pb->patterns->names_len + 1, sizeof(uint32_t));
	AUTO_FREE unsigned char *fresh = base_array(pb->rows + 1, 1);
	struct walker k = { .pb = pb,
			    .open = open,
			    .rank = rank,
			    .top = pb->cols,
			    .bound = bound,
			    .chosen = w->chosen,
			    .fresh = fresh,
			    .budget = budget,
			    .plain = plain };

	for (size_t f = 0; f < pb->cols; f++) {
		bit_set(open, f);
		rank[f] = f;
	}
	if (walk_from(&k, 0, 0))
		w->end = WALK_HIT;
	else
		w->end = k.out ? WALK_OUT_OF_STEPS : WALK_END;
	w->steps = k.looks / LOOKS_A_STEP;
	w->failed = k.failed;
}
