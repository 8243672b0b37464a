#include "specs/state.h"
#include "lib/file.h"
#include "lib/literal.h"
#include "lib/num.h"

struct state {
	struct quota *at;
	size_t len;
};

static int
refuse(const char *path, const struct value *at, const char *what,
       struct err *e)
{
	return err_set(e, ERR_INPUT, "%s:%u:%u: %s", path, at->line, at->column,
		       what);
}

/* 4, '4', '*'; a negative number is none. */
static int
take_total(const struct value *v, uint64_t *total)
{
	struct err ignored = { 0 };
	int64_t n;

	if (v->kind == VALUE_STR && str_eq(v->str.at, "*")) {
		*total = STATE_UNLIMITED;
		return 0;
	}
	if (v->kind == VALUE_INT)
		n = v->integer;
	else if (v->kind != VALUE_STR ||
		 num_i64(v->str.at, INT64_MIN, INT64_MAX, &n, "total",
			 &ignored) < 0)
		return -1;
	*total = n < 0 ? 0 : (uint64_t)n;
	return 0;
}

/* A profile listed twice stands at its first row with the sum. */
static void
add(struct state *s, const char *profile, uint64_t total)
{
	size_t i;

	for (i = 0; i < s->len; i++) {
		uint64_t *sum = &s->at[i].total;

		if (!str_eq(s->at[i].profile, profile))
			continue;
		if (total >= STATE_UNLIMITED - *sum)
			*sum = STATE_UNLIMITED;
		else
			*sum += total;
		return;
	}
	s->at[s->len++] = (struct quota){ base_strdup(profile), total };
}

static int
take_row(struct state *s, const struct value *row, const char *path,
	 struct err *e)
{
	uint64_t total;

	if ((row->kind != VALUE_TUPLE && row->kind != VALUE_LIST) ||
	    row->list.len != 2 || row->list.at[0]->kind != VALUE_STR)
		return refuse(path, row, "a row is ('profile', total)", e);
	if (!name_is_safe(row->list.at[0]->str.at))
		return refuse(
			path, row->list.at[0],
			"a profile's name is 1 to 64 of A-Z a-z 0-9 . _ -", e);
	if (take_total(row->list.at[1], &total) < 0)
		return refuse(path, row->list.at[1],
			      "a total is a whole number or '*'", e);
	add(s, row->list.at[0]->str.at, total);
	return 0;
}

int
state_parse(struct state **out, const char *path, const char *text, size_t len,
	    struct err *e)
{
	const struct literal_opts opts = { .path = path,
					   .max_bytes = STATE_MAX_BYTES };
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO(state) s = base_alloc(sizeof(*s));
	size_t i;

	if (literal_parse(&v, text, len, &opts, e) < 0)
		return -1;
	if (v->kind != VALUE_LIST && v->kind != VALUE_TUPLE)
		return refuse(path, v, "the state is a list of rows", e);
	s->at = base_array(v->list.len, sizeof(*s->at));
	for (i = 0; i < v->list.len; i++)
		if (take_row(s, v->list.at[i], path, e) < 0)
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
	return &s->at[i];
}

void
state_free(struct state *s)
{
	size_t i;

	for (i = 0; s && i < s->len; i++)
		free(s->at[i].profile);
	if (s)
		free(s->at);
	free(s);
}
