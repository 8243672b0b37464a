#ifndef SPECS_FACTS_ID_H
#define SPECS_FACTS_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "specs/facts.h"

/* Facts as numbers, for the matcher: equal words of one struct facts have
 * equal ids, from 0 on. */
size_t facts_ids(const struct facts *f);
uint32_t facts_id(const struct facts *f, size_t i, int word);

/* The id of `text`; false when no fact has this word. */
bool facts_id_of(const struct facts *f, const char *text, uint32_t *id);

/* For the reader of uploads: a copy of `text` that lives as long as `f`, its
 * only one; and a fact whose words live as long as `f`, at most FACT_WORD_MAX
 * each. */
char *facts_keep(struct facts *f, const char *text, size_t len);
void facts_add_kept(struct facts *f, const char *const word[FACT_WORDS]);

#endif
