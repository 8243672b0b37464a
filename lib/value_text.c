/* Values as text: JSON, the literal syntax, Lua, and plainly for people. They
 * differ in spelling only, so one walk serves all with a table of spellings. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "lib/num.h"
#include "lib/value.h"

struct spelling {
	const char *none, *yes, *no;
	const char *list[2], *tuple[2], *dict[2];
	const char *key[2]; /* around a key, before the value */
	void (*text)(const char *at, size_t len, struct buf *out);
	void (*real)(double r, struct buf *out);
	bool lone_comma; /* (1,) */
	int indent;
};

/* How many bytes from `i` on stand in JSON as they are. */
static size_t
json_plain(const char *at, size_t i, size_t len)
{
	size_t from = i;

	while (i < len && (unsigned char)at[i] >= 0x20 && at[i] != 0x7f &&
	       at[i] != '"' && at[i] != '\\')
		i++;
	return i - from;
}

static void
json_text(const char *at, size_t len, struct buf *out)
{
	size_t i = 0;

	buf_char(out, '"');
	for (;;) {
		size_t plain = json_plain(at, i, len);
		unsigned char c;

		buf_add(out, at + i, plain);
		i += plain;
		if (i == len)
			break;
		c = (unsigned char)at[i++];
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_str(out, "\\n");
		else
			buf_printf(out, "\\u%04x", c);
	}
	buf_char(out, '"');
}

static void
json_real(double r, struct buf *out)
{
	char text[32];

	num_real_text(r, text);
	buf_str(out, isfinite(r) ? text : "null");
}

static void
literal_text(const char *at, size_t len, struct buf *out)
{
	bool twice = memchr(at, '\'', len) && !memchr(at, '"', len);
	char quote = twice ? '"' : '\'';
	size_t i;

	buf_char(out, quote);
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)at[i];

		if (c == (unsigned char)quote || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_str(out, "\\n");
		else if (c == '\t')
			buf_str(out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, quote);
}

/* inf and nan have no literal; a number too large for a double reads back as
 * inf, and nan never comes out of a parser. */
static void
literal_real(double r, struct buf *out)
{
	char text[32];

	num_real_text(r, text);
	if (isinf(r))
		buf_str(out, r > 0 ? "1e999" : "-1e999");
	else
		buf_str(out, text);
}

/* Lua: \ddd for whatever is not plain ASCII, so any byte survives. */
static void
lua_text(const char *at, size_t len, struct buf *out)
{
	size_t i = 0;

	buf_char(out, '"');
	for (;;) {
		size_t from = i;
		unsigned char c;

		while (i < len && at[i] >= 0x20 && at[i] < 0x7f &&
		       at[i] != '"' && at[i] != '\\')
			i++;
		buf_add(out, at + from, i - from);
		if (i == len)
			break;
		c = (unsigned char)at[i++];
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_printf(out, "\\%03u", c);
	}
	buf_char(out, '"');
}

static void
lua_real(double r, struct buf *out)
{
	char text[32];

	num_real_text(r, text);
	if (isinf(r))
		buf_str(out, r > 0 ? "math.huge" : "-math.huge");
	else if (isnan(r))
		buf_str(out, "(0/0)");
	else
		buf_str(out, text);
}

static void
new_line(const struct spelling *s, int depth, struct buf *out)
{
	if (s->indent > 0)
		buf_printf(out, "\n%*s", s->indent * depth, "");
}

static void write_value(const struct value *v, const struct spelling *s,
			int depth, struct buf *out);

static void
write_list(const struct value *v, const struct spelling *s,
	   const char *const around[2], int depth, struct buf *out)
{
	size_t i;

	buf_str(out, around[0]);
	for (i = 0; i < v->list.len; i++) {
		if (i > 0)
			buf_str(out, s->indent ? "," : ", ");
		new_line(s, depth + 1, out);
		write_value(v->list.at[i], s, depth + 1, out);
	}
	if (s->lone_comma && v->kind == VALUE_TUPLE && v->list.len == 1)
		buf_char(out, ',');
	if (v->list.len > 0)
		new_line(s, depth, out);
	buf_str(out, around[1]);
}

static void
write_dict(const struct value *v, const struct spelling *s, int depth,
	   struct buf *out)
{
	size_t i;

	buf_str(out, s->dict[0]);
	for (i = 0; i < v->dict.len; i++) {
		const struct member *m = &v->dict.at[i];

		if (i > 0)
			buf_str(out, s->indent ? "," : ", ");
		new_line(s, depth + 1, out);
		buf_str(out, s->key[0]);
		s->text(m->key, strlen(m->key), out);
		buf_str(out, s->key[1]);
		write_value(m->value, s, depth + 1, out);
	}
	if (v->dict.len > 0)
		new_line(s, depth, out);
	buf_str(out, s->dict[1]);
}

static void
write_value(const struct value *v, const struct spelling *s, int depth,
	    struct buf *out)
{
	switch (v->kind) {
	case VALUE_NONE:
		buf_str(out, s->none);
		break;
	case VALUE_BOOL:
		buf_str(out, v->boolean ? s->yes : s->no);
		break;
	case VALUE_INT:
		buf_printf(out, "%" PRId64, v->integer);
		break;
	case VALUE_REAL:
		s->real(v->real, out);
		break;
	case VALUE_STR:
		s->text(v->str.at, v->str.len, out);
		break;
	case VALUE_LIST:
		write_list(v, s, s->list, depth, out);
		break;
	case VALUE_TUPLE:
		write_list(v, s, s->tuple, depth, out);
		break;
	case VALUE_DICT:
		write_dict(v, s, depth, out);
		break;
	case VALUE_CALL:
		buf_printf(out, "%s(", v->call.name);
		write_value(v->call.arg, s, depth, out);
		buf_char(out, ')');
		break;
	}
}

void
value_json(const struct value *v, int indent, struct buf *out)
{
	const struct spelling s = { "null",       "true",       "false",
				    { "[", "]" }, { "[", "]" }, { "{", "}" },
				    { "", ": " }, json_text,    json_real,
				    false,        indent };

	write_value(v, &s, 0, out);
}

void
value_literal(const struct value *v, struct buf *out)
{
	static const struct spelling s = { "None",
					   "True",
					   "False",
					   { "[", "]" },
					   { "(", ")" },
					   { "{", "}" },
					   { "", ": " },
					   literal_text,
					   literal_real,
					   true,
					   0 };

	write_value(v, &s, 0, out);
}

void
value_lua(const struct value *v, struct buf *out)
{
	static const struct spelling s = { "nil",
					   "true",
					   "false",
					   { "{", "}" },
					   { "{", "}" },
					   { "{", "}" },
					   { "[", "] = " },
					   lua_text,
					   lua_real,
					   false,
					   0 };

	write_value(v, &s, 0, out);
}

void
value_plain(const struct value *v, struct buf *out)
{
	if (v->kind == VALUE_STR)
		buf_add(out, v->str.at, v->str.len);
	else
		value_literal(v, out);
}
