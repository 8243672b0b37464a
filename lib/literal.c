/* The strict reader of the literal syntax. A cursor over the text; each
 * read_* takes one thing and leaves the cursor behind it. Nothing is
 * evaluated: the only call is one name the opener allowed, kept as a node. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/literal.h"
#include "lib/literal_string.h"

#define DEFAULT_BYTES (16u * 1024 * 1024)
#define DEFAULT_NODES 4000000u
#define DEFAULT_DEPTH 32u

struct reader {
	const char *text;
	size_t at, len;
	size_t line_start;
	unsigned line;
	size_t string_end; /* of the last string, before what blanks follow */
	size_t nodes, max_nodes;
	unsigned depth, max_depth;
	const struct literal_opts *opts;
	struct err *e;
};

static int read_value(struct reader *r, struct value **out);

/* Refuse with the place of the cursor. */
static int
refuse(struct reader *r, const char *what)
{
	const char *path = r->opts->path ? r->opts->path : "text";

	return err_set(r->e, ERR_INPUT, "%s:%u:%zu: %s", path, r->line,
		       r->at - r->line_start + 1, what);
}

static int
peek(const struct reader *r)
{
	return r->at < r->len ? (unsigned char)r->text[r->at] : -1;
}

static void
skip_blanks(struct reader *r)
{
	for (; r->at < r->len; r->at++) {
		char c = r->text[r->at];

		if (c == '#') {
			while (r->at + 1 < r->len && r->text[r->at + 1] != '\n')
				r->at++;
		} else if (c == '\n') {
			r->line++;
			r->line_start = r->at + 1;
		} else if (c != ' ' && c != '\t' && c != '\r' && c != '\f') {
			return;
		}
	}
}

/* One string token, and those right behind it, which join. */
static int
read_string(struct reader *r, struct buf *out)
{
	struct err why = { 0 };

	do {
		size_t i, used, from = r->at;

		used = literal_string(r->text + r->at, r->len - r->at, out,
				      &why);
		if (used == 0)
			return refuse(r, why.text);
		r->at += used;
		for (i = from; i < r->at; i++)
			if (r->text[i] == '\n') {
				r->line++;
				r->line_start = i + 1;
			}
		r->string_end = r->at;
		skip_blanks(r);
	} while (peek(r) == '\'' || peek(r) == '"');
	return 0;
}

static struct value *
real_or_int(const char *text, int is_real, int *too_large)
{
	char *end;

	errno = 0;
	if (is_real)
		return value_real(strtod(text, &end));
	*too_large = 0;
	{
		long long n = strtoll(text, &end, 10);

		*too_large = errno == ERANGE;
		return value_int(n);
	}
}

/* -12, 0, 3.5, 1e3, .5, 5. ; no hexadecimal, no leading zeros. */
static int
read_number(struct reader *r, struct value **out)
{
	char text[64];
	size_t n = 0, digits = 0;
	int is_real = 0, too_large = 0;
	const char *from = r->text + r->at, *lead;

	while (r->at + n < r->len && n < sizeof(text) - 1 &&
	       (isalnum((unsigned char)from[n]) || from[n] == '.' ||
		from[n] == '_' ||
		((from[n] == '-' || from[n] == '+') &&
		 (n == 0 || from[n - 1] == 'e' || from[n - 1] == 'E')))) {
		digits += isdigit((unsigned char)from[n]) != 0;
		is_real |= strchr(".eE", from[n]) != NULL;
		text[n] = from[n];
		n++;
	}
	text[n] = '\0';
	lead = text + (text[0] == '-' || text[0] == '+');
	if (digits == 0 || n == sizeof(text) - 1 ||
	    strspn(lead, "0123456789.eE+-") != strlen(lead))
		return refuse(r, "not a number");
	if (!is_real && lead[0] == '0' && lead[strspn(lead, "0")])
		return refuse(r, "a number with leading zeros: quote it");
	if (is_real) {
		char *end;

		strtod(text, &end);
		if (*end)
			return refuse(r, "not a number");
	}
	*out = real_or_int(text, is_real, &too_large);
	if (too_large) {
		value_free(*out);
		*out = NULL;
		return refuse(r, "an integer of more than 64 bits: quote it");
	}
	r->at += n;
	return 0;
}

