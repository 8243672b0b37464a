#ifndef SPECS_MATCH_H
#define SPECS_MATCH_H

#include <stddef.h>

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
	/* Of a miss: the first pattern that nothing satisfied on the longest
	 * way the search got, and that way's length. */
	size_t failed;
	unsigned long steps;
};

/* Find the first way, in the first eDeploy's order of candidates, to give each
 * pattern a fact of its own with every variable worth one value. Pure. The
 * search is complete: a miss means that there is no such way. `budget` 0:
 * MATCH_STEPS. Clear `out` with match_clear. */
void match_run(const struct patterns *p, const struct facts *f,
	       unsigned long budget, struct match *out);

void match_clear(struct match *m);

#endif
