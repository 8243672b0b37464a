/* The matcher.
 *
 * Every pattern needs a fact of its own, and every variable one value. The
 * order in which facts are tried decides the bindings, and is the first
 * eDeploy's: facts in order, and a fact that was tried for a pattern and led
 * nowhere moves behind all others for the patterns after it. A pattern that
 * binds nothing new took the first fact and was never revisited there.
 *
 * So the search goes twice over the same tree. First as above, with a small
 * budget: what that finds is the answer everybody expects. Then, if it found
 * nothing, completely: every pattern may be revisited, but a failure goes back
 * to the last choice that had a part in it (conflict sets), and a fact that is
 * the mirror image of one that failed is not tried (symmetry). Both cuts leave
 * out only what cannot succeed, so a miss is a proof.
 *
 * Before either, facts that fit no pattern are dropped, and values that some
 * pattern of their variable cannot have are struck out until nothing changes:
 * this answers most impossible profiles without any search. */
#include <stdint.h>

#include "specs/match.h"
#include "specs/match_table.h"

#define GREEDY_SHARE 20 /* of the budget, one part for the first search */

struct search {
	const struct match_table *t;
	bool complete;
	int *value;          /* of variable, -1: free */
	size_t *bound_by;    /* level that bound it */
	size_t *taken_by;    /* level that took a fact, or NONE */
	unsigned long *rank; /* facts are tried by rising rank */
	size_t *chosen;      /* fact of each level */
	bool *as_text;       /* level took it by whole-line equality */
	unsigned *touched;   /* of value: facts taken and variables bound */
	uint64_t *conflicts; /* a bit set a level */
	size_t set_words;
	unsigned long ranks, steps, budget;
	size_t deepest;
};

#define NONE SIZE_MAX

static uint64_t *
set_of(struct search *s, size_t level)
{
	return s->conflicts + level * s->set_words;
}

static void
set_add(uint64_t *set, size_t level)
{
	set[level / 64] |= (uint64_t)1 << (level % 64);
}

static bool
set_has(const uint64_t *set, size_t level)
{
	return set[level / 64] >> (level % 64) & 1;
}

/* Can pattern `level` take this candidate now? If not, who is to blame. */
static bool
may_take(struct search *s, size_t level, const struct candidate *c,
	 uint64_t *blame)
{
	const struct row *row = &s->t->rows[level];
	int seen[FACT_WORDS];
	size_t w, v;

	if (s->taken_by[c->fact] != NONE) {
		set_add(blame, s->taken_by[c->fact]);
		return false;
	}
	for (w = 0; w < FACT_WORDS && !c->as_text; w++) {
		int var = row->variable[w];

		seen[w] = s->t->facts[c->fact].value[w];
		if (var < 0)
			continue;
		if (s->value[var] >= 0 && s->value[var] != seen[w]) {
			set_add(blame, s->bound_by[var]);
			return false;
		}
		for (v = 0; v < w; v++)
			if (row->variable[v] == var && seen[v] != seen[w])
				return false;
	}
	return true;
}

/* Take it; the number of variables that became bound. */
static size_t
take(struct search *s, size_t level, const struct candidate *c)
{
	const struct row *row = &s->t->rows[level];
	const int *values = s->t->facts[c->fact].value;
	size_t w, bound = 0;

	s->taken_by[c->fact] = level;
	s->chosen[level] = c->fact;
	s->as_text[level] = c->as_text;
	for (w = 0; w < FACT_WORDS; w++) {
		int var = c->as_text ? -1 : row->variable[w];

		s->touched[values[w]]++;
		if (var < 0 || s->value[var] >= 0)
			continue;
		s->value[var] = values[w];
		s->bound_by[var] = level;
		bound++;
	}
	return bound;
}

static void
untake(struct search *s, size_t level, const struct candidate *c)
{
	const struct row *row = &s->t->rows[level];
	const int *values = s->t->facts[c->fact].value;
	size_t w;

	s->taken_by[c->fact] = NONE;
	for (w = 0; w < FACT_WORDS; w++) {
		int var = row->variable[w];

		s->touched[values[w]]--;
		if (var >= 0 && s->value[var] >= 0 && s->bound_by[var] == level)
			s->value[var] = -1;
	}
}