static int
is_name(int c)
{
	return c == '_' || isalnum(c);
}

/* One more argument, if there is one; a comma may stand behind the last. */
static int
read_argument(struct reader *r, struct value **out)
{
	skip_blanks(r);
	if (peek(r) == ')')
		return 0;
	if (peek(r) != ',')
		return refuse(r, "expected , or ) behind the argument");
	r->at++;
	skip_blanks(r);
	if (peek(r) == ')')
		return 0;
	if (r->len - r->at >= 7 && memcmp(r->text + r->at, "prefix=", 7) == 0)
		r->at += 7;
	return read_value(r, out);
}

/* Two arguments become a tuple. */
static struct value *
join(struct value *first, struct value *second)
{
	struct value *both;

	if (!second)
		return first;
	both = value_tuple();
	value_push(both, first);
	value_push(both, second);
	return both;
}

static int
read_call(struct reader *r, const char *name, struct value **out)
{
	__attribute__((cleanup(value_freep))) struct value *first = NULL;
	__attribute__((cleanup(value_freep))) struct value *second = NULL;
	struct value *call;

	skip_blanks(r);
	if (peek(r) != '(')
		return refuse(r, "expected ( behind the name");
	r->at++;
	skip_blanks(r);
	if (read_value(r, &first) < 0 || read_argument(r, &second) < 0)
		return -1;
	skip_blanks(r);
	if (peek(r) == ',' && second) {
		r->at++;
		skip_blanks(r);
	}
	if (peek(r) != ')')
		return refuse(r, "expected ) behind the arguments");
	r->at++;
	call = value_none();
	call->kind = VALUE_CALL;
	call->call.name = base_strdup(name);
	call->call.arg = join(STEAL(first), STEAL(second));
	*out = call;
	return 0;
}

static int
read_word(struct reader *r, struct value **out)
{
	char word[32];
	size_t n = 0;

	while (r->at + n < r->len && n < sizeof(word) - 1 &&
	       is_name((unsigned char)r->text[r->at + n])) {
		word[n] = r->text[r->at + n];
		n++;
	}
	word[n] = '\0';
	if (str_eq(word, "True") || str_eq(word, "False"))
		*out = value_bool(word[0] == 'T');
	else if (str_eq(word, "None"))
		*out = value_none();
	else if (r->opts->call && str_eq(word, r->opts->call) &&
		 r->depth == 1) {
		r->at += n;
		return read_call(r, word, out);
	} else
		return refuse(r, "not a string, number, True, False, None, "
				 "list, tuple or dict");
	r->at += n;
	return 0;
}

static int
read_member(struct reader *r, struct value *dict)
{
	AUTO_CLEAR(buf) key = { 0 };
	struct value *v = NULL;
	struct reader at_key = *r;

	if (peek(r) != '\'' && peek(r) != '"')
		return refuse(r, "a dict's key is a quoted text");
	if (read_string(r, &key) < 0)
		return -1;
	if (strlen(buf_text(&key)) != key.len)
		return refuse(&at_key, "a key with a NUL byte");
	if (value_get(dict, buf_text(&key))) {
		AUTO_FREE char *why = base_printf(
			"the key '%.60s' is there twice", buf_text(&key));

		return refuse(&at_key, why);
	}
	if (peek(r) != ':')
		return refuse(r, "expected : behind the key");
	r->at++;
	skip_blanks(r);
	if (read_value(r, &v) < 0)
		return -1;
	value_set(dict, buf_text(&key), v);
	dict->dict.at[dict->dict.len - 1].start = at_key.at;
	return 0;
}

/* Items with commas between, up to `close`. A tuple with one item needs its
 * comma; without it the brackets only group. */
