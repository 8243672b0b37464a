/* A word of a fact matters to the search only where a variable that stands
 * elsewhere too could take it; all other words are settled by which rows the
 * fact fits. So two facts are the same when the same rows fit them and the
 * words that matter are equal, and two values are the same when their open
 * facts are, with the value itself blanked out. */
#include "specs/symmetry.h"

struct symmetry {
	const struct problem *pb;
	size_t stride;          /* words of a column */
	uint64_t *fits;         /* per fact: bits of the rows it may serve */
	unsigned char *matters; /* per fact: words that matter */
	unsigned char *shared;  /* per row: words whose variable matters */
	/* facts in which value v matters, in one order for all values:
	 * of[first[v]] to of[first[v+1]] */
	size_t *first;
	uint32_t *of;
};

static uint32_t
value(const struct symmetry *s, uint32_t f, int w)
{
	return facts_id(s->pb->facts, f, w);
}

/* A variable that stands once in the whole profile ties nothing to anything. */
static void
mark_shared(struct symmetry *s)
{
	const struct patterns *p = s->pb->patterns;
	AUTO_FREE uint32_t *times =
		base_array(p->names_len + 1, sizeof(uint32_t));

	for (size_t i = 0; i < p->len; i++)
		for (int w = 0; w < FACT_WORDS; w++)
			if (p->at[i].word[w].variable >= 0)
				times[p->at[i].word[w].variable]++;
	for (size_t i = 0; i < p->len; i++)
		for (int w = 0; w < FACT_WORDS; w++)
			if (p->at[i].word[w].variable >= 0 &&
			    times[p->at[i].word[w].variable] > 1)
				s->shared[i] |= (unsigned char)(1u << w);
}

static void
mark_facts(struct symmetry *s)
{
	const struct problem *pb = s->pb;

	for (size_t row = 0; row < pb->rows; row++) {
		const uint64_t *bits = problem_row(pb, pb->live, row);

		for (uint32_t f = bit_next(bits, bits, pb->stride, 0);
		     f != NOTHING;
		     f = bit_next(bits, bits, pb->stride, f + 1)) {
			bit_set(s->fits + f * s->stride, row);
			s->matters[f] |= s->shared[row];
		}
	}
}

/* Order of facts with `blank_f` and `blank_g` (NOTHING: none) blanked out; 0
 * when they are the same. */
static int
order(const struct symmetry *s, uint32_t f, uint32_t blank_f, uint32_t g,
      uint32_t blank_g)
{
	int d = memcmp(s->fits + f * s->stride, s->fits + g * s->stride,
		       s->stride * sizeof(uint64_t));

	if (d)
		return d;
	for (int w = 0; w < FACT_WORDS; w++) {
		uint32_t a = value(s, f, w), b = value(s, g, w);

		if (!(s->matters[f] >> w & 1))
			continue;
		a = a == blank_f ? NOTHING : a;
		b = b == blank_g ? NOTHING : b;
		if (a != b)
			return a < b ? -1 : 1;
	}
	return 0;
}

struct sorting {
	const struct symmetry *s;
	uint32_t blank;
};

static int
order_of_facts(const void *a, const void *b, void *ctx)
{
	const struct sorting *o = ctx;
	uint32_t f = *(const uint32_t *)a, g = *(const uint32_t *)b;
	int d = order(o->s, f, o->blank, g, o->blank);

	return d ? d : (f > g) - (f < g);
}

/* Word w of f matters, and its value did not already before w. */
static bool
is_first_of_value(const struct symmetry *s, uint32_t f, int w)
{
	for (int x = 0; x < w; x++)
		if ((s->matters[f] >> x & 1) &&
		    value(s, f, x) == value(s, f, w))
			return false;
	return s->matters[f] >> w & 1;
}

static void
index_values(struct symmetry *s)
{
	size_t values = facts_ids(s->pb->facts);
	AUTO_FREE size_t *at = base_array(values + 1, sizeof(size_t));

	for (uint32_t f = 0; f < s->pb->cols; f++)
		for (int w = 0; w < FACT_WORDS; w++)
			if (is_first_of_value(s, f, w))
				s->first[value(s, f, w) + 1]++;
	for (size_t v = 0; v < values; v++)
		s->first[v + 1] += s->first[v];
	memcpy(at, s->first, (values + 1) * sizeof(*at));
	for (uint32_t f = 0; f < s->pb->cols; f++)
		for (int w = 0; w < FACT_WORDS; w++)
			if (is_first_of_value(s, f, w))
				s->of[at[value(s, f, w)]++] = f;
	for (uint32_t v = 0; v < values; v++) {
		struct sorting o = { s, v };

		qsort_r(s->of + s->first[v], s->first[v + 1] - s->first[v],
			sizeof(*s->of), order_of_facts, &o);
	}
}

struct symmetry *
symmetry_new(const struct problem *pb)
{
	struct symmetry *s = base_alloc(sizeof(*s));

	s->pb = pb;
	s->stride = pb->rows / 64 + 1;
	s->fits = base_array(pb->cols * s->stride + 1, sizeof(uint64_t));
	s->matters = base_array(pb->cols + 1, 1);
	s->shared = base_array(pb->rows + 1, 1);
	s->first = base_array(facts_ids(pb->facts) + 2, sizeof(size_t));
	s->of = base_array(pb->cols * FACT_WORDS + 1, sizeof(uint32_t));
	mark_shared(s);
	mark_facts(s);
	index_values(s);
	return s;
}

void
symmetry_free(struct symmetry *s)
{
	if (!s)
		return;
	free(s->fits);
	free(s->matters);
	free(s->shared);
	free(s->first);
	free(s->of);
	free(s);
}

static size_t
next_open(const struct symmetry *s, size_t i, size_t end, const uint64_t *open)
{
	while (i < end && !bit_has(open, s->of[i]))
		i++;
	return i;
}

/* The open facts of a and of b are the same with the value blanked out. */
static bool
same_values(const struct symmetry *s, uint32_t a, uint32_t b,
	    const uint64_t *open, unsigned long *looks)
{
	size_t i = s->first[a], j = s->first[b];

	for (;; (*looks)++) {
		i = next_open(s, i, s->first[a + 1], open);
		j = next_open(s, j, s->first[b + 1], open);
		if (i == s->first[a + 1] || j == s->first[b + 1])
			return i == s->first[a + 1] && j == s->first[b + 1];
		if (order(s, s->of[i++], a, s->of[j++], b) != 0)
			return false;
	}
}

bool
symmetry_same(const struct symmetry *s, size_t row, uint32_t f, uint32_t g,
	      const uint64_t *open, const uint32_t *bound, const uint32_t *held,
	      unsigned long *looks)
{
	const struct pattern *p = &s->pb->patterns->at[row];
	uint32_t a = NOTHING, b = NOTHING;

	for (int w = 0; w < FACT_WORDS; w++) {
		uint32_t x = value(s, f, w), y = value(s, g, w);

		if (!(s->shared[row] >> w & 1) || bound[p->word[w].variable] ||
		    x == y)
			continue;
		if (a != NOTHING && (x != a || y != b))
			return false;
		a = x;
		b = y;
	}
	if (a == NOTHING)
		return order(s, f, NOTHING, g, NOTHING) == 0;
	return !held[a] && !held[b] && order(s, f, a, g, b) == 0 &&
	       same_values(s, a, b, open, looks);
}
