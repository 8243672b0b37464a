#ifndef SPECS_SYMMETRY_H
#define SPECS_SYMMETRY_H

#include "specs/problem.h"

/* Which facts, and which values (disks, interfaces), are interchangeable: what
 * failed with one fails with the other, by the same search under other names.
 */
struct symmetry;

struct symmetry *symmetry_new(const struct problem *pb);

/* Facts f and g, both fit and open, stand for each other as the fact of `row`:
 * every match with one is a match with the other after swapping two facts, or
 * two values in all open facts. `held` tells whether a value is what a variable
 * of a row without a fact is worth. Adds to *looks what it looked at. Never a
 * wrong yes; a no may be a yes. */
bool symmetry_same(const struct symmetry *s, size_t row, uint32_t f, uint32_t g,
		   const uint64_t *open, const uint32_t *bound,
		   const uint32_t *held, unsigned long *looks);

void symmetry_free(struct symmetry *s);
AUTO_DEFINE(symmetry)

#endif
