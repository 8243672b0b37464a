#ifndef CLI_TERM_H
#define CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

/* Where words for a person go: a terminal, or something that keeps them. */
struct term {
	bool terminal; /* lines may move */
	bool colours;  /* a terminal, not dumb, and NO_COLOR is not set */
	int columns;   /* of the terminal now; 0: as long as a line is */
	int rows;      /* 0: not a terminal */
};

void term_look(struct term *t, int fd);

/* Columns that `text` takes: one for each character of UTF-8. */
size_t term_columns(const char *text);

/* Append at most `columns` columns of `text`; what is cut ends in "...". */
void term_cut(const char *text, size_t columns, struct buf *out);

/* Append `text`, broken at blanks so that no line is longer than `columns`
 * (0: any); each further line starts with `indent` blanks. The cursor stands
 * at column `indent` already. A word that is longer than a line stays whole:
 * it may be a path that somebody copies. */
void term_wrap(const char *text, size_t columns, size_t indent,
	       struct buf *out);

/* Append `text` in the colour of a condition or event ("failed" red, "waiting"
 * yellow, "installed" green, ...). Without colours: as it is. */
void term_paint(const struct term *t, const char *word, const char *text,
		struct buf *out);

#endif
