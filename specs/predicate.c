/* Predicates: a recursive-descent reader of a small tree. A regexp takes its
 * text raw, so that commas and parentheses need no quoting; everything else has
 * arguments. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "specs/number.h"
#include "specs/predicate_tree.h"

#define ARGS_MAX 4096

static const struct {
	const char *name;
	size_t min, max; /* arguments */
} tests[] = {
	[TEST_GT] = { "gt", 1, 1 },
	[TEST_GE] = { "ge", 1, 1 },
	[TEST_LT] = { "lt", 1, 1 },
	[TEST_LE] = { "le", 1, 1 },
	[TEST_RANGE] = { "range", 2, 2 },
	[TEST_IN] = { "in", 1, ARGS_MAX },
	[TEST_REGEXP] = { "regexp", 1, 1 },
	[TEST_NETWORK] = { "network", 1, 1 },
	[TEST_NOT] = { "not", 1, 1 },
	[TEST_AND] = { "and", 2, ARGS_MAX },
	[TEST_OR] = { "or", 2, ARGS_MAX },
};

struct reader {
	const char *at;
	unsigned depth;
	const char *odd;
	struct err *e;
};

static int read_call(struct reader *r, struct predicate **out);

/* Length of the name that `text` calls, or 0. */
static size_t
call_name(const char *text, enum test *which)
{
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		size_t n = strlen(tests[i].name);

		if (strncmp(text, tests[i].name, n) == 0 && text[n] == '(') {
			*which = (enum test)i;
			return n;
		}
	}
	return 0;
}

bool
predicate_is_call(const char *text)
{
	enum test which;

	return call_name(text, &which) > 0;
}

const char *
predicate_names(void)
{
	return "gt ge lt le range in regexp network not and or";
}

/* Same letters whatever their case, or one letter wrong, missing or more. */
static bool
is_near(const char *name, size_t len, const char *good)
{
	size_t good_len = strlen(good), head = 0, tail = 0;
	size_t shorter = len < good_len ? len : good_len;

	if (len == good_len && strncasecmp(name, good, len) == 0)
		return true;
	if (good_len < 3 || len > good_len + 1 || good_len > len + 1)
		return false;
	while (head < shorter && name[head] == good[head])
		head++;
	while (tail < shorter - head &&
	       name[len - 1 - tail] == good[good_len - 1 - tail])
		tail++;
	return head + tail + 1 >= (len > good_len ? len : good_len);
}

const char *
predicate_near_miss(const char *text)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	const char *open = text + len + strspn(text + len, " ");

	if (len == 0 || *open != '(' || !str_ends(text, ")"))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		if (is_near(text, len, tests[i].name))
			return tests[i].name;
	return open == text + len && open[1] != ')' ? "" : NULL;
}

static void
skip_blanks(struct reader *r)
{
	r->at += strspn(r->at, " \t\r\n");
}

/* One argument without its quotes, up to the ',' or ')' that ends it. */
static int
read_quoted(struct reader *r, char **out)
{
	const char *start = r->at + 1;
	const char *end = strchr(start, *r->at);

	if (!end)
		return err_set(r->e, ERR_INPUT, "a quote %c without its end",
			       *r->at);
	r->at = end + 1;
	skip_blanks(r);
	if (*r->at && *r->at != ',' && *r->at != ')')
		return err_set(r->e, ERR_INPUT,
			       "text behind the quote %c of an argument", *end);
	*out = base_strndup(start, (size_t)(end - start));
	return 0;
}

static int
read_plain(struct reader *r, char **out)
{
	const char *start = r->at, *end;
	unsigned open = 0;

	for (; *r->at; r->at++) {
		if (open == 0 && (*r->at == ',' || *r->at == ')'))
			break;
		open += *r->at == '(';
		open -= *r->at == ')';
	}
	for (end = r->at; end > start && strchr(" \t\r\n", end[-1]); end--)
		;
	if (end == start)
		return err_set(r->e, ERR_INPUT, "an argument is missing");
	*out = base_strndup(start, (size_t)(end - start));
	return 0;
}

/* The raw text of a regexp, up to the ')' that closes the call: the last one
 * of the word, or, inside another call, the first one that is not escaped,
 * not in a class and not the end of a group. */
static const char *
regexp_end(const struct reader *r)
{
	const char *end = r->depth == 1 ? strrchr(r->at, ')') : NULL;
	unsigned open = 0;
	bool in_class = false;

	for (const char *c = r->at; !end && *c; c++) {
		if (*c == '\\' && c[1])
			c++;
		else if (*c == '[' && !in_class) {
			in_class = true;
			c += c[1] == '^';
			c += c[1] == ']';
		} else if (*c == ']')
			in_class = false;
		else if (*c == '(' && !in_class)
			open++;
		else if (*c == ')' && !in_class && open-- == 0)
			end = c;
	}
	return end;
}

