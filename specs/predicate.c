/* Predicates: a table of names, each with how it reads its arguments and how
 * it judges a word. A judgement has three values, since a word that cannot be
 * read must be a miss under not() as well. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "specs/predicate.h"
#include "specs/network.h"
#include "specs/regexp.h"
#include "lib/buf.h"
#include "lib/text.h"

#define ARGS_MAX 256
#define DEPTH_MAX 16

enum answer { NO, YES, UNREADABLE };

enum argument { NUMBERS, TEXTS, CALLS, NETWORK, REGEXP };

struct predicate;

struct kind {
	const char *name;
	enum argument takes;
	size_t least, most;
	enum answer (*judge)(const struct predicate *p, const char *word);
};

struct predicate {
	const struct kind *kind;
	char **texts;             /* in: what it may be */
	struct predicate **calls; /* and, or, not */
	double numbers[2];
	struct network network;
	struct regexp *regexp;
	size_t len; /* of texts or calls */
};

/* The whole text as a double, blanks around it allowed; no hexadecimal. */
static bool
read_double(const char *text, double *out)
{
	char *end;

	if (strpbrk(text, "xXpP") || !*text)
		return false;
	*out = strtod(text, &end);
	if (end == text)
		return false;
	while (isspace((unsigned char)*end))
		end++;
	return *end == '\0';
}

static enum answer
judge_number(const struct predicate *p, const char *word)
{
	const char *name = p->kind->name;
	double n, a = p->numbers[0];
	bool is;

	if (!read_double(word, &n) || isnan(n))
		return UNREADABLE;
	if (name[0] == 'r')
		is = a <= n && n <= p->numbers[1];
	else if (name[0] == 'g')
		is = n > a || (name[1] == 'e' && n == a);
	else
		is = n < a || (name[1] == 'e' && n == a);
	return is ? YES : NO;
}

static enum answer
judge_in(const struct predicate *p, const char *word)
{
	size_t i;

	for (i = 0; i < p->len; i++)
		if (str_eq(p->texts[i], word))
			return YES;
	return NO;
}

static enum answer
judge_regexp(const struct predicate *p, const char *word)
{
	return regexp_found(p->regexp, word) ? YES : NO;
}

static enum answer
judge_network(const struct predicate *p, const char *word)
{
	struct network ignored;
	struct err e = { 0 };

	if (strchr(word, '/') || network_parse(&ignored, word, &e) < 0)
		return UNREADABLE;
	return network_has(&p->network, word) ? YES : NO;
}

static enum answer judge(const struct predicate *p, const char *word);

static enum answer
judge_not(const struct predicate *p, const char *word)
{
	enum answer a = judge(p->calls[0], word);

	return a == UNREADABLE ? UNREADABLE : a == YES ? NO : YES;
}

static enum answer
judge_and(const struct predicate *p, const char *word)
{
	enum answer all = YES;
	size_t i;

	for (i = 0; i < p->len; i++) {
		enum answer a = judge(p->calls[i], word);

		if (a == NO)
			return NO;
		if (a == UNREADABLE)
			all = UNREADABLE;
	}
	return all;
}

static enum answer
judge_or(const struct predicate *p, const char *word)
{
	enum answer any = NO;
	size_t i;

	for (i = 0; i < p->len; i++) {
		enum answer a = judge(p->calls[i], word);

		if (a == YES)
			return YES;
		if (a == UNREADABLE)
			any = UNREADABLE;
	}
	return any;
}

static const struct kind kinds[] = {
	{ "gt", NUMBERS, 1, 1, judge_number },
	{ "ge", NUMBERS, 1, 1, judge_number },
	{ "lt", NUMBERS, 1, 1, judge_number },
	{ "le", NUMBERS, 1, 1, judge_number },
	{ "range", NUMBERS, 2, 2, judge_number },
	{ "in", TEXTS, 1, ARGS_MAX, judge_in },
	{ "regexp", REGEXP, 1, 1, judge_regexp },
	{ "network", NETWORK, 1, 1, judge_network },
	{ "not", CALLS, 1, 1, judge_not },
	{ "and", CALLS, 2, ARGS_MAX, judge_and },
	{ "or", CALLS, 2, ARGS_MAX, judge_or },
};

static enum answer
judge(const struct predicate *p, const char *word)
{
	return p->kind->judge(p, word);
}

bool
predicate_holds(const struct predicate *p, const char *word)
{
	return judge(p, word) == YES;
}

/* ---- reading ---- */

/* Length of the name before "(", 0 when `text` has no call's shape: a name,
 * "(", at least one character, ")" at the very end. */
static size_t
name_length(const char *text)
{
	size_t n = 0, len = strlen(text);

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	if (n == 0 || isdigit((unsigned char)text[0]) || text[n] != '(' ||
	    len < n + 3 || text[len - 1] != ')')
		return 0;
	return n;
}

static const struct kind *
find_kind(const char *name, size_t len, bool any_case)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *k = kinds[i].name;

		if (strlen(k) == len && (any_case ? strncasecmp(k, name, len)
						  : strncmp(k, name, len)) == 0)
			return &kinds[i];
	}
	return NULL;
}

enum predicate_shape
predicate_shape(const char *text)
{
	size_t n = name_length(text);

	if (n == 0)
		return PREDICATE_PLAIN;
	return find_kind(text, n, false) ? PREDICATE_CALL : PREDICATE_UNKNOWN;
}

const char *
predicate_meant(const char *text)
{
	size_t n = name_length(text);
	const struct kind *k = n ? find_kind(text, n, true) : NULL;

	return k ? k->name : NULL;
}