/* `b` is what `a` becomes when two values that are twins and still untouched
 * change places: where `a` failed, `b` must. */
static bool
mirrored(const struct search *s, const struct candidate *a,
	 const struct candidate *b)
{
	const int *va = s->t->facts[a->fact].value;
	const int *vb = s->t->facts[b->fact].value;
	size_t w, differ = 0, at = 0;

	if (a->as_text != b->as_text)
		return false;
	for (w = 0; w < FACT_WORDS; w++)
		if (va[w] != vb[w]) {
			differ++;
			at = w;
		}
	if (differ == 0)
		return true; /* the same line twice */
	return differ == 1 && s->t->twins[va[at]] == s->t->twins[vb[at]] &&
	       s->touched[va[at]] == 0 && s->touched[vb[at]] == 0;
}

static bool
is_mirror_of_failed(const struct search *s, const struct candidate *list,
		    const bool *failed, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (failed[j] && !list[j].hopeless &&
		    mirrored(s, &list[j], &list[i]))
			return true;
	return false;
}

/* The candidates of a level by rank, whole-line equality first. Nearly sorted
 * already, so insertion it is. */
static void
sort_candidates(const struct search *s, struct candidate *list, size_t len)
{
	size_t i, j;

	for (i = 1; i < len; i++) {
		struct candidate c = list[i];

		for (j = i; j > 0; j--) {
			const struct candidate *p = &list[j - 1];

			if (p->as_text > c.as_text ||
			    (p->as_text == c.as_text &&
			     s->rank[p->fact] < s->rank[c.fact]))
				break;
			list[j] = *p;
		}
		list[j] = c;
	}
}

enum result { FOUND, FAILED, SPENT };

static enum result go_on(struct search *s, size_t level);

/* Try one candidate; FAILED leaves the blame in the level's set. `leave` is
 * set when no other candidate of this level can change the failure. */
static enum result
try_one(struct search *s, size_t level, const struct candidate *c, bool *leave)
{
	uint64_t *blame = set_of(s, level), *below = set_of(s, level + 1);
	size_t i, bound = take(s, level, c);
	enum result r = go_on(s, level + 1);

	if (r != FAILED)
		return r;
	untake(s, level, c);
	if (!s->complete) {
		*leave = bound == 0;
		return FAILED;
	}
	*leave = !set_has(below, level);
	if (*leave)
		memset(blame, 0, s->set_words * sizeof(*blame));
	for (i = 0; i < s->set_words; i++)
		blame[i] |= below[i];
	if (!*leave)
		blame[level / 64] &= ~((uint64_t)1 << (level % 64));
	return FAILED;
}

static enum result
try_all(struct search *s, size_t level, struct candidate *list, size_t len)
{
	AUTO_FREE bool *failed = base_array(len, sizeof(*failed));
	AUTO_FREE unsigned long *old = base_array(len, sizeof(*old));
	uint64_t *blame = set_of(s, level);
	enum result r = FAILED;
	bool leave = false;
	size_t i;

	sort_candidates(s, list, len);
	for (i = 0; i < len; i++)
		old[i] = s->rank[list[i].fact];
	for (i = 0; i < len && !leave; i++) {
		if (!may_take(s, level, &list[i], blame))
			continue;
		if (!list[i].hopeless &&
		    !(s->complete && is_mirror_of_failed(s, list, failed, i)))
			r = try_one(s, level, &list[i], &leave);
		if (r != FAILED)
			return r;
		failed[i] = true;
		s->rank[list[i].fact] = ++s->ranks;
	}
	for (i = 0; i < len; i++)
		s->rank[list[i].fact] = old[i];
	return r;
}

static enum result
go_on(struct search *s, size_t level)
{
	AUTO_FREE struct candidate *list = NULL;
	const struct row *row;

	if (level > s->deepest)
		s->deepest = level;
	if (level == s->t->rows_len)
		return FOUND;
	if (++s->steps > s->budget)
		return SPENT;
	row = &s->t->rows[level];
	memset(set_of(s, level), 0, s->set_words * sizeof(uint64_t));
	list = base_array(row->len, sizeof(*list));
	memcpy(list, row->candidates, row->len * sizeof(*list));
	return try_all(s, level, list, row->len);
}

