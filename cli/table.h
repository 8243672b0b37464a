#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/term.h"

/* A table: columns as wide as their widest cell, two blanks between, nothing
 * behind the last; control bytes are shown as \xNN. On a terminal it is made
 * to fit. */
struct table {
	char **cells;
	size_t len, columns;
	bool heads;         /* the first row names the columns */
	const char *leaves; /* "47": columns (from 0) that leave a terminal
			     * that is too narrow, in this order; with heads
			     * also one that tells nothing. NULL: none */
	bool drops;         /* columns that do not fit leave from the right
			     * and are named below; with heads */
	bool wraps;         /* the last column is broken, not cut */
	bool paints;        /* cells are coloured by what they say */
};

void table_add(struct table *t, const char *cell); /* NULL: "-" */

/* Append it as `term` is; table_print does so on stdout. */
void table_text(const struct table *t, const struct term *term,
		struct buf *out);
void table_print(const struct table *t);
void table_clear(struct table *t);

#endif
