#ifndef SPECS_FACTS_H
#define SPECS_FACTS_H

#include <stddef.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"

/* All that detection found on one machine, in order: lines of four words. */
#define FACTS_MAX_BYTES (1024 * 1024) /* of JSON */
#define FACTS_MAX 20000
#define FACT_WORD_MAX 4096 /* bytes, without the NUL */

enum { FACT_CLASS, FACT_NAME, FACT_PROPERTY, FACT_VALUE, FACT_WORDS };

struct fact {
	const char *word[FACT_WORDS];
};

struct facts;

struct facts *facts_new(void);

/* Append a copy. For detection, whose words are printable and short; they are
 * cut at FACT_WORD_MAX. */
void facts_add(struct facts *f, const char *cls, const char *name,
	       const char *property, const char *value);
void facts_addf(struct facts *f, const char *cls, const char *name,
		const char *property, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Read the upload format: a JSON list of lists of four words. Numbers become
 * text (integers in decimal, reals as lib/num has it); true, false, null,
 * other shapes and anything over the caps are ERR_INPUT with the item's
 * number. Bytes outside ASCII are dropped from words (docs/formats.md). */
int facts_from_json(struct facts **out, const char *text, size_t len,
		    struct err *e);

/* The same format, one fact a line. */
void facts_to_json(const struct facts *f, struct buf *out);

size_t facts_len(const struct facts *f);
const struct fact *facts_at(const struct facts *f, size_t i);

/* Value of the first fact with these three words, or NULL. A NULL word fits
 * anything. Borrowed. */
const char *facts_find(const struct facts *f, const char *cls, const char *name,
		       const char *property);

void facts_free(struct facts *f);
AUTO_DEFINE(facts)

#endif
