#ifndef SPECS_PATTERN_H
#define SPECS_PATTERN_H

#include <stdbool.h>

#include "specs/facts.h"
#include "specs/patterns.h"
#include "specs/predicate.h"

/* What patterns_parse makes of a row; for the matcher only. */
struct pattern_word {
	char *text;             /* as written */
	struct predicate *test; /* NULL: none */
	int variable;           /* index into names, -1: none */
};

struct pattern {
	struct pattern_word word[FACT_WORDS];
	bool binds; /* some word is a variable */
	bool calls; /* some word is a predicate */
	/* The first row that fits the same facts: this one, or one before it
	 * that differs in the names of its variables only. */
	size_t like;
	char *text;
	unsigned line;
};

struct pattern_warning {
	unsigned line;
	char *text;
};

struct patterns {
	struct pattern *at;
	size_t len;
	char **names; /* of variables, NULL-terminated */
	bool *key;    /* ... written with $$ somewhere */
	size_t names_len;
	struct pattern_warning *warnings;
	size_t warnings_len;
};

static inline bool
pattern_word_is_literal(const struct pattern_word *w)
{
	return !w->test && w->variable < 0;
}

#endif
