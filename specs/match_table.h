#ifndef SPECS_MATCH_TABLE_H
#define SPECS_MATCH_TABLE_H

#include "specs/pattern.h"

/* What the matcher looks at instead of texts: facts that fit some pattern,
 * their words as numbers, and for each pattern the facts it could take. */
struct candidate {
	size_t fact;   /* index into table.facts */
	bool as_text;  /* the whole line equals the pattern's text: binds
			  nothing */
	bool hopeless; /* no way has it, whatever the others take; it still
			  has its place in the order */
};

struct row {
	struct candidate *candidates;
	size_t len;
	int variable[FACT_WORDS];
};

struct table_fact {
	size_t index; /* in the machine's facts */
	int value[FACT_WORDS];
};

struct match_table {
	struct row *rows;
	size_t rows_len;
	struct table_fact *facts;
	size_t facts_len;
	size_t values_len, variables_len;
	/* Values of the same number here may change places everywhere without
	 * any pattern noticing. */
	int *twins;
	/* A pattern that no fact can satisfy, whatever the others take;
	 * rows_len when there is none. */
	size_t impossible;
};

struct match_table *match_table_new(const struct patterns *p,
				    const struct facts *f);
void match_table_free(struct match_table *t);
AUTO_DEFINE(match_table)

#endif
