/* Facts are copied once, into one growing text per fact; what comes from
 * outside is checked here and nowhere else. */
#include <stdarg.h>
#include <stdio.h>

#include "specs/facts.h"
#include "lib/json.h"
#include "lib/num.h"

struct facts {
	struct fact *at;
	size_t len, cap;
};

struct facts *
facts_new(void)
{
	return base_alloc(sizeof(struct facts));
}

static void
add_words(struct facts *f, char *const words[FACT_WORDS])
{
	size_t i;

	if (f->len == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->at = base_resize(f->at, f->cap, sizeof(*f->at));
	}
	for (i = 0; i < FACT_WORDS; i++)
		f->at[f->len].word[i] = words[i];
	f->len++;
}

static char *
cut(const char *word)
{
	return base_strndup(word, strnlen(word, FACT_WORD_MAX));
}

void
facts_add(struct facts *f, const char *cls, const char *name,
	  const char *property, const char *value)
{
	char *const words[FACT_WORDS] = { cut(cls), cut(name), cut(property),
					  cut(value) };

	add_words(f, words);
}

void
facts_addf(struct facts *f, const char *cls, const char *name,
	   const char *property, const char *fmt, ...)
{
	AUTO_CLEAR(buf) text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	facts_add(f, cls, name, property, buf_text(&text));
}

static int
refuse(size_t item, size_t word, const char *what, struct err *e)
{
	static const char *const names[FACT_WORDS] = { "class", "name",
						       "property", "value" };

	return err_set(e, ERR_INPUT, "fact %zu, %s: %s", item + 1, names[word],
		       what);
}

/* One word of the upload as text, ASCII only. Owned; NULL when refused. */
static char *
word_of(const struct value *v, size_t item, size_t word, struct err *e)
{
	AUTO_CLEAR(buf) text = { 0 };
	char number[32];
	size_t i;

	if (v->kind == VALUE_INT) {
		buf_printf(&text, "%lld", (long long)v->integer);
	} else if (v->kind == VALUE_REAL) {
		num_real_text(v->real, number);
		buf_str(&text, number);
	} else if (v->kind != VALUE_STR) {
		refuse(item, word, "not a text or a number", e);
		return NULL;
	} else if (v->str.len > FACT_WORD_MAX) {
		refuse(item, word, "longer than 4096 bytes", e);
		return NULL;
	} else if (memchr(v->str.at, '\0', v->str.len)) {
		refuse(item, word, "has a NUL character", e);
		return NULL;
	} else {
		for (i = 0; i < v->str.len; i++)
			if ((unsigned char)v->str.at[i] < 0x80)
				buf_char(&text, v->str.at[i]);
	}
	return buf_take(&text);
}

static int
take_item(struct facts *f, const struct value *v, struct err *e)
{
	char *words[FACT_WORDS] = { NULL };
	size_t i;

	if (v->kind != VALUE_LIST || v->list.len != FACT_WORDS)
		return err_set(e, ERR_INPUT,
			       "fact %zu: not a list of four words",
			       f->len + 1);
	for (i = 0; i < FACT_WORDS; i++) {
		words[i] = word_of(v->list.at[i], f->len, i, e);
		if (!words[i])
			goto free_words;
	}
	add_words(f, words);
	return 0;

free_words:
	for (i = 0; i < FACT_WORDS; i++)
		free(words[i]);
	return -1;
}

int
facts_from_json(struct facts **out, const char *text, size_t len, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(facts) f = facts_new();
	size_t i;

	if (len > FACTS_MAX_BYTES)
		return err_set(e, ERR_INPUT, "facts larger than 1 MiB");
	if (json_parse(&v, text, len, e) < 0)
		return -1;
	if (v->kind != VALUE_LIST)
		return err_set(e, ERR_INPUT, "facts are a list of lists");
	if (v->list.len > FACTS_MAX)
		return err_set(e, ERR_INPUT, "more than 20000 facts");
	for (i = 0; i < v->list.len; i++)
		if (take_item(f, v->list.at[i], e) < 0)
			return -1;
	*out = STEAL(f);
	return 0;
}

void
facts_to_json(const struct facts *f, struct buf *out)
{
	size_t i, w;

	buf_str(out, "[");
	for (i = 0; i < f->len; i++) {
		buf_str(out, i ? ",\n [" : "\n [");
		for (w = 0; w < FACT_WORDS; w++) {
			struct value *v = value_str(f->at[i].word[w]);

			buf_str(out, w ? ", " : "");
			value_json(v, 0, out);
			value_free(v);
		}
		buf_str(out, "]");
	}
	buf_str(out, "\n]\n");
}

size_t
facts_len(const struct facts *f)
{
	return f->len;
}

const struct fact *
facts_at(const struct facts *f, size_t i)
{
	return &f->at[i];
}

const char *
facts_find(const struct facts *f, const char *cls, const char *name,
	   const char *property)
{
	const char *const want[] = { cls, name, property };
	size_t i, w;

	for (i = 0; i < f->len; i++) {
		for (w = 0; w < 3; w++)
			if (want[w] && !str_eq(want[w], f->at[i].word[w]))
				break;
		if (w == 3)
			return f->at[i].word[FACT_VALUE];
	}
	return NULL;
}

void
facts_free(struct facts *f)
{
	size_t i, w;

	for (i = 0; f && i < f->len; i++)
		for (w = 0; w < FACT_WORDS; w++)
			free((char *)(uintptr_t)f->at[i].word[w]);
	if (f)
		free(f->at);
	free(f);
}
