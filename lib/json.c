/* The fence of jansson: JSON text in, a value out. Nothing of jansson is seen
 * outside; printing is ours (value_text.c), so that any value prints. */
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

int
json_parse(struct value **out, const char *text, size_t len, struct err *e)
{
	json_error_t why;
	struct value *v;
	json_t *j = json_loadb(text, len,
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
