#ifndef SPECS_EXPLAIN_H
#define SPECS_EXPLAIN_H

#include <stddef.h>

#include "specs/match.h"

/* Why a profile fits a machine or not, pattern by pattern, for people. */
enum explain_status {
	EXPLAIN_FITS,       /* took the fact named */
	EXPLAIN_FAILS,      /* no fact for it, given the patterns above */
	EXPLAIN_IMPOSSIBLE, /* behind the failing one: no fact fits it alone */
	EXPLAIN_OPEN,       /* behind the failing one: not decided */
	EXPLAIN_TOO_MANY    /* the step budget ended at this pattern */
};

struct explain_row {
	enum explain_status status;
	size_t fact; /* the fact it took; SIZE_MAX: none */
	char *why;   /* of FAILS, IMPOSSIBLE, TOO_MANY; NULL otherwise */
};

struct explanation {
	enum match_outcome outcome;
	struct bindings *bindings; /* of a hit */
	struct explain_row *rows;  /* one for each pattern */
	size_t len;
	size_t failed; /* the row that fails; len of a hit */
};

/* Explain match_run(p, f, budget). A profile that does not fit fails at the
 * first pattern that cannot be met together with those above it, whatever
 * facts those take; what is shown for those above is one way to meet them.
 * Costs a few matches. Clear `out`. */
void explain_run(const struct patterns *p, const struct facts *f,
		 unsigned long budget, struct explanation *out);
void explanation_clear(struct explanation *x);

/* Why the profile does not fit, in one line: the failing pattern and what there
 * is instead. Owned by the caller; NULL when it fits. */
char *explain_line(const struct patterns *p, const struct facts *f);

/* The word for it: "fits", "fails", "impossible", "open", "too many". */
const char *explain_status_name(enum explain_status s);

#endif
