/* A literal from anywhere: refused with a place, or a value that is read again
 * the same from its own text, from its place in the text, and from JSON. */
#include <assert.h>
#include <math.h>

#include "lib/base.h"
#include "lib/json.h"
#include "lib/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ANY __attribute__((cleanup(value_freep))) struct value *

static bool
has_json(const struct value *v)
{
	bool has = v->kind != VALUE_CALL &&
		   (v->kind != VALUE_REAL || isfinite(v->real));
	size_t i;

	if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE)
		for (i = 0; i < v->list.len && has; i++)
			has = has_json(v->list.at[i]);
	if (v->kind == VALUE_DICT)
		for (i = 0; i < v->dict.len && has; i++)
			has = has_json(v->dict.at[i].value);
	return has;
}

static void
check_json(const struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_CLEAR(buf) again = { 0 };
	ANY back = NULL;
	struct err e = { 0 };

	value_json(v, 0, &text);
	assert(json_parse(&back, text.at, text.len, &e) == 0);
	value_json(back, 0, &again);
	assert(text.len == again.len &&
	       memcmp(text.at, again.at, text.len) == 0);
}

/* What stands at its place is this value and nothing else. */
static void
check_place(const struct value *v, const char *text, size_t len)
{
	const struct literal_opts opts = { .call = "generate" };
	ANY back = NULL;
	struct err e = { 0 };
	size_t i;

	assert(v->start < v->end && v->end <= len);
	assert(literal_parse(&back, text + v->start, v->end - v->start, &opts,
			     &e) == 0);
	assert(value_eq(v, back));
	assert(v->kind != VALUE_STR || strchr("'\")", text[v->end - 1]));
	if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE)
		for (i = 0; i < v->list.len && i < 20; i++)
			check_place(v->list.at[i], text, len);
	if (v->kind == VALUE_DICT)
		for (i = 0; i < v->dict.len && i < 20; i++)
			check_place(v->dict.at[i].value, text, len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct literal_opts opts = { .path = "t", .call = "generate" };
	AUTO_CLEAR(buf) text = { 0 };
	ANY v = NULL;
	ANY back = NULL;
	struct err e = { 0 };

	if (literal_parse(&v, (const char *)bytes, len, &opts, &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "t:"));
		return 0;
	}
	value_literal(v, &text);
	assert(literal_parse(&back, text.at, text.len, &opts, &e) == 0);
	assert(value_eq(v, back));
	if (v->kind != VALUE_CALL)
		check_place(v, (const char *)bytes, len);
	if (has_json(v))
		check_json(v);
	return 0;
}
