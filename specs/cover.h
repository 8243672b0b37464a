#ifndef SPECS_COVER_H
#define SPECS_COVER_H

#include <stdbool.h>

#include "specs/patterns.h"

/* Certain that every machine that fits `special` fits `general`; false is not
 * certain. Gives up after some steps. */
bool patterns_cover(const struct patterns *general,
		    const struct patterns *special);

#endif
