/* The fence of jansson: JSON text in, a value out. Nothing of jansson is seen
 * outside; printing is ours (value_text.c), so that any value prints.
 *
 * Plain JSON, which is nearly all that we write ourselves, is read without it,
 * in a third of the time; whatever else may come, right or wrong, is
 * jansson's. */
#include <jansson.h>

#include "lib/base.h"
#include "lib/json.h"

#define JSON_DEPTH 64

static struct value *from_json(const json_t *j, int depth);

static struct value *
from_object(const json_t *j, int depth)
{
	struct value *dict = value_dict();
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)(uintptr_t)j, key, item)
	{
		struct value *v = from_json(item, depth);

		if (!v) {
			value_free(dict);
			return NULL;
		}
		value_set(dict, key, v);
	}
	return dict;
}

static struct value *
from_array(const json_t *j, int depth)
{
	struct value *list = value_list();
	size_t i;

	for (i = 0; i < json_array_size(j); i++) {
		struct value *v = from_json(json_array_get(j, i), depth);

		if (!v) {
			value_free(list);
			return NULL;
		}
		value_push(list, v);
	}
	return list;
}

/* NULL when it nests too deeply. */
static struct value *
from_json(const json_t *j, int depth)
{
	if (depth > JSON_DEPTH)
		return NULL;
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return from_object(j, depth + 1);
	case JSON_ARRAY:
		return from_array(j, depth + 1);
	case JSON_STRING:
		return value_strn(json_string_value(j), json_string_length(j));
	case JSON_INTEGER:
		return value_int(json_integer_value(j));
	case JSON_REAL:
		return value_real(json_real_value(j));
	case JSON_TRUE:
		return value_bool(true);
	case JSON_FALSE:
		return value_bool(false);
	case JSON_NULL:
		return value_none();
	}
	return NULL;
}

/* ---- plain JSON: no escapes, no reals, ASCII, small objects ---- */

#define PLAIN_DEPTH 8
#define PLAIN_MEMBERS 64
#define PLAIN_DIGITS 18

struct cursor {
	const char *at, *end;
};

static char
next(struct cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' ||
				  *c->at == '\t' || *c->at == '\r'))
		c->at++;
	return c->at < c->end ? *c->at : '\0';
}

static bool
take(struct cursor *c, char wanted)
{
	if (next(c) != wanted)
		return false;
	c->at++;
	return true;
}

/* Text up to its quote, which is taken, too. */
static bool
plain_text(struct cursor *c, const char **from, size_t *len)
{
	if (!take(c, '"'))
		return false;
	*from = c->at;
	while (c->at < c->end && *c->at >= 0x20 && *c->at < 0x7f &&
	       *c->at != '"' && *c->at != '\\')
		c->at++;
	*len = (size_t)(c->at - *from);
	if (c->at == c->end || *c->at != '"')
		return false;
	c->at++;
	return true;
}

static struct value *
plain_number(struct cursor *c)
{
	bool minus = take(c, '-');
	const char *from = c->at;
	int64_t n = 0;

	while (c->at < c->end && *c->at >= '0' && *c->at <= '9' &&
	       c->at - from < PLAIN_DIGITS)
		n = n * 10 + (*c->at++ - '0');
	if (c->at == from || (*from == '0' && c->at - from > 1))
		return NULL;
	return value_int(minus ? -n : n);
}

static struct value *plain_value(struct cursor *c, int depth);

static bool
plain_member(struct cursor *c, struct value *dict, int depth)
{
	AUTO_FREE char *key = NULL;
	const char *from;
	struct value *v;
	size_t len;

	if (dict->dict.len == PLAIN_MEMBERS || !plain_text(c, &from, &len))
		return false;
	key = base_strndup(from, len);
	if (value_get(dict, key) || !take(c, ':'))
		return false;
	v = plain_value(c, depth);
	if (!v)
		return false;
	value_set(dict, key, v);
	return true;
}

static struct value *
plain_dict(struct cursor *c, int depth)
{
	AUTO(value) dict = value_dict();

	if (!take(c, '{'))
		return NULL;
	if (take(c, '}'))
		return STEAL(dict);
	do
		if (!plain_member(c, dict, depth))
			return NULL;
	while (take(c, ','));
	return take(c, '}') ? STEAL(dict) : NULL;
}

static struct value *
plain_list(struct cursor *c, int depth)
{
	AUTO(value) list = value_list();

	if (!take(c, '['))
		return NULL;
	if (take(c, ']'))
		return STEAL(list);
	do {
		struct value *v = plain_value(c, depth);

		if (!v)
			return NULL;
		value_push(list, v);
	} while (take(c, ','));
	return take(c, ']') ? STEAL(list) : NULL;
}

/* NULL: not plain. */
static struct value *
plain_value(struct cursor *c, int depth)
{
	const char *from;
	size_t len;

	if (depth == PLAIN_DEPTH)
		return NULL;
	switch (next(c)) {
	case '{':
		return plain_dict(c, depth + 1);
	case '[':
		return plain_list(c, depth + 1);
	case '"':
		return plain_text(c, &from, &len) ? value_strn(from, len)
						  : NULL;
	default:
		return plain_number(c);
	}
}

static struct value *
read_plain(const char *text, size_t len)
{
	struct cursor c = { text, text + len };
	AUTO(value) v = plain_value(&c, 0);

	next(&c);
	return c.at == c.end ? STEAL(v) : NULL;
}

int
json_parse(struct value **out, const char *text, size_t len, struct err *e)
{
	struct value *v = read_plain(text, len);
	json_error_t why;
	json_t *j;

	if (v) {
		*out = v;
		return 0;
	}
	j = json_loadb(text, len,
		       JSON_REJECT_DUPLICATES | JSON_DECODE_ANY |
			       JSON_ALLOW_NUL,
		       &why);
	if (!j)
		return err_set(e, ERR_INPUT, "JSON, line %d column %d: %s",
			       why.line, why.column, why.text);
	v = from_json(j, 0);
	json_decref(j);
	if (!v)
		return err_set(e, ERR_INPUT, "JSON: nested more than %d deep",
			       JSON_DEPTH);
	*out = v;
	return 0;
}