/* Arguments lose the blanks and then the quotes around them. */
static char *
clean(const char *from, size_t len)
{
	while (len > 0 && isspace((unsigned char)*from)) {
		from++;
		len--;
	}
	while (len > 0 && isspace((unsigned char)from[len - 1]))
		len--;
	while (len > 0 && strchr("'\"", *from)) {
		from++;
		len--;
	}
	while (len > 0 && strchr("'\"", from[len - 1]))
		len--;
	return base_strndup(from, len);
}

struct args {
	char *at[ARGS_MAX];
	size_t len;
};

static void
args_clear(struct args *a)
{
	while (a->len > 0)
		free(a->at[--a->len]);
}

/* One step over `text[i]` inside an argument: escapes and [classes] of a
 * regular expression and quoted text hide brackets and commas. */
static size_t
hidden(const char *text, size_t i, size_t len)
{
	char c = text[i];
	size_t j;

	if (c == '\\' && i + 1 < len)
		return 2;
	if (c == '"' || c == '\'') {
		const char *end = memchr(text + i + 1, c, len - i - 1);

		return end ? (size_t)(end - text) - i + 1 : 1;
	}
	if (c != '[')
		return 0;
	for (j = i + 2; j < len && text[j] != ']'; j++)
		if (text[j] == '\\')
			j++;
	return j < len ? j - i + 1 : 1;
}

static int
split(struct args *a, const char *text, size_t len, struct err *e)
{
	size_t i = 0, from = 0, depth = 0, step;

	while (i <= len) {
		bool end = i == len;

		if (end || (text[i] == ',' && depth == 0)) {
			if (a->len == ARGS_MAX)
				return err_set(e, ERR_INPUT,
					       "more than %d arguments",
					       ARGS_MAX);
			a->at[a->len++] = base_strndup(text + from, i - from);
			from = i + 1;
		}
		if (end)
			break;
		step = hidden(text, i, len);
		if (step == 0) {
			depth += text[i] == '(';
			depth -= text[i] == ')' && depth > 0;
			step = 1;
		}
		i += step;
	}
	return 0;
}

static int parse(struct predicate **out, const char *text, size_t depth,
		 struct err *e);

static int
take_numbers(struct predicate *p, const struct args *a, struct err *e)
{
	size_t i;

	for (i = 0; i < a->len; i++) {
		AUTO_FREE char *text = clean(a->at[i], strlen(a->at[i]));

		if (!read_double(text, &p->numbers[i]) || isnan(p->numbers[i]))
			return err_set(e, ERR_INPUT,
				       "%s: \"%.40s\" is not a number",
				       p->kind->name, text);
	}
	if (a->len == 2 && p->numbers[0] > p->numbers[1])
		return err_set(
			e, ERR_INPUT,
			"range: its ends are swapped, nothing is between");
	return 0;
}

static int
take_calls(struct predicate *p, const struct args *a, size_t depth,
	   struct err *e)
{
	size_t i;

	p->calls = base_array(a->len, sizeof(*p->calls));
	for (i = 0; i < a->len; i++) {
		char *call = text_trim(a->at[i]);

		if (predicate_shape(call) != PREDICATE_CALL)
			return err_set(
				e, ERR_INPUT,
				"%s: \"%.40s\" is not a call of a predicate",
				p->kind->name, call);
		if (parse(&p->calls[i], call, depth + 1, e) < 0)
			return -1;
		p->len++;
	}
	return 0;
}

static int
take_args(struct predicate *p, const struct args *a, size_t depth,
	  struct err *e)
{
	AUTO_FREE char *first = clean(a->at[0], strlen(a->at[0]));
	size_t i;

	switch (p->kind->takes) {
	case NUMBERS:
		return take_numbers(p, a, e);
	case CALLS:
		return take_calls(p, a, depth, e);
	case REGEXP:
		return regexp_compile(&p->regexp, first, e);
	case NETWORK:
		return network_parse(&p->network, text_trim(first), e);
	case TEXTS:
		p->texts = base_array(a->len, sizeof(*p->texts));
		for (i = 0; i < a->len; i++)
			p->texts[p->len++] = clean(a->at[i], strlen(a->at[i]));
	}
	return 0;
}

static int
parse(struct predicate **out, const char *text, size_t depth, struct err *e)
{
	__attribute__((cleanup(args_clear))) struct args a = { .len = 0 };
	AUTO(predicate) p = base_alloc(sizeof(*p));
	size_t n = name_length(text), inside = strlen(text) - n - 2;

	if (depth > DEPTH_MAX)
		return err_set(e, ERR_INPUT, "predicates nested too deeply");
	p->kind = find_kind(text, n, false);
	if (p->kind->takes == REGEXP)
		a.at[a.len++] = base_strndup(text + n + 1, inside);
	else if (split(&a, text + n + 1, inside, e) < 0)
		return -1;
	if (a.len < p->kind->least || a.len > p->kind->most)
		return err_set(e, ERR_INPUT,
			       "%s takes %zu%s argument%s, not %zu",
			       p->kind->name, p->kind->least,
			       p->kind->most == ARGS_MAX ? " or more" : "",
			       p->kind->most == 1 ? "" : "s", a.len);
	if (take_args(p, &a, depth, e) < 0)
		return -1;
	*out = STEAL(p);
	return 0;
}

int
predicate_parse(struct predicate **out, const char *text, struct err *e)
{
	return parse(out, text, 1, e);
}

void
predicate_free(struct predicate *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < p->len && p->texts; i++)
		free(p->texts[i]);
	for (i = 0; i < p->len && p->calls; i++)
		predicate_free(p->calls[i]);
	free(p->texts);
	free(p->calls);
	regexp_free(p->regexp);
	free(p);
}
