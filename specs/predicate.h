#ifndef SPECS_PREDICATE_H
#define SPECS_PREDICATE_H

#include <stdbool.h>

#include "lib/base.h"
#include "lib/err.h"

/* A call like gt(4) or and(gt(4), not(in(7, 8))), parsed and compiled.
 * docs/formats.md lists them. Immutable after parsing. */
struct predicate;

/* What a text is, by its shape and name. */
enum predicate_shape {
	PREDICATE_CALL,    /* a call of a known predicate */
	PREDICATE_UNKNOWN, /* call syntax, but no such predicate: a literal */
	PREDICATE_PLAIN    /* no call: a literal */
};

enum predicate_shape predicate_shape(const char *text);

/* A known predicate that `text` probably means (GT(4): gt), or NULL. */
const char *predicate_meant(const char *text);

/* Parse a PREDICATE_CALL. ERR_INPUT tells what is wrong with it. */
int predicate_parse(struct predicate **out, const char *text, struct err *e);

/* Does it hold for this word? What it cannot read (text under gt, a name
 * under network) is false, whatever stands around it. */
bool predicate_holds(const struct predicate *p, const char *word);

void predicate_free(struct predicate *p);
AUTO_DEFINE(predicate)

#endif
