#ifndef SPECS_PREDICATE_H
#define SPECS_PREDICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* A test of one word, as written in a profile: gt(4), not(regexp(^28:d2:)).
 * docs/formats.md lists them. Immutable after parsing. */
#define PREDICATE_MAX_DEPTH 16

struct predicate;

/* A test that cannot read the word (text under gt) is neither true nor false,
 * and stays so under not(). Only TRUTH_YES is a match. */
enum truth { TRUTH_NO, TRUTH_YES, TRUTH_UNREADABLE };

/* `text` begins like a call of a predicate: its name, then '('. */
bool predicate_is_call(const char *text);

/* The predicate whose name is written wrongly in `text` (GT(4), gt (4),
 * grater(4), bigger(4) gives ""), or NULL when `text` does not look like a call
 * at all, as in 'ProLiant (x)'. */
const char *predicate_near_miss(const char *text);

/* All names, for messages: "gt ge ...". */
const char *predicate_names(void);

/* Read one call, the whole of `text`. ERR_INPUT. *odd becomes a remark on
 * something legal that is hardly meant, or stays NULL. */
int predicate_parse(struct predicate **out, const char *text, const char **odd,
		    struct err *e);

/* Which words come nearest to fitting: the largest (gt, ge: 1), the smallest
 * (lt, le: -1), or neither (0). */
int predicate_wants(const struct predicate *p);

enum truth predicate_eval(const struct predicate *p, const char *word);

/* Certain that every word that fits `a` fits `b`; false is not certain. */
bool predicate_implies(const struct predicate *a, const struct predicate *b);

void predicate_free(struct predicate *p);
AUTO_DEFINE(predicate)

#endif
