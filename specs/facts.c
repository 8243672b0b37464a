/* The facts of one machine. Each different word is kept once and has a
 * number, so that the matcher compares numbers. The words come from machines
 * that nobody vouches for, hence a balanced tree (tsearch): no input makes it
 * slow, as chosen collisions would a hash table. */
#include <search.h>
#include <stdarg.h>
#include <stdio.h>

#include "specs/facts_id.h"

struct word {
	const char *text; /* behind this struct, in facts.text, or a loan */
	uint32_t id;
};

struct row {
	struct fact fact;
	uint32_t id[FACT_WORDS];
};

struct facts {
	struct row *at;
	size_t len, cap;
	void *words; /* tree of struct word */
	uint32_t words_len;
	char *text; /* that words stand in, or NULL */
};

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
	tdestroy(f->words, free);
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

size_t
facts_ids(const struct facts *f)
{
	return f->words_len;
}

uint32_t
facts_id(const struct facts *f, size_t i, int word)
{
	return f->at[i].id[word];
}

static int
order_of_words(const void *a, const void *b)
{
	return strcmp(((const struct word *)a)->text,
		      ((const struct word *)b)->text);
}

bool
facts_id_of(const struct facts *f, const char *text, uint32_t *id)
{
	const struct word key = { .text = text };
	const struct word *const *found =
		tfind(&key, &f->words, order_of_words);

	if (!found)
		return false;
	*id = (*found)->id;
	return true;
}

/* As it stands for ever, or with a copy of the text behind it. */
static struct word *
new_word(const struct word *key, bool copy)
{
	size_t len = copy ? strlen(key->text) + 1 : 0;
	struct word *w = base_alloc(sizeof(*w) + len);

	*w = *key;
	if (copy)
		w->text = memcpy(w + 1, key->text, len);
	return w;
}

static const struct word *
keep_word(struct facts *f, const char *text, bool copy)
{
	struct word key = { .text = text, .id = f->words_len };
	struct word **kept = tsearch(&key, &f->words, order_of_words);

	if (!kept)
		abort(); /* out of memory, as lib/base does */
	if (*kept == &key) {
		*kept = new_word(&key, copy);
		f->words_len++;
	}
	return *kept;
}

static struct row *
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
	struct row *row = new_row(f), *before = f->len > 1 ? row - 1 : NULL;

	for (int i = 0; i < FACT_WORDS; i++) {
		const struct word *w;

		if (before && strcmp(before->fact.word[i], word[i]) == 0) {
			row->fact.word[i] = before->fact.word[i];
			row->id[i] = before->id[i];
			continue;
		}
		w = keep_word(f, word[i], copy);
		row->fact.word[i] = w->text;
		row->id[i] = w->id;
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
