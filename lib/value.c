#include "lib/value.h"
#include "lib/base.h"

static struct value *
make(enum value_kind kind)
{
	struct value *v = base_alloc(sizeof(*v));

	v->kind = kind;
	return v;
}

struct value *
value_none(void)
{
	return make(VALUE_NONE);
}

struct value *
value_bool(bool b)
{
	struct value *v = make(VALUE_BOOL);

	v->boolean = b;
	return v;
}

struct value *
value_int(int64_t i)
{
	struct value *v = make(VALUE_INT);

	v->integer = i;
	return v;
}

struct value *
value_real(double r)
{
	struct value *v = make(VALUE_REAL);

	v->real = r;
	return v;
}

struct value *
value_strn(const char *text, size_t len)
{
	struct value *v = make(VALUE_STR);

	v->str.at = base_strndup(text, len);
	v->str.len = len;
	return v;
}

struct value *
value_str(const char *text)
{
	return value_strn(text, strlen(text));
}

struct value *
value_list(void)
{
	return make(VALUE_LIST);
}

struct value *
value_tuple(void)
{
	return make(VALUE_TUPLE);
}

struct value *
value_dict(void)
{
	return make(VALUE_DICT);
}

/* Room for one more of `len` things, doubling at powers of two. */
static void *
grow(void *at, size_t len, size_t size)
{
	if (len & (len - 1))
		return at;
	return base_resize(at, len ? 2 * len : 1, size);
}

void
value_push(struct value *list, struct value *item)
{
	list->list.at = grow(list->list.at, list->list.len, sizeof(item));
	list->list.at[list->list.len++] = item;
}

static struct member *
find(const struct value *dict, const char *key)
{
	size_t i;

	for (i = 0; i < dict->dict.len; i++)
		if (str_eq(dict->dict.at[i].key, key))
			return &dict->dict.at[i];
	return NULL;
}

void
value_set(struct value *dict, const char *key, struct value *item)
{
	struct member *m = find(dict, key);

	if (m) {
		value_free(m->value);
		m->value = item;
		return;
	}
	dict->dict.at = grow(dict->dict.at, dict->dict.len, sizeof(*m));
	dict->dict.at[dict->dict.len++] =
		(struct member){ base_strdup(key), item, 0 };
}

void
value_set_str(struct value *dict, const char *key, const char *text)
{
	value_set(dict, key, text ? value_str(text) : value_none());
}

void
value_set_int(struct value *dict, const char *key, int64_t i)
{
	value_set(dict, key, value_int(i));
}

void
value_unset(struct value *dict, const char *key)
{
	struct member *m = find(dict, key);
	size_t after;

	if (!m)
		return;
	free(m->key);
	value_free(m->value);
	after = dict->dict.len - (size_t)(m - dict->dict.at) - 1;
	memmove(m, m + 1, after * sizeof(*m));
	dict->dict.len--;
	/* grow() makes room at powers of two only: shrink to fit it */
	dict->dict.at =
		base_resize(dict->dict.at, 2 * dict->dict.len + 1, sizeof(*m));
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key,
		      ((const struct member *)b)->key);
}

void
value_sort(struct value *v)
{
	size_t i;

	if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE)
		for (i = 0; i < v->list.len; i++)
			value_sort(v->list.at[i]);
	if (v->kind != VALUE_DICT || v->dict.len == 0)
		return;
	for (i = 0; i < v->dict.len; i++)
		value_sort(v->dict.at[i].value);
	qsort(v->dict.at, v->dict.len, sizeof(*v->dict.at), compare_keys);
}

struct value *
value_get(const struct value *v, const char *key)
{
	struct member *m;

	if (!v || v->kind != VALUE_DICT)
		return NULL;
	m = find(v, key);
	return m ? m->value : NULL;
}

const char *
value_get_str(const struct value *v, const char *key)
{
	const struct value *m = value_get(v, key);

	return m && m->kind == VALUE_STR ? m->str.at : NULL;
}

int64_t
value_get_int(const struct value *v, const char *key, int64_t absent)
{
	const struct value *m = value_get(v, key);

	return m && m->kind == VALUE_INT ? m->integer : absent;
}

static bool
list_eq(const struct value *a, const struct value *b)
{
	size_t i;

	if (a->list.len != b->list.len)
		return false;
	for (i = 0; i < a->list.len; i++)
		if (!value_eq(a->list.at[i], b->list.at[i]))
			return false;
	return true;
}

static bool
dict_eq(const struct value *a, const struct value *b)
{
	size_t i;

	if (a->dict.len != b->dict.len)
		return false;
	for (i = 0; i < a->dict.len; i++) {
		const struct member *m = find(b, a->dict.at[i].key);

		if (!m || !value_eq(a->dict.at[i].value, m->value))
			return false;
	}
	return true;
}

bool
value_eq(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_NONE:
		return true;
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_INT:
		return a->integer == b->integer;
	case VALUE_REAL:
		return a->real == b->real;
	case VALUE_STR:
		return a->str.len == b->str.len &&
		       memcmp(a->str.at, b->str.at, a->str.len) == 0;
	case VALUE_LIST:
	case VALUE_TUPLE:
		return list_eq(a, b);
	case VALUE_DICT:
		return dict_eq(a, b);
	case VALUE_CALL:
		return str_eq(a->call.name, b->call.name) &&
		       value_eq(a->call.arg, b->call.arg);
	}
	return false;
}

static void
copy_inside(struct value *to, const struct value *from)
{
	size_t i;

	switch (from->kind) {
	case VALUE_STR:
		to->str.at = base_strndup(from->str.at, from->str.len);
		break;
	case VALUE_LIST:
	case VALUE_TUPLE:
		to->list.at = NULL;
		to->list.len = 0;
		for (i = 0; i < from->list.len; i++)
			value_push(to, value_copy(from->list.at[i]));
		break;
	case VALUE_DICT:
		to->dict.at = NULL;
		to->dict.len = 0;
		for (i = 0; i < from->dict.len; i++)
			value_set(to, from->dict.at[i].key,
				  value_copy(from->dict.at[i].value));
		break;
	case VALUE_CALL:
		to->call.name = base_strdup(from->call.name);
		to->call.arg = value_copy(from->call.arg);
		break;
	default:
		break;
	}
}

struct value *
value_copy(const struct value *v)
{
	struct value *copy = make(v->kind);

	*copy = *v;
	copy_inside(copy, v);
	return copy;
}

void
value_free(struct value *v)
{
	size_t i;

	if (!v)
		return;
	switch (v->kind) {
	case VALUE_STR:
		free(v->str.at);
		break;
	case VALUE_LIST:
	case VALUE_TUPLE:
		for (i = 0; i < v->list.len; i++)
			value_free(v->list.at[i]);
		free(v->list.at);
		break;
	case VALUE_DICT:
		for (i = 0; i < v->dict.len; i++) {
			free(v->dict.at[i].key);
			value_free(v->dict.at[i].value);
		}
		free(v->dict.at);
		break;
	case VALUE_CALL:
		free(v->call.name);
		value_free(v->call.arg);
		break;
	default:
		break;
	}
	free(v);
}
