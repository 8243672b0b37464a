#ifndef SITE_ROWS_H
#define SITE_ROWS_H

#include "store/store.h"

/* The store's entries of one profile, and ways to find the one that an entry
 * of a file is. */

/* Rows in the order of a text of theirs. */
struct by_text {
	const char **texts; /* of each row; NULL: not in it */
	size_t *order, len;
	size_t *next; /* for the first of equal texts: look from here on */
};

struct rows {
	struct store_entry *at; /* by position */
	size_t len;
	size_t placed; /* the first that stands in the file */
	bool *matched;
	size_t *by_id;
	struct by_text by_fields, by_origin;
	/* see rows_by_meaning */
	struct by_text sorted_fields, sorted_origin;
	uint64_t *marks;
	size_t marks_len;
};

int rows_load(struct rows *r, struct store *store, const char *profile,
	      struct err *e);
void rows_clear(struct rows *r);

/* NULL when there is none. Borrowed. */
struct store_entry *rows_by_id(struct rows *r, int64_t id);

/* An unmatched row with this content: as it is, or as it was before it was
 * claimed. What stood at place `i` is looked at first, so that equal entries
 * keep theirs. */
struct store_entry *rows_by_content(struct rows *r, const char *json, size_t i);

/* The same where members stand in another order. Its cost grows with the rows
 * that are unmatched when it is first called: match all others before. */
struct store_entry *rows_by_meaning(struct rows *r, const char *json);

/* Two JSON objects that mean the same, in whatever order. */
bool rows_same(const char *a, const char *b);

static inline bool
rows_is_matched(const struct rows *r, const struct store_entry *row)
{
	return r->matched[row - r->at];
}

static inline void
rows_match(struct rows *r, const struct store_entry *row)
{
	r->matched[row - r->at] = true;
}

#endif
