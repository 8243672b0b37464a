/* What a value of a generate() model stands for. */
#include <ctype.h>

#include "cmdb/range.h"
#include "cmdb/series.h"

enum kind { CONSTANT, ITEMS, NUMBERS, ADDRESSES, MEMBERS };

struct series {
	enum kind kind;
	uint64_t len;
	const struct value *v;
	struct range *ranges; /* NUMBERS: one, ADDRESSES: four */
	size_t from, to;      /* NUMBERS: where the range stands in the text */
	struct series **members;
	const char **names; /* of the members, without the prefix */
};

/* A range cannot be meant by this text; at the value's place. */
static int
refuse(const struct value *v, const char *path, const char *what, struct err *e)
{
	return err_set(e, ERR_INPUT, "%s:%u:%u: '%.60s': %s", path, v->line,
		       v->column, v->str.at, what);
}

/* ---- addresses ---- */

/* Four parts of digits, - and :, and a range among them. An address with a
 * port has none. */
static bool
is_address_range(const char *text)
{
	size_t parts = 0;
	const char *at = text;

	for (;; at++) {
		size_t n = strspn(at, "0123456789:-");

		if (n == 0)
			return false;
		parts++;
		at += n;
		if (*at != '.')
			return parts == 4 && *at == '\0' && strchr(text, '-');
	}
}

/* No octet is above 255, and none has zeros in front, which some programs
 * would read as octal. */
static bool
settle_octet(struct range *r)
{
	for (size_t i = 0; i < r->len; i++) {
		r->parts[i].width = 0;
		if (r->parts[i].from > 255 || r->parts[i].to > 255)
			return false;
	}
	return true;
}

static int
read_addresses(struct series *s, const char *path, struct err *e)
{
	const char *at = s->v->str.at;
	struct err why = { 0 };
	size_t used;

	s->kind = ADDRESSES;
	s->ranges = base_array(4, sizeof(*s->ranges));
	s->len = 1;
	for (int i = 0; i < 4; i++) {
		if (range_read(&s->ranges[i], at, true, &used, &why) < 0)
			return refuse(s->v, path, why.text, e);
		if (used == 0 || at[used] != (i < 3 ? '.' : '\0'))
			return refuse(s->v, path,
				      "a range in an address is A-B, or more "
				      "of them joined by colons",
				      e);
		if (!settle_octet(&s->ranges[i]))
			return refuse(s->v, path,
				      "a part of an address is at most 255", e);
		s->len *= s->ranges[i].count;
		at += used + 1;
	}
	return 0;
}

static void
write_address(const struct series *s, uint64_t i, struct buf *out)
{
	uint64_t step = 1;
	uint64_t at[4];

	for (int k = 3; k >= 0; k--) {
		at[k] = i / step % s->ranges[k].count;
		step *= s->ranges[k].count;
	}
	for (int k = 0; k < 4; k++) {
		if (k > 0)
			buf_char(out, '.');
		range_write(&s->ranges[k], at[k], out);
	}
}

/* ---- numbers in a text ---- */

/* 2014-12 is a month and not 2003 numbers downwards. */
static bool
is_month(const struct range *r, const char *text, size_t used)
{
	const struct range_part *p = &r->parts[0];

	return r->len == 1 && used == 7 && text[4] == '-' && p->from >= 1900 &&
	       p->from <= 2099 && p->to >= 1 && p->to <= 12;
}

/* RH7.0-1.2: behind letters with a number and a dot, before a dot with a
 * number. */
static bool
is_version(const char *text, size_t from, size_t to)
{
	size_t at = from;

	if (from == 0 || text[from - 1] != '.' || text[to] != '.' ||
	    !isdigit((unsigned char)text[to + 1]))
		return false;
	while (at > 0 &&
	       (text[at - 1] == '.' || isdigit((unsigned char)text[at - 1])))
		at--;
	return at > 0 && isalpha((unsigned char)text[at - 1]) &&
	       isdigit((unsigned char)text[at]);
}

/* The first range in the text; none: a constant. */
static int
read_numbers(struct series *s, const char *path, struct err *e)
{
	const char *text = s->v->str.at;
	struct err why = { 0 };
	size_t at, used = 0;

	s->ranges = base_alloc(sizeof(*s->ranges));
	for (at = 0; text[at] && used == 0; at++) {
		size_t digits = strspn(text + at, "0123456789");

		if (digits == 0)
			continue;
		if (range_read(s->ranges, text + at, false, &used, &why) < 0)
			return refuse(s->v, path, why.text, e);
		if (used > 0)
			break;
		at += digits - 1;
	}
	if (used == 0 || is_month(s->ranges, text + at, used) ||
	    is_version(text, at, at + used))
		return 0;
	s->kind = NUMBERS;
	s->len = s->ranges->count;
	s->from = at;
	s->to = at + used;
	return 0;
}

