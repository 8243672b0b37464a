/* The failing pattern is found by matching beginnings of the profile: if the
 * first n patterns can be met, so can fewer, so the longest beginning that can
 * be met is found by halving. That names the same pattern whatever order a
 * search takes, and it is the one that a person would find by hand. */
#include "specs/explain.h"
#include "specs/nearest.h"
#include "specs/pattern.h"

const char *
explain_status_name(enum explain_status s)
{
	static const char *const names[] = {
		[EXPLAIN_FITS] = "fits",
		[EXPLAIN_FAILS] = "fails",
		[EXPLAIN_IMPOSSIBLE] = "impossible",
		[EXPLAIN_OPEN] = "open",
		[EXPLAIN_TOO_MANY] = "too many",
	};

	return names[s];
}

static enum match_outcome
match_beginning(const struct patterns *p, const struct facts *f,
		unsigned long budget, size_t rows, struct match *out)
{
	struct patterns beginning = *p;

	beginning.len = rows;
	match_run(&beginning, f, budget, out);
	return out->outcome;
}

/* How many patterns from the first on can be met together. */
static size_t
longest_beginning(const struct patterns *p, const struct facts *f,
		  unsigned long budget)
{
	size_t met = 0, not_met = p->len;

	while (not_met - met > 1) {
		size_t half = met + (not_met - met) / 2;
		struct match m;

		if (match_beginning(p, f, budget, half, &m) == MATCH_HIT)
			met = half;
		else
			not_met = half;
		match_clear(&m);
	}
	return met;
}

static bool
fits_alone(const struct patterns *p, const struct facts *f, size_t row)
{
	struct patterns one = { .at = p->at + row,
				.len = 1,
				.names = p->names,
				.key = p->key,
				.names_len = p->names_len };
	struct match m;
	bool hit;

	match_run(&one, f, 0, &m);
	hit = m.outcome == MATCH_HIT;
	match_clear(&m);
	return hit;
}

static void
explain_failed(const struct patterns *p, const struct facts *f,
	       const uint32_t *taken, struct explanation *out)
{
	struct nearest n = { p, f, out->failed, taken };
	struct explain_row *row = &out->rows[out->failed];
	bool alone = fits_alone(p, f, out->failed);

	if (!alone)
		n.taken = NULL;
	row->status = EXPLAIN_FAILS;
	row->why = nearest_tell(&n);
	if (alone) {
		char *why = base_printf("%s; no other choice above helps",
					row->why);

		free(row->why);
		row->why = why;
	}
}

static void
explain_rest(const struct patterns *p, const struct facts *f,
	     struct explanation *out)
{
	for (size_t i = out->failed + 1; i < out->len; i++) {
		struct nearest n = { p, f, i, NULL };

		out->rows[i].status = EXPLAIN_OPEN;
		if (fits_alone(p, f, i))
			continue;
		out->rows[i].status = EXPLAIN_IMPOSSIBLE;
		out->rows[i].why = nearest_tell(&n);
	}
}

static void
explain_miss(const struct patterns *p, const struct facts *f,
	     unsigned long budget, struct explanation *out)
{
	struct match above, until;

	out->failed = longest_beginning(p, f, budget);
	match_beginning(p, f, budget, out->failed, &above);
	for (size_t i = 0; i < out->failed; i++)
		out->rows[i].fact = above.facts[i];
	match_beginning(p, f, budget, out->failed + 1, &until);
	if (until.outcome == MATCH_GAVE_UP) {
		out->rows[out->failed].status = EXPLAIN_TOO_MANY;
		out->rows[out->failed].why = base_strdup(
			"too many ways to try; add a pattern that tells the "
			"disks apart");
	} else {
		explain_failed(p, f, above.facts, out);
	}
	explain_rest(p, f, out);
	match_clear(&above);
	match_clear(&until);
}

void
explain_run(const struct patterns *p, const struct facts *f,
	    unsigned long budget, struct explanation *out)
{
	struct match m;

	*out = (struct explanation){ .len = p->len, .failed = p->len };
	out->rows = base_array(p->len + 1, sizeof(*out->rows));
	for (size_t i = 0; i < p->len; i++)
		out->rows[i].fact = SIZE_MAX;
	match_run(p, f, budget, &m);
	out->outcome = m.outcome;
	out->bindings = STEAL(m.bindings);
	for (size_t i = 0; m.facts && i < p->len; i++)
		out->rows[i].fact = m.facts[i];
	match_clear(&m);
	if (out->outcome != MATCH_HIT && p->len > 0)
		explain_miss(p, f, budget, out);
}

void
explanation_clear(struct explanation *x)
{
	bindings_free(x->bindings);
	for (size_t i = 0; x->rows && i < x->len; i++)
		free(x->rows[i].why);
	free(x->rows);
	*x = (struct explanation){ 0 };
}

char *
explain_line(const struct patterns *p, const struct facts *f)
{
	struct explanation x;
	char *line = NULL;

	explain_run(p, f, 0, &x);
	if (x.failed < x.len)
		line = base_printf(
			"%s (line %u): %s", patterns_text(p, x.failed),
			patterns_line(p, x.failed), x.rows[x.failed].why);
	explanation_clear(&x);
	return line;
}