static int
read_regexp(struct reader *r, struct predicate *p)
{
	const char *start, *end;

	skip_blanks(r);
	start = r->at;
	end = regexp_end(r);
	if (!end)
		return err_set(r->e, ERR_INPUT, "a '(' without its ')'");
	r->at = end;
	while (end > start && strchr(" \t\r\n", end[-1]))
		end--;
	if (end - start >= 2 && strchr("'\"", *start) && end[-1] == *start) {
		start++;
		end--;
	}
	if (end == start)
		return err_set(r->e, ERR_INPUT, "an argument is missing");
	p->len = 1;
	p->source = base_strndup(start, (size_t)(end - start));
	return regexp_compile(&p->regexp, start, (size_t)(end - start), r->e);
}

static int
read_part(struct reader *r, struct predicate *p)
{
	p->part = base_resize(p->part, p->len + 1, sizeof(struct predicate *));
	p->part[p->len] = NULL;
	if (!predicate_is_call(r->at))
		return err_set(r->e, ERR_INPUT,
			       "%s() takes predicates, not '%.40s'",
			       tests[p->test].name, r->at);
	return read_call(r, &p->part[p->len++]);
}

static int
read_text(struct reader *r, struct predicate *p)
{
	p->text = base_resize(p->text, p->len + 1, sizeof(char *));
	p->text[p->len] = NULL;
	return *r->at == '"' || *r->at == '\''
		       ? read_quoted(r, &p->text[p->len++])
		       : read_plain(r, &p->text[p->len++]);
}

static int
read_args(struct reader *r, struct predicate *p)
{
	bool nests = p->test >= TEST_NOT;

	do {
		if (*r->at == ',')
			r->at++;
		skip_blanks(r);
		if (p->len == ARGS_MAX)
			return err_set(r->e, ERR_INPUT, "too many arguments");
		if ((nests ? read_part(r, p) : read_text(r, p)) < 0)
			return -1;
		skip_blanks(r);
	} while (*r->at == ',');
	return 0;
}

static int
check_count(struct reader *r, const struct predicate *p)
{
	size_t min = tests[p->test].min, max = tests[p->test].max;

	if (p->len >= min && p->len <= max)
		return 0;
	return err_set(r->e, ERR_INPUT, "%s() takes %s%zu argument%s, not %zu",
		       tests[p->test].name, min == max ? "" : "at least ", min,
		       min == 1 ? "" : "s", p->len);
}

static int
take_numbers(struct reader *r, struct predicate *p)
{
	for (size_t i = 0; i < p->len; i++)
		if (!number_read(p->text[i], &p->number[i]))
			return err_set(r->e, ERR_INPUT,
				       "%s() takes numbers, not '%.40s'",
				       tests[p->test].name, p->text[i]);
	if (p->test == TEST_RANGE && p->number[0] > p->number[1])
		r->odd = "range() with its ends swapped is never true";
	return 0;
}

static int
take_network(struct reader *r, struct predicate *p)
{
	bool host_bits = false;

	if (network_parse(&p->network, p->text[0], &host_bits, r->e) < 0)
		return -1;
	if (host_bits)
		r->odd = "network() with bits behind its mask: they do not "
			 "count";
	return 0;
}

/* What the arguments mean to this test. */
static int
take_args(struct reader *r, struct predicate *p)
{
	if (check_count(r, p) < 0)
		return -1;
	if (p->test <= TEST_RANGE)
		return take_numbers(r, p);
	if (p->test == TEST_NETWORK)
		return take_network(r, p);
	return 0;
}

static int
read_call(struct reader *r, struct predicate **out)
{
	AUTO(predicate) p = base_alloc(sizeof(*p));

	if (++r->depth > PREDICATE_MAX_DEPTH)
		return err_set(r->e, ERR_INPUT, "nested more than %d deep",
			       PREDICATE_MAX_DEPTH);
	r->at += call_name(r->at, &p->test) + 1;
	if ((p->test == TEST_REGEXP ? read_regexp(r, p) : read_args(r, p)) < 0)
		return -1;
	if (*r->at != ')')
		return err_set(r->e, ERR_INPUT, "%s( without its ')'",
			       tests[p->test].name);
	r->at++;
	if (take_args(r, p) < 0)
		return -1;
	r->depth--;
	*out = STEAL(p);
	return 0;
}

int
predicate_parse(struct predicate **out, const char *text, const char **odd,
		struct err *e)
{
	struct reader r = { .at = text, .e = e };
	AUTO(predicate) p = NULL;

	if (!predicate_is_call(text))
		return err_set(e, ERR_INPUT,
			       "'%.60s' is no predicate; there are %s", text,
			       predicate_names());
	if (read_call(&r, &p) < 0)
		return -1;
	if (*r.at)
		return err_set(e, ERR_INPUT, "'%.40s' behind the last ')'",
			       r.at);
	*odd = r.odd;
	*out = STEAL(p);
	return 0;
}

void
predicate_free(struct predicate *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->text && i < p->len; i++)
		free(p->text[i]);
	for (size_t i = 0; p->part && i < p->len; i++)
		predicate_free(p->part[i]);
	free(p->text);
	free(p->part);
	regexp_free(p->regexp);
	free(p->source);
	free(p);
}
