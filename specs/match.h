#ifndef SPECS_MATCH_H
#define SPECS_MATCH_H

#include <stddef.h>
#include <stdint.h>

#include "specs/bindings.h"
#include "specs/facts.h"
#include "specs/patterns.h"

enum match_outcome {
	MATCH_HIT,
	MATCH_MISS,
	MATCH_GAVE_UP /* the step budget ended: neither yes nor no */
};

#define MATCH_STEPS 1000000 /* default budget */

struct match {
	enum match_outcome outcome;
	struct bindings *bindings; /* of a hit; NULL otherwise; owned */
	uint32_t *facts; /* of a hit: which fact each pattern took; owned */
	/* Of a miss: the first pattern that no fact fits, else the one that
	 * stopped the longest way; for people. */
	size_t failed;
	unsigned long steps;
};

/* Find a way to give each pattern a fact of its own with every variable worth
 * one value: the way the first eDeploy would have found, and where its search
 * ended too early, another. Pure, and the same for the same input. The search
 * is complete: a miss means that there is no such way. `budget` 0: MATCH_STEPS;
 * a step is a fact tried, about 0.2 us. Clear `out` with match_clear. */
void match_run(const struct patterns *p, const struct facts *f,
	       unsigned long budget, struct match *out);

void match_clear(struct match *m);

/* Call `each` for every fact that the first pattern alone fits, in order, with
 * what it binds there (borrowed, until `each` returns). Returns how many. */
typedef void match_each_fn(void *ctx, const struct bindings *b);
size_t match_each(const struct patterns *p, const struct facts *f,
		  match_each_fn *each, void *ctx);

#endif