static void
write_text(const struct series *s, uint64_t i, struct buf *out)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	AUTO_CLEAR(buf) text = { 0 };

	if (s->kind == ADDRESSES) {
		write_address(s, i, &text);
	} else {
		buf_add(&text, s->v->str.at, s->from);
		range_write(s->ranges, i, &text);
		buf_str(&text, s->v->str.at + s->to);
	}
	v = value_str(text.at);
	value_literal(v, out);
}

/* ---- dicts ---- */

/* Members advance together until the first of them ends. */
static int
read_member(struct series *s, size_t i, const char *prefix, const char *path,
	    struct err *e)
{
	const struct member *m = &s->v->dict.at[i];
	size_t n = prefix ? strlen(prefix) : 0;
	bool marked = prefix && str_starts(m->key, prefix);

	s->names[i] = m->key + (marked ? n : 0);
	for (size_t k = 0; k < i; k++)
		if (str_eq(s->names[k], s->names[i]))
			return err_set(e, ERR_INPUT,
				       "%s:%u:%u: the key '%.60s' is there "
				       "twice",
				       path, m->value->line, m->value->column,
				       s->names[i]);
	if (prefix && !marked) {
		s->members[i] = base_alloc(sizeof(*s));
		*s->members[i] = (struct series){ .len = SERIES_CONSTANT,
						  .v = m->value };
		return 0;
	}
	if (series_open(&s->members[i], m->value, prefix, path, e) < 0)
		return -1;
	if (s->members[i]->len < s->len)
		s->len = s->members[i]->len;
	return 0;
}

static int
read_dict(struct series *s, const char *prefix, const char *path, struct err *e)
{
	size_t n = s->v->dict.len;

	s->kind = MEMBERS;
	s->members = base_array(n + 1, sizeof(*s->members));
	s->names = base_array(n + 1, sizeof(*s->names));
	for (size_t i = 0; i < n; i++)
		if (read_member(s, i, prefix, path, e) < 0)
			return -1;
	return 0;
}

static void
write_dict(const struct series *s, uint64_t i, struct buf *out)
{
	buf_char(out, '{');
	for (size_t k = 0; k < s->v->dict.len; k++) {
		__attribute__((cleanup(value_freep))) struct value *key =
			value_str(s->names[k]);

		if (k > 0)
			buf_str(out, ", ");
		value_literal(key, out);
		buf_str(out, ": ");
		series_write(s->members[k], i, out);
	}
	buf_char(out, '}');
}

/* ---- all ---- */

int
series_open(struct series **out, const struct value *v, const char *prefix,
	    const char *path, struct err *e)
{
	AUTO(series) s = base_alloc(sizeof(*s));
	int failed = 0;

	s->v = v;
	s->len = SERIES_CONSTANT;
	if (v->kind == VALUE_LIST) {
		s->kind = ITEMS;
		s->len = v->list.len;
	} else if (v->kind == VALUE_DICT) {
		failed = read_dict(s, prefix, path, e);
	} else if (v->kind == VALUE_STR) {
		failed = is_address_range(v->str.at)
				 ? read_addresses(s, path, e)
				 : read_numbers(s, path, e);
	}
	if (failed < 0)
		return -1;
	*out = STEAL(s);
	return 0;
}

uint64_t
series_len(const struct series *s)
{
	return s->len;
}

void
series_write(const struct series *s, uint64_t i, struct buf *out)
{
	switch (s->kind) {
	case CONSTANT:
		value_literal(s->v, out);
		break;
	case ITEMS:
		value_literal(s->v->list.at[i], out);
		break;
	case NUMBERS:
	case ADDRESSES:
		write_text(s, i, out);
		break;
	case MEMBERS:
		write_dict(s, i, out);
		break;
	}
}

const char *
series_shortest(const struct series *s, const char **longest, uint64_t *most)
{
	const char *first = NULL;
	uint64_t least = SERIES_CONSTANT;

	*longest = NULL;
	*most = 0;
	for (size_t i = 0; s->kind == MEMBERS && i < s->v->dict.len; i++) {
		uint64_t n = s->members[i]->len;

		if (n == SERIES_CONSTANT)
			continue;
		if (n < least) {
			least = n;
			first = s->names[i];
		}
		if (n > *most) {
			*most = n;
			*longest = s->names[i];
		}
	}
	if (*most == least)
		*longest = NULL;
	return first;
}

void
series_free(struct series *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->members && i < s->v->dict.len; i++)
		series_free(s->members[i]);
	free(s->members);
	free(s->names);
	free(s->ranges);
	free(s);
}
