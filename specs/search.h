#ifndef SPECS_SEARCH_H
#define SPECS_SEARCH_H

#include "specs/problem.h"

/* The complete search: whether there is a match at all, and one of them. */
enum search_end { SEARCH_HIT, SEARCH_NONE, SEARCH_OUT_OF_STEPS };

struct search_result {
	enum search_end end;
	unsigned long steps; /* taken */
	uint32_t *chosen; /* of a hit: the fact of each row; caller's memory */
};

void search_run(const struct problem *pb, unsigned long budget,
		struct search_result *out);

/* Whether the rows could have different facts at all, variables aside: nine
 * disks wanted and eight there is a no, without any search. */
bool search_has_room(const struct problem *pb);

#endif
