/* A .specs text, a line "---", an upload: small ones are also given to a
 * search that tries every way, and both must agree. */
#include <assert.h>

#include "specs/explain.h"
#include "specs/match.h"
#include "specs/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define SMALL 8
#define WAYS 100000

struct naive {
	const struct patterns *p;
	const struct facts *f;
	const char *vars[SMALL * FACT_WORDS];
	bool taken[SMALL * 2];
	unsigned long ways;
};

static bool
fits(struct naive *n, const struct pattern *p, const struct fact *f)
{
	bool spelt = !p->binds, holds = true;

	for (int w = 0; w < FACT_WORDS; w++) {
		const struct pattern_word *word = &p->word[w];
		const char *text = f->word[w];
		const char **var =
			word->variable < 0 ? NULL : &n->vars[word->variable];

		spelt = spelt && strcmp(word->text, text) == 0;
		if (word->test && predicate_eval(word->test, text) != TRUTH_YES)
			holds = false;
		if (pattern_word_is_literal(word) &&
		    strcmp(word->text, text) != 0)
			holds = false;
		if (var && *var && strcmp(*var, text) != 0)
			holds = false;
		if (var && holds)
			*var = text;
	}
	return spelt || holds;
}

/* 1 a way, 0 none, -1 too many to try. */
static int
any_way(struct naive *n, size_t row)
{
	const char *old[SMALL * FACT_WORDS];

	if (row == n->p->len)
		return 1;
	memcpy(old, n->vars, sizeof(old));
	for (size_t f = 0; f < facts_len(n->f); f++) {
		int r = 0;

		if (++n->ways > WAYS)
			return -1;
		if (n->taken[f])
			continue;
		n->taken[f] = true;
		if (fits(n, &n->p->at[row], facts_at(n->f, f)))
			r = any_way(n, row + 1);
		n->taken[f] = false;
		if (r)
			return r;
		memcpy(n->vars, old, sizeof(old));
	}
	return 0;
}

/* Names are bound as told; is there a way left? */
static void
check(const struct patterns *p, const struct facts *f, const struct match *m)
{
	struct naive n = { .p = p, .f = f };
	int r = any_way(&n, 0);

	if (r < 0)
		return;
	assert((m->outcome == MATCH_HIT) == (r == 1));
	if (r == 0)
		return;
	n = (struct naive){ .p = p, .f = f };
	for (size_t v = 0; v < p->names_len; v++) {
		n.vars[v] = bindings_get(m->bindings, p->names[v]);
		assert(n.vars[v]);
	}
	assert(any_way(&n, 0) != 0);
}

/* The explanation is of the same outcome, and its rows hang together. */
static void
check_explained(const struct patterns *p, const struct facts *f,
		enum match_outcome outcome)
{
	struct explanation x;

	explain_run(p, f, 20000, &x);
	assert(x.outcome == outcome);
	for (size_t i = 0; i < x.len; i++) {
		assert((x.rows[i].fact != SIZE_MAX) ==
		       (x.rows[i].status == EXPLAIN_FITS));
		assert((x.rows[i].status == EXPLAIN_FITS) == (i < x.failed));
	}
	assert((x.failed == x.len) == (outcome == MATCH_HIT || x.len == 0));
	explanation_clear(&x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char line[] = "\n---\n";
	const char *text = (const char *)bytes;
	const char *cut = len ? memmem(text, len, line, strlen(line)) : NULL;
	AUTO(patterns) p = NULL;
	AUTO(facts) f = NULL;
	struct err e = { 0 };
	struct match m;

	if (!cut ||
	    patterns_parse(&p, "f.specs", text, (size_t)(cut - text), &e) < 0)
		return 0;
	cut += strlen(line);
	if (facts_from_json(&f, cut, (size_t)(text + len - cut), &e) < 0)
		return 0;
	match_run(p, f, 20000, &m);
	if (m.outcome == MATCH_MISS)
		assert(m.failed < patterns_len(p));
	if (m.outcome != MATCH_GAVE_UP && patterns_len(p) <= SMALL &&
	    facts_len(f) <= SMALL * 2)
		check(p, f, &m);
	if (patterns_len(p) <= SMALL * 4)
		check_explained(p, f, m.outcome);
	match_clear(&m);
	return 0;
}
