/* The facts of one machine. Each different word is kept once and has a
 * number, so that the matcher compares numbers. The words come from machines
 * that nobody vouches for, hence a balanced tree (tsearch): no input makes it
 * slow, as chosen collisions would a hash table. */
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>

#include "specs/facts_id.h"
#include "lib/json.h"
#include "lib/num.h"
#include "lib/value.h"

struct word {
	const char *text; /* the bytes behind this struct, or a loan to find */
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

static struct word *
new_word(const char *text, size_t len, uint32_t id)
{
	struct word *w = base_alloc(sizeof(*w) + len + 1);
	char *bytes = (char *)(w + 1);

	memcpy(bytes, text, len);
	w->text = bytes;
	w->id = id;
	return w;
}

static const struct word *
keep_word(struct facts *f, const char *text)
{
	struct word *w =
		new_word(text, strnlen(text, FACT_WORD_MAX), f->words_len);
	struct word **kept = tsearch(w, &f->words, order_of_words);

	if (!kept)
		abort(); /* out of memory, as lib/base does */
	if (*kept == w)
		f->words_len++;
	else
		free(w);
	return *kept;
}

static void
add_words(struct facts *f, const char *const word[FACT_WORDS])
{
	struct row *row;

	if (f->len == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 64;
		f->at = base_resize(f->at, f->cap, sizeof(*f->at));
	}
	row = &f->at[f->len++];
	for (int i = 0; i < FACT_WORDS; i++) {
		const struct word *w = keep_word(f, word[i]);

		row->fact.word[i] = w->text;
		row->id[i] = w->id;
	}
}

void
facts_add(struct facts *f, const char *cls, const char *name,
	  const char *property, const char *value)
{
	const char *word[FACT_WORDS] = { cls, name, property, value };

	add_words(f, word);
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

static int
refuse(size_t item, int word, const char *what, struct err *e)
{
	static const char *const names[FACT_WORDS] = { "class", "name",
						       "property", "value" };

	return err_set(e, ERR_INPUT, "fact %zu, %s: %s", item + 1, names[word],
		       what);
}

/* The first eDeploy dropped what is not ASCII before it matched, and profiles
 * were written for the rest. A NUL would cut the word in two meanings. What is
 * wrong with the word, or NULL. */
static const char *
add_text(const struct value *v, struct buf *out)
{
	if (v->str.len > FACT_WORD_MAX)
		return "longer than 4096 bytes";
	if (memchr(v->str.at, '\0', v->str.len))
		return "has a NUL character";
	for (size_t i = 0; i < v->str.len; i++) {
		size_t from = i;

		while (i < v->str.len && (unsigned char)v->str.at[i] < 0x80)
			i++;
		buf_add(out, v->str.at + from, i - from);
	}
	return NULL;
}

static const char *
add_word(const struct value *v, struct buf *out)
{
	char real[32];

	switch (v->kind) {
	case VALUE_STR:
		return add_text(v, out);
	case VALUE_INT:
		buf_printf(out, "%" PRId64, v->integer);
		return NULL;
	case VALUE_REAL:
		num_real_text(v->real, real);
		buf_str(out, real);
		return NULL;
	default:
		return "not a text or a number";
	}
}

static int
add_item(struct facts *f, const struct value *item, struct err *e)
{
	AUTO_CLEAR(buf) text = { 0 };
	size_t start[FACT_WORDS];
	const char *word[FACT_WORDS], *wrong;

	if (item->kind != VALUE_LIST || item->list.len != FACT_WORDS)
		return err_set(e, ERR_INPUT,
			       "fact %zu: not a list of four words",
			       f->len + 1);
	for (int i = 0; i < FACT_WORDS; i++) {
		start[i] = text.len;
		wrong = add_word(item->list.at[i], &text);
		if (wrong)
			return refuse(f->len, i, wrong, e);
		buf_char(&text, '\0');
	}
	for (int i = 0; i < FACT_WORDS; i++)
		word[i] = text.at + start[i];
	add_words(f, word);
	return 0;
}

int
facts_from_json(struct facts **out, const char *text, size_t len, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(facts) f = facts_new();

	if (len > FACTS_MAX_BYTES)
		return err_set(e, ERR_INPUT, "facts larger than 1 MiB");
	if (json_parse(&v, text, len, e) < 0)
		return -1;
	if (v->kind != VALUE_LIST)
		return err_set(e, ERR_INPUT, "facts are a list of lists");
	if (v->list.len > FACTS_MAX)
		return err_set(e, ERR_INPUT, "more than 20000 facts");
	for (size_t i = 0; i < v->list.len; i++)
		if (add_item(f, v->list.at[i], e) < 0)
			return -1;
	*out = STEAL(f);
	return 0;
}

/* How many bytes stand in JSON as they are. */
static size_t
plain_len(const char *word)
{
	size_t n = 0;

	while (word[n] >= 0x20 && word[n] < 0x7f && word[n] != '"' &&
	       word[n] != '\\')
		n++;
	return n;
}

/* Words from detection may hold any byte; JSON must stay JSON. */
static void
word_to_json(const char *word, struct buf *out)
{
	buf_char(out, '"');
	while (*word) {
		size_t plain = plain_len(word);
		unsigned char c = (unsigned char)word[plain];

		buf_add(out, word, plain);
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c && c < 0x80)
			buf_printf(out, "\\u%04x", c);
		word += plain + (c != 0);
	}
	buf_char(out, '"');
}

void
facts_to_json(const struct facts *f, struct buf *out)
{
	buf_str(out, "[");
	for (size_t i = 0; i < f->len; i++) {
		buf_str(out, i ? ",\n [" : "\n [");
		for (int w = 0; w < FACT_WORDS; w++) {
			if (w)
				buf_str(out, ", ");
			word_to_json(f->at[i].fact.word[w], out);
		}
		buf_char(out, ']');
	}
	buf_str(out, "\n]\n");
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
