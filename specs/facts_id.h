#ifndef SPECS_FACTS_ID_H
#define SPECS_FACTS_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "specs/facts.h"

/* Facts as numbers, for the matcher: equal words of one struct facts have
 * equal ids, from 0 on. */
struct facts_row {
	struct fact fact;
	uint32_t id[FACT_WORDS];
};

struct facts_word {
	const char *text; /* its own, in facts.text, or a loan */
	size_t len;
	bool owned;
};

struct facts {
	struct facts_row *at;
	size_t len, cap;
	struct facts_word *words; /* by id */
	uint32_t words_len, words_cap;
	uint32_t *table; /* id + 1 of words by their hash, 0: free */
	char *text;      /* that words stand in, or NULL */
};

static inline size_t
facts_ids(const struct facts *f)
{
	return f->words_len;
}

static inline uint32_t
facts_id(const struct facts *f, size_t i, int word)
{
	return f->at[i].id[word];
}

/* The id of `text`; false when no fact has this word. */
bool facts_id_of(const struct facts *f, const char *text, uint32_t *id);

/* For the reader of uploads: a copy of `text` that lives as long as `f`, its
 * only one; and a fact whose words live as long as `f`, at most FACT_WORD_MAX
 * each. */
char *facts_keep(struct facts *f, const char *text, size_t len);
void facts_add_kept(struct facts *f, const char *const word[FACT_WORDS]);

#endif
