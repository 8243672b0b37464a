#ifndef SPECS_NEAREST_H
#define SPECS_NEAREST_H

#include "specs/facts.h"
#include "specs/patterns.h"

/* One pattern against all facts, when the patterns above it have facts. */
struct nearest {
	const struct patterns *patterns;
	const struct facts *facts;
	size_t row;            /* the pattern asked about */
	const uint32_t *taken; /* the facts of the rows above, or NULL: alone */
};

/* Which facts come nearest to the pattern, and what they lack, as one
 * sentence without its full stop. Owned by the caller. */
char *nearest_tell(const struct nearest *n);

#endif
