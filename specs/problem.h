#ifndef SPECS_PROBLEM_H
#define SPECS_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "specs/facts_id.h"
#include "specs/pattern.h"

/* One match as numbers: which pattern could take which fact. Both searches
 * (walk.c, search.c) work on it and change nothing in it. */
#define NOTHING UINT32_MAX

struct problem {
	const struct patterns *patterns;
	const struct facts *facts;
	size_t rows, cols, stride; /* patterns, facts, words of a row */
	uint64_t *can;  /* rows of bits: the pattern alone fits the fact */
	uint64_t *live; /* ... and the variables can agree elsewhere too */
	bool *exact;    /* a row of calls that some fact spells literally */
	/* patterns of variable v, in order: of[first[v]] to of[first[v+1]] */
	size_t *first;
	uint32_t *of;
	size_t impossible; /* first row that nothing fits; rows: none */
};

/* Build `pb`. Clear it in any case. When pb->impossible < pb->rows there is no
 * match, and the rest is not filled in. */
void problem_build(struct problem *pb, const struct patterns *p,
		   const struct facts *f);
void problem_clear(struct problem *pb);

/* Fact `f` spells pattern `row` word for word. */
bool problem_spells(const struct problem *pb, size_t row, size_t f);

static inline const uint64_t *
problem_row(const struct problem *pb, const uint64_t *bits, size_t row)
{
	return bits + row * pb->stride;
}

static inline bool
bit_has(const uint64_t *bits, size_t i)
{
	return bits[i / 64] >> (i % 64) & 1;
}

static inline void
bit_set(uint64_t *bits, size_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void
bit_drop(uint64_t *bits, size_t i)
{
	bits[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* The first bit from `i` on that is set in both, or NOTHING. */
static inline uint32_t
bit_next(const uint64_t *a, const uint64_t *b, size_t stride, size_t i)
{
	size_t at = i / 64;
	uint64_t word;

	if (at >= stride)
		return NOTHING;
	word = a[at] & b[at] & (~UINT64_C(0) << (i % 64));
	while (!word) {
		if (++at >= stride)
			return NOTHING;
		word = a[at] & b[at];
	}
	return (uint32_t)(at * 64 + (size_t)__builtin_ctzll(word));
}

/* What the variables are worth so far; id + 1, 0 is free. */
static inline bool
problem_fits(const struct problem *pb, const uint32_t *bound, size_t row,
	     uint32_t f)
{
	const struct pattern *p = &pb->patterns->at[row];

	for (int w = 0; w < FACT_WORDS; w++) {
		int v = p->word[w].variable;

		if (v >= 0 && bound[v] &&
		    bound[v] != facts_id(pb->facts, f, w) + 1)
			return false;
	}
	return true;
}

/* Bind the free variables of `row` to fact `f`; the words that did. */
unsigned problem_bind(const struct problem *pb, uint32_t *bound, size_t row,
		      uint32_t f);
void problem_unbind(const struct problem *pb, uint32_t *bound, size_t row,
		    unsigned words);

#endif
