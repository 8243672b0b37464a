/* A match in three searches. The first eDeploy's own walk finds nearly every
 * match within a few steps, and with the variables that people know. Where a
 * glance of it does not, there is a look whether there is room for a match at
 * all, and it may go on. If it finds none, the complete search says whether
 * there is a match; if so, the walk gets more steps, and if it still finds
 * none, because it looks at 50 candidates and never comes back to a row without
 * new variables, the complete search's match is taken. */
#include "specs/match.h"
#include "specs/problem.h"
#include "specs/search.h"
#include "specs/walk.h"

#define GLANCE_STEPS 200 /* less than the look for room costs */
#define FIRST_STEPS 4000
#define SECOND_STEPS 200000
#define REASON_STEPS 1000

static unsigned long
least(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

static bool
is_bound(const struct bindings *b, const char *name)
{
	return bindings_get(b, name) != NULL;
}

static void
bind_word(const struct problem *pb, size_t row, int w, uint32_t f,
	  struct bindings *out)
{
	int v = pb->patterns->at[row].word[w].variable;
	const struct fact *fact = facts_at(pb->facts, f);
	struct binding *b;

	if (v < 0 || is_bound(out, pb->patterns->names[v]))
		return;
	b = &out->at[out->len++];
	b->name = base_strdup(pb->patterns->names[v]);
	b->value = base_strdup(fact->word[w]);
	b->key = pb->patterns->key[v];
	b->cls = base_strdup(fact->word[FACT_CLASS]);
	b->property = base_strdup(fact->word[FACT_PROPERTY]);
	b->word = w;
}

static struct bindings *
bind(const struct problem *pb, size_t rows, const uint32_t *chosen)
{
	struct bindings *b = base_alloc(sizeof(*b));

	b->at = base_array(pb->patterns->names_len + 1, sizeof(*b->at));
	for (size_t row = 0; row < rows; row++)
		for (int w = 0; w < FACT_WORDS; w++)
			bind_word(pb, row, w, chosen[row], b);
	return b;
}

static bool
walk(const struct problem *pb, unsigned long budget, struct match *out,
     uint32_t *chosen, enum walk_end *end)
{
	struct walk w = { .chosen = chosen };

	walk_run(pb, budget, false, &w);
	out->steps += w.steps;
	*end = w.end;
	return w.end == WALK_HIT;
}

/* Why not: where the walk of the first eDeploy, without cuts, got stuck. */
static size_t
find_reason(const struct problem *pb, uint32_t *chosen)
{
	struct walk w = { .chosen = chosen };

	walk_run(pb, REASON_STEPS, true, &w);
	return w.failed;
}

static enum match_outcome
search_all(const struct problem *pb, unsigned long budget, uint32_t *chosen,
	   struct match *out)
{
	AUTO_FREE uint32_t *walked = base_array(pb->rows + 1, sizeof(*walked));
	struct search_result r = { .chosen = chosen };
	struct match glance = { 0 };
	enum walk_end end;

	if (walk(pb, least(budget, GLANCE_STEPS), &glance, chosen, &end)) {
		out->steps = glance.steps;
		return MATCH_HIT;
	}
	if (!search_has_room(pb))
		return MATCH_MISS;
	if (walk(pb, least(budget, FIRST_STEPS), out, chosen, &end))
		return MATCH_HIT;
	search_run(pb, budget - least(budget, out->steps), &r);
	out->steps += r.steps;
	if (r.end == SEARCH_NONE)
		return MATCH_MISS;
	if (end == WALK_OUT_OF_STEPS &&
	    walk(pb, least(budget, SECOND_STEPS), out, walked, &end)) {
		memcpy(chosen, walked, pb->rows * sizeof(*walked));
		return MATCH_HIT;
	}
	return r.end == SEARCH_HIT ? MATCH_HIT : MATCH_GAVE_UP;
}

void
match_run(const struct patterns *p, const struct facts *f, unsigned long budget,
	  struct match *out)
{
	AUTO_FREE uint32_t *chosen = base_array(p->len + 1, sizeof(*chosen));
	AUTO_CLEAR(problem) pb = { 0 };

	*out = (struct match){ .outcome = MATCH_MISS };
	problem_build(&pb, p, f);
	out->failed = pb.impossible;
	if (pb.impossible < pb.rows)
		return;
	out->outcome =
		search_all(&pb, budget ? budget : MATCH_STEPS, chosen, out);
	if (out->outcome != MATCH_HIT) {
		out->failed = find_reason(&pb, chosen);
		return;
	}
	out->bindings = bind(&pb, pb.rows, chosen);
	out->facts = STEAL(chosen);
}

size_t
match_each(const struct patterns *p, const struct facts *f, match_each_fn *each,
	   void *ctx)
{
	AUTO_CLEAR(problem) pb = { 0 };
	size_t n = 0;

	problem_build(&pb, p, f);
	for (uint32_t i = 0; pb.rows > 0 && i < pb.cols; i++) {
		AUTO(bindings) b = NULL;

		if (!bit_has(pb.can, i))
			continue;
		b = bind(&pb, 1, &i);
		each(ctx, b);
		n++;
	}
	return n;
}

void
match_clear(struct match *m)
{
	bindings_free(m->bindings);
	free(m->facts);
	*m = (struct match){ 0 };
}
