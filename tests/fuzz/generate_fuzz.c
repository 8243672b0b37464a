/* A generate() call from anywhere: refused with a place, or at most so many
 * entries, each with the model's keys, each value the model's own, an item of
 * it, or its text with numbers in the place of numbers. */
#include <assert.h>

#include "cmdb/generate.h"
#include "lib/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ANY __attribute__((cleanup(value_freep))) struct value *
#define MOST 500
#define MOST_BYTES (1 << 20)

static bool
is_plain(char c)
{
	return c < '0' || c > '9';
}

/* Without digits, and without what joins the numbers of a range. */
static void
strip(const struct value *v, struct buf *out)
{
	for (size_t i = 0; i < v->str.len; i++)
		if (is_plain(v->str.at[i]) && v->str.at[i] != '-' &&
		    v->str.at[i] != ':')
			buf_char(out, v->str.at[i]);
}

static bool
is_item(const struct value *list, const struct value *v)
{
	for (size_t i = 0; i < list->list.len; i++)
		if (value_eq(list->list.at[i], v))
			return true;
	return false;
}

/* `marks`: keys may be marked, and what is not marked stays as it is. */
static void
check_value(const struct value *model, const struct value *v, bool marks)
{
	AUTO_CLEAR(buf) a = { 0 };
	AUTO_CLEAR(buf) b = { 0 };

	if (model->kind == VALUE_LIST) {
		assert(is_item(model, v) || (marks && value_eq(model, v)));
	} else if (model->kind == VALUE_DICT) {
		assert(v->kind == VALUE_DICT && v->dict.len == model->dict.len);
		for (size_t i = 0; i < v->dict.len; i++)
			check_value(model->dict.at[i].value,
				    v->dict.at[i].value, marks);
	} else if (model->kind != VALUE_STR) {
		assert(value_eq(model, v));
	} else {
		assert(v->kind == VALUE_STR);
		strip(model, &a);
		strip(v, &b);
		assert(a.len == b.len);
		assert(a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
	}
}

static const struct value *
model_of(const struct value *call)
{
	const struct value *arg = call->call.arg;

	return arg->kind == VALUE_TUPLE ? arg->list.at[0] : arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct literal_opts opts = { .path = "t", .call = "generate" };
	const struct generate_opts how = { "t", "\n", MOST, MOST_BYTES };
	AUTO_CLEAR(buf) out = { 0 };
	AUTO_FREE char *remark = NULL;
	ANY call = NULL;
	ANY list = NULL;
	struct err e = { 0 };

	if (literal_parse(&call, (const char *)bytes, len, &opts, &e) < 0 ||
	    call->kind != VALUE_CALL)
		return 0;
	if (generate_write(call, &how, &out, &remark, &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "t:"));
		assert(!remark);
		return 0;
	}
	assert(!remark || str_starts(remark, "t:"));
	assert(literal_parse(&list, out.at, out.len, &opts, &e) == 0);
	assert(list->kind == VALUE_LIST);
	assert(list->list.len >= 1 && list->list.len <= MOST);
	for (size_t i = 0; i < list->list.len; i++)
		check_value(model_of(call), list->list.at[i],
			    memchr(bytes, '=', len) != NULL);
	return 0;
}
