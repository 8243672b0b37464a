#ifndef SPECS_PATTERN_H
#define SPECS_PATTERN_H

#include "specs/facts.h"
#include "specs/patterns.h"
#include "specs/predicate.h"

/* The inside of patterns.h, for the matcher. */
struct word {
	char *text;              /* as written */
	struct predicate *holds; /* NULL: none */
	int variable;            /* index into patterns.variables, or -1 */
	bool never;              /* `$x=text` fits nothing but itself */
};

struct pattern {
	struct word word[FACT_WORDS];
	unsigned line;
	char *text; /* for people */
};

struct warning {
	unsigned line;
	char *text;
};

struct patterns {
	struct pattern *at;
	size_t len;
	char **variables; /* NULL-terminated */
	bool *keys;       /* variable i was written with $$ somewhere */
	size_t variables_len;
	struct warning *warnings;
	size_t warnings_len;
};

#endif
