#ifndef CMDB_SERIES_H
#define CMDB_SERIES_H

#include "lib/base.h"
#include "lib/err.h"
#include "lib/value.h"

/* The values that one value of a generate() model stands for: a range in a
 * text, the items of a list, or one value again and again. Each is made when
 * it is asked for, so that a series costs the same however long it is. */
struct series;

#define SERIES_CONSTANT UINT64_MAX /* the length of what never ends */

/* `text` for all values of a dict, or, with `prefix`, for those whose key
 * begins with it (which it loses). ERR_INPUT, with "path:line:column: what",
 * for a range that means nothing. Points into `v`, which must outlive it. */
int series_open(struct series **out, const struct value *v, const char *prefix,
		const char *path, struct err *e);

uint64_t series_len(const struct series *s);

/* Value `i` of it (below its length), as a literal behind what is in `out`. */
void series_write(const struct series *s, uint64_t i, struct buf *out);

/* For a dict: the key whose values end first, and the one with most values, or
 * NULL when all that end have the same number. Borrowed. */
const char *series_shortest(const struct series *s, const char **longest,
			    uint64_t *most);

void series_free(struct series *s);
AUTO_DEFINE(series)

#endif
