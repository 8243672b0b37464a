/* The file `state`. Small, so rows are looked up by walking. */
#include <inttypes.h>

#include "specs/state.h"
#include "lib/file.h"
#include "lib/literal.h"
#include "lib/num.h"
#include "lib/value.h"

struct state {
	struct quota *at;
	size_t len;
};

static int
refuse(const char *path, const struct value *v, const char *what, struct err *e)
{
	return err_set(e, ERR_INPUT, "%s:%u:%u: %s", path, v->line, v->column,
		       what);
}

static int
read_total(const struct value *v, const char *path, uint64_t *out,
	   struct err *e)
{
	struct err ignored = { 0 };
	int64_t n = -1;

	if (v->kind == VALUE_STR && strcmp(v->str.at, "*") == 0) {
		*out = STATE_UNLIMITED;
		return 0;
	}
	if (v->kind == VALUE_INT)
		n = v->integer;
	else if (v->kind != VALUE_STR || strlen(v->str.at) != v->str.len ||
		 num_i64(v->str.at, INT64_MIN, INT64_MAX, &n, "total",
			 &ignored) < 0)
		return refuse(path, v, "a total is a number or '*'", e);
	*out = n < 0 ? 0 : (uint64_t)n;
	return 0;
}

static uint64_t
sum(uint64_t a, uint64_t b)
{
	if (a == STATE_UNLIMITED || b == STATE_UNLIMITED)
		return STATE_UNLIMITED;
	return a > STATE_UNLIMITED - 1 - b ? STATE_UNLIMITED - 1 : a + b;
}

static void
add_row(struct state *s, const char *profile, uint64_t total)
{
	for (size_t i = 0; i < s->len; i++) {
		if (strcmp(s->at[i].profile, profile) == 0) {
			s->at[i].total = sum(s->at[i].total, total);
			return;
		}
	}
	s->at[s->len].profile = base_strdup(profile);
	s->at[s->len++].total = total;
}

static int
read_row(struct state *s, const char *path, const struct value *v,
	 struct err *e)
{
	const struct value *name;
	uint64_t total = 0;

	if ((v->kind != VALUE_TUPLE && v->kind != VALUE_LIST) ||
	    v->list.len != 2)
		return refuse(path, v, "a row is ('profile', total)", e);
	name = v->list.at[0];
	/* It becomes part of the names of three files. */
	if (name->kind != VALUE_STR || strlen(name->str.at) != name->str.len ||
	    !name_is_safe(name->str.at))
		return refuse(path, name,
			      "a profile's name is 1 to 64 of A-Z a-z 0-9 . _ "
			      "-, with no leading dot",
			      e);
	if (read_total(v->list.at[1], path, &total, e) < 0)
		return -1;
	add_row(s, name->str.at, total);
	return 0;
}

int
state_parse(struct state **out, const char *path, const char *text, size_t len,
	    struct err *e)
{
	const struct literal_opts opts = { .path = path,
					   .max_bytes = STATE_MAX_BYTES,
					   .max_depth = 8 };
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(state) s = base_alloc(sizeof(*s));

	if (literal_parse(&v, text, len, &opts, e) < 0)
		return -1;
	if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE)
		return refuse(path, v,
			      "the state is a list of ('profile', total)", e);
	if (v->list.len > STATE_MAX_ROWS)
		return refuse(path, v, "more than 4096 rows", e);
	s->at = base_array(v->list.len + 1, sizeof(*s->at));
	for (size_t i = 0; i < v->list.len; i++)
		if (read_row(s, path, v->list.at[i], e) < 0)
			return -1;
	*out = STEAL(s);
	return 0;
}

size_t
state_len(const struct state *s)
{
	return s->len;
}

const struct quota *
state_at(const struct state *s, size_t i)
{
	return i < s->len ? &s->at[i] : NULL;
}

void
state_free(struct state *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->len; i++)
		free(s->at[i].profile);
	free(s->at);
	free(s);
}
