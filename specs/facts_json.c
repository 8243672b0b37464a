/* The upload's format: a JSON list of lists of four words. Nearly all uploads
 * are plain words without escapes, and those are a quarter of the server's work
 * when they go through a tree of values; so these are read straight, and
 * whatever else may come, right or wrong, goes through json_parse. */
#include <inttypes.h>

#include "specs/facts_id.h"
#include "lib/json.h"
#include "lib/num.h"
#include "lib/value.h"

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
			       facts_len(f) + 1);
	for (int i = 0; i < FACT_WORDS; i++) {
		start[i] = text.len;
		wrong = add_word(item->list.at[i], &text);
		if (wrong)
			return refuse(facts_len(f), i, wrong, e);
		buf_char(&text, '\0');
	}
	for (int i = 0; i < FACT_WORDS; i++)
		word[i] = text.at + start[i];
	facts_add(f, word[0], word[1], word[2], word[3]);
	return 0;
}

/* Any JSON, and what is wrong with it. */
static int
read_any(struct facts **out, const char *text, size_t len, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(facts) f = facts_new();

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

/* ---- plain lists of plain words ---- */

struct cursor {
	char *at;
	const char *end;
};

static void
skip_blanks(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' ||
				  *c->at == '\t' || *c->at == '\r'))
		c->at++;
}

static bool
take(struct cursor *c, char wanted)
{
	skip_blanks(c);
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

static bool
is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* The word, ended where its quote stood. */
static const char *
take_word(struct cursor *c)
{
	const char *word;

	if (!take(c, '"'))
		return NULL;
	word = c->at;
	while (c->at < c->end && is_plain(*c->at))
		c->at++;
	if (c->at == c->end || *c->at != '"' || c->at - word > FACT_WORD_MAX)
		return NULL;
	*c->at++ = '\0';
	return word;
}

static bool
take_fact(struct cursor *c, struct facts *f)
{
	const char *word[FACT_WORDS];

	for (int i = 0; i < FACT_WORDS; i++) {
		if (!take(c, i ? ',' : '['))
			return false;
		word[i] = take_word(c);
		if (!word[i])
			return false;
	}
	if (!take(c, ']') || facts_len(f) == FACTS_MAX)
		return false;
	facts_add_kept(f, word);
	return true;
}

/* What agents send: read where it stands. False when it is anything else. */
static bool
read_plain(struct facts **out, const char *text, size_t len)
{
	AUTO(facts) f = facts_new();
	struct cursor c;

	c.at = facts_keep(f, text, len);
	c.end = c.at + len;
	if (!take(&c, '['))
		return false;
	do
		if (!take_fact(&c, f))
			return false;
	while (take(&c, ','));
	if (!take(&c, ']'))
		return false;
	skip_blanks(&c);
	if (c.at < c.end)
		return false;
	*out = STEAL(f);
	return true;
}

int
facts_from_json(struct facts **out, const char *text, size_t len, struct err *e)
{
	if (len > FACTS_MAX_BYTES)
		return err_set(e, ERR_INPUT, "facts larger than 1 MiB");
	if (read_plain(out, text, len))
		return 0;
	return read_any(out, text, len, e);
}

/* ---- printing ---- */

/* How many bytes stand in JSON as they are. */
static size_t
plain_len(const char *word)
{
	size_t n = 0;

	while (is_plain(word[n]))
		n++;
	return n;
}

/* Words from detection may hold any byte; JSON must stay JSON. */
static void
odd_to_json(const char *word, struct buf *out)
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

static void
word_to_json(const char *word, struct buf *out)
{
	size_t len = plain_len(word);
	char *to;

	if (word[len]) {
		odd_to_json(word, out);
		return;
	}
	to = buf_room(out, len + 2);
	to[0] = '"';
	memcpy(to + 1, word, len);
	to[len + 1] = '"';
	to[len + 2] = '\0';
	out->len += len + 2;
}

void
facts_to_json(const struct facts *f, struct buf *out)
{
	buf_str(out, "[");
	for (size_t i = 0; i < facts_len(f); i++) {
		buf_str(out, i ? ",\n [" : "\n [");
		for (int w = 0; w < FACT_WORDS; w++) {
			if (w)
				buf_add(out, ", ", 2);
			word_to_json(facts_at(f, i)->word[w], out);
		}
		buf_char(out, ']');
	}
	buf_str(out, "\n]\n");
}
