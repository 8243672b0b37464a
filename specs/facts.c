/* The facts of one machine. Each different word is kept once and has a
 * number, so that the matcher compares numbers. The words come from machines
 * that nobody vouches for: the table that finds them again has a secret key, or
 * chosen collisions would make it slow. */
#include <stdarg.h>
#include <stdio.h>

#include "specs/facts_id.h"
#include "lib/hash.h"

struct facts *
facts_new(void)
{
	return base_alloc(sizeof(struct facts));
}

void
facts_free(struct facts *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->words_len; i++)
		if (f->words[i].owned)
			free((char *)(uintptr_t)f->words[i].text);
	free(f->words);
	free(f->table);
	free(f->at);
	free(f->text);
	free(f);
}

size_t
facts_len(const struct facts *f)
{
	return f->len;
}

const struct fact *
facts_at(const struct facts *f, size_t i)
{
	return i < f->len ? &f->at[i].fact : NULL;
}

/* ---- words ---- */

/* Where the word is in the table, or would be: half of it is free. */
static uint32_t *
slot_of(const struct facts *f, const char *text, size_t len)
{
	uint32_t mask = 2 * f->words_cap - 1;
	uint32_t at = (uint32_t)hash_table(text, len) & mask;

	for (;; at = (at + 1) & mask) {
		const struct facts_word *w;

		if (!f->table[at])
			return &f->table[at];
		w = &f->words[f->table[at] - 1];
		if (w->len == len && memcmp(w->text, text, len) == 0)
			return &f->table[at];
	}
}

bool
facts_id_of(const struct facts *f, const char *text, uint32_t *id)
{
	uint32_t *slot = f->table ? slot_of(f, text, strlen(text)) : NULL;

	if (!slot || !*slot)
		return false;
	*id = *slot - 1;
	return true;
}

static void
make_room(struct facts *f)
{
	f->words_cap = f->words_cap ? 2 * f->words_cap : 64;
	f->words = base_resize(f->words, f->words_cap, sizeof(*f->words));
	free(f->table);
	f->table = base_array(2 * (size_t)f->words_cap, sizeof(*f->table));
	for (uint32_t i = 0; i < f->words_len; i++)
		*slot_of(f, f->words[i].text, f->words[i].len) = i + 1;
}

/* Its id. As it stands for ever, or as a copy. */
static uint32_t
keep_word(struct facts *f, const char *text, bool copy)
{
	size_t len = strlen(text);
	uint32_t *slot;

	if (f->words_len == f->words_cap)
		make_room(f);
	slot = slot_of(f, text, len);
	if (!*slot) {
		f->words[f->words_len] = (struct facts_word){
			copy ? base_strndup(text, len) : text, len, copy
		};
		*slot = ++f->words_len;
	}
	return *slot - 1;
}

/* ---- facts ---- */

static struct facts_row *
new_row(struct facts *f)
{
	if (f->len == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 64;
		f->at = base_resize(f->at, f->cap, sizeof(*f->at));
	}
	return &f->at[f->len++];
}

/* Most rows speak of the same thing as the row before. */
static void
add_words(struct facts *f, const char *const word[FACT_WORDS], bool copy)
{
	struct facts_row *row = new_row(f);
	struct facts_row *before = f->len > 1 ? row - 1 : NULL;

	for (int i = 0; i < FACT_WORDS; i++) {
		if (before && strcmp(before->fact.word[i], word[i]) == 0) {
			row->fact.word[i] = before->fact.word[i];
			row->id[i] = before->id[i];
			continue;
		}
		row->id[i] = keep_word(f, word[i], copy);
		row->fact.word[i] = f->words[row->id[i]].text;
	}
}

void
facts_add_kept(struct facts *f, const char *const word[FACT_WORDS])
{
	add_words(f, word, false);
}

char *
facts_keep(struct facts *f, const char *text, size_t len)
{
	f->text = base_strndup(text, len);
	return f->text;
}

void
facts_add(struct facts *f, const char *cls, const char *name,
	  const char *property, const char *value)
{
	const char *word[FACT_WORDS] = { cls, name, property, value };
	char *cut[FACT_WORDS] = { NULL };

	for (int i = 0; i < FACT_WORDS; i++)
		if (strnlen(word[i], FACT_WORD_MAX + 1) > FACT_WORD_MAX)
			word[i] = cut[i] = base_strndup(word[i], FACT_WORD_MAX);
	add_words(f, word, true);
	for (int i = 0; i < FACT_WORDS; i++)
		free(cut[i]);
}

void
facts_addf(struct facts *f, const char *cls, const char *name,
	   const char *property, const char *fmt, ...)
{
	char value[FACT_WORD_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	facts_add(f, cls, name, property, value);
}

static bool
fits(const struct fact *f, int word, const char *want)
{
	return !want || strcmp(f->word[word], want) == 0;
}

const char *
facts_find(const struct facts *f, const char *cls, const char *name,
	   const char *property)
{
	for (size_t i = 0; i < f->len; i++) {
		const struct fact *row = &f->at[i].fact;

		if (fits(row, FACT_PROPERTY, property) &&
		    fits(row, FACT_CLASS, cls) && fits(row, FACT_NAME, name))
			return row->word[FACT_VALUE];
	}
	return NULL;
}