static int
read_items(struct reader *r, struct value *into, char close)
{
	int comma = 1, commas = 0;

	for (;;) {
		struct value *v = NULL;

		skip_blanks(r);
		if (peek(r) == close)
			break;
		if (peek(r) < 0)
			return refuse(r, "the text ends inside brackets");
		if (!comma)
			return refuse(r, "expected , or the closing bracket");
		if (into->kind == VALUE_DICT) {
			if (read_member(r, into) < 0)
				return -1;
		} else {
			if (read_value(r, &v) < 0)
				return -1;
			value_push(into, v);
		}
		skip_blanks(r);
		comma = peek(r) == ',';
		if (comma) {
			commas++;
			r->at++;
		}
	}
	r->at++;
	if (into->kind == VALUE_TUPLE && into->list.len == 1 && !commas)
		into->kind = VALUE_CALL; /* a group: read_bracket unwraps */
	return 0;
}

static int
read_bracket(struct reader *r, struct value **out)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	char c = r->text[r->at];
	char close = c == '[' ? ']' : c == '(' ? ')' : '}';

	v = c == '[' ? value_list() : c == '(' ? value_tuple() : value_dict();
	r->at++;
	if (read_items(r, v, close) < 0)
		return -1;
	if (v->kind == VALUE_CALL) {
		v->kind = VALUE_TUPLE;
		*out = v->list.at[0];
		v->list.len = 0;
		return 0;
	}
	*out = STEAL(v);
	return 0;
}

static int
read_text(struct reader *r, struct value **out)
{
	AUTO_CLEAR(buf) text = { 0 };

	if (read_string(r, &text) < 0)
		return -1;
	*out = value_strn(buf_text(&text), text.len);
	return 0;
}

static int
read_by_first(struct reader *r, struct value **out)
{
	int c = peek(r);

	if (c == '[' || c == '(' || c == '{')
		return read_bracket(r, out);
	if (c == '\'' || c == '"')
		return read_text(r, out);
	if (c == '-' || c == '+' || c == '.' || isdigit(c))
		return read_number(r, out);
	if (c < 0)
		return refuse(r, "the text ends where a value should stand");
	return read_word(r, out);
}

static int
read_value(struct reader *r, struct value **out)
{
	size_t start = r->at, column = r->at - r->line_start + 1;
	unsigned line = r->line;
	int first = peek(r);

	if (++r->nodes > r->max_nodes)
		return refuse(r, "too many values");
	if (++r->depth > r->max_depth)
		return refuse(r, "nested too deeply");
	if (read_by_first(r, out) < 0)
		return -1;
	r->depth--;
	(*out)->start = start;
	(*out)->line = line;
	(*out)->column = (unsigned)column;
	/* a string looks ahead for one to join */
	(*out)->end = first == '\'' || first == '"' ? r->string_end : r->at;
	return 0;
}

static int
read_document(struct reader *r, struct value **out)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	const char *nul = memchr(r->text, '\0', r->len);

	if (nul) {
		r->at = (size_t)(nul - r->text);
		return refuse(r, "a NUL byte");
	}
	if (r->len >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0)
		r->at = r->line_start = 3;
	skip_blanks(r);
	if (read_value(r, &v) < 0)
		return -1;
	skip_blanks(r);
	if (r->at < r->len)
		return refuse(r, "more text behind the value");
	*out = STEAL(v);
	return 0;
}

int
literal_parse(struct value **out, const char *text, size_t len,
	      const struct literal_opts *opts, struct err *e)
{
	size_t max = opts->max_bytes ? opts->max_bytes : DEFAULT_BYTES;
	struct reader r = {
		.text = text,
		.len = len,
		.line = 1,
		.max_nodes = opts->max_nodes ? opts->max_nodes : DEFAULT_NODES,
		.max_depth = opts->max_depth ? opts->max_depth : DEFAULT_DEPTH,
		.opts = opts,
		.e = e,
	};

	if (len > max)
		return err_set(e, ERR_INPUT, "%s: larger than %zu bytes",
			       opts->path ? opts->path : "text", max);
	return read_document(&r, out);
}