static void
search_init(struct search *s, const struct match_table *t)
{
	size_t i;

	*s = (struct search){ .t = t };
	s->set_words = t->rows_len / 64 + 1;
	s->value = base_array(t->variables_len, sizeof(*s->value));
	s->bound_by = base_array(t->variables_len, sizeof(*s->bound_by));
	s->taken_by = base_array(t->facts_len, sizeof(*s->taken_by));
	s->rank = base_array(t->facts_len, sizeof(*s->rank));
	s->chosen = base_array(t->rows_len, sizeof(*s->chosen));
	s->as_text = base_array(t->rows_len, sizeof(*s->as_text));
	s->touched = base_array(t->values_len, sizeof(*s->touched));
	s->conflicts = base_array((t->rows_len + 1) * s->set_words,
				  sizeof(*s->conflicts));
	for (i = 0; i < t->variables_len; i++)
		s->value[i] = -1;
	for (i = 0; i < t->facts_len; i++) {
		s->taken_by[i] = NONE;
		s->rank[i] = i;
	}
	s->ranks = t->facts_len;
}

static void
search_clear(struct search *s)
{
	free(s->value);
	free(s->bound_by);
	free(s->taken_by);
	free(s->rank);
	free(s->chosen);
	free(s->as_text);
	free(s->touched);
	free(s->conflicts);
}

/* ---- the answer ---- */

static void
bind(struct bindings *b, const struct patterns *p, int var, int word,
     const struct fact *f)
{
	b->at[b->len++] = (struct binding){
		.name = base_strdup(p->variables[var]),
		.value = base_strdup(f->word[word]),
		.key = p->keys[var],
		.cls = base_strdup(f->word[FACT_CLASS]),
		.property = base_strdup(f->word[FACT_PROPERTY]),
		.word = word,
	};
}

static struct bindings *
answer_of(const struct search *s, const struct patterns *p,
	  const struct facts *f)
{
	struct bindings *b = base_alloc(sizeof(*b));
	AUTO_FREE bool *done = base_array(p->variables_len, sizeof(*done));
	size_t i;
	int w;

	b->at = base_array(p->variables_len, sizeof(*b->at));
	for (i = 0; i < p->len; i++) {
		const struct table_fact *t = &s->t->facts[s->chosen[i]];

		for (w = 0; w < FACT_WORDS && !s->as_text[i]; w++) {
			int var = p->at[i].word[w].variable;

			if (var < 0 || done[var])
				continue;
			done[var] = true;
			bind(b, p, var, w, facts_at(f, t->index));
		}
	}
	return b;
}

static enum result
run_twice(struct search *s, unsigned long budget)
{
	enum result r;

	s->budget = budget / GREEDY_SHARE + 1;
	r = go_on(s, 0);
	if (r == FOUND)
		return r;
	{
		const struct match_table *t = s->t;
		size_t deepest = s->deepest;
		unsigned long steps = s->steps;

		search_clear(s);
		search_init(s, t);
		s->deepest = deepest;
		s->steps = steps;
	}
	s->complete = true;
	s->budget = budget;
	return go_on(s, 0);
}

void
match_run(const struct patterns *p, const struct facts *f, unsigned long budget,
	  struct match *out)
{
	AUTO(match_table) t = match_table_new(p, f);
	struct search s;
	enum result r;

	*out = (struct match){ .outcome = MATCH_MISS };
	if (t->impossible < p->len) {
		out->failed = t->impossible;
		return;
	}
	search_init(&s, t);
	r = run_twice(&s, budget ? budget : MATCH_STEPS);
	out->steps = s.steps;
	out->failed = s.deepest < p->len ? s.deepest : 0;
	if (r == FOUND) {
		out->outcome = MATCH_HIT;
		out->bindings = answer_of(&s, p, f);
	} else if (r == SPENT) {
		out->outcome = MATCH_GAVE_UP;
	}
	search_clear(&s);
}

void
match_clear(struct match *m)
{
	bindings_free(m->bindings);
	m->bindings = NULL;
}
