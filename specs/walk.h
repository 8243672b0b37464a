#ifndef SPECS_WALK_H
#define SPECS_WALK_H

#include "specs/problem.h"

/* The search of the first eDeploy, candidate by candidate, so that a machine
 * gets the variables it always got. It is not complete. */
enum walk_end { WALK_HIT, WALK_END, WALK_OUT_OF_STEPS };

struct walk {
	enum walk_end end;
	unsigned long steps; /* taken */
	uint32_t *chosen; /* of a hit: the fact of each row; caller's memory */
	size_t failed;    /* else: the row that stopped the longest way */
};

/* Walk with at most `budget` steps. `plain`: without the cuts, which tells
 * best why there is no match. */
void walk_run(const struct problem *pb, unsigned long budget, bool plain,
	      struct walk *w);

#endif
