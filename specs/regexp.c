/* The fence around PCRE2. Profiles are written for Python's re; most of it
 * means the same to PCRE2, and the few spellings that do not are translated
 * or refused here, before the library sees them. Facts come from machines
 * that nobody vouches for, so every search has a limit. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "specs/regexp.h"
#include "lib/buf.h"

#define SEARCH_STEPS 200000
#define SEARCH_DEPTH 2000
#define SEARCH_HEAP_KIB 4096

struct regexp {
	pcre2_code *code;
	pcre2_match_context *limits;
};

struct translation {
	const char *text;
	size_t at, len;
	struct buf *out;
	struct err *e;
};

static int
refuse(const struct translation *t, const char *what)
{
	return err_set(t->e, ERR_INPUT, "regexp: %s at character %zu", what,
		       t->at + 1);
}

/* \Z is the very end in Python, and "before a last newline too" in PCRE2. A
 * letter that Python gives no meaning is a mistake there, and would mean
 * something of PCRE2's own here. */
static int
translate_escape(struct translation *t, int in_class)
{
	char c;

	if (t->at + 1 >= t->len)
		return refuse(t, "a backslash with nothing behind it");
	c = t->text[t->at + 1];
	if (strchr("uUN", c))
		return refuse(t, "\\u, \\U and \\N: facts are ASCII,");
	if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) &&
	    !strchr(in_class ? "bdDsSwWafnrtvx" : "AbBdDsSwWZafnrtvx", c))
		return refuse(t, "an escape that re does not know");
	buf_char(t->out, '\\');
	buf_char(t->out, c == 'Z' ? 'z' : c);
	t->at += 2;
	return 0;
}

/* From "[" to its "]". A "[" inside is only itself in Python, while PCRE2
 * would look for [:alpha:] there. */
static int
translate_class(struct translation *t)
{
	size_t first;

	buf_char(t->out, t->text[t->at++]);
	if (t->at < t->len && t->text[t->at] == '^')
		buf_char(t->out, t->text[t->at++]);
	first = t->at;
	while (t->at < t->len) {
		char c = t->text[t->at];

		if (c == '\\') {
			if (translate_escape(t, 1) < 0)
				return -1;
			continue;
		}
		if (c == '[' || (c == ']' && t->at == first))
			buf_char(t->out, '\\');
		buf_char(t->out, c);
		t->at++;
		if (c == ']' && t->at != first + 1)
			return 0;
	}
	return refuse(t, "a [ without its ]");
}

static int
translate(struct translation *t)
{
	while (t->at < t->len) {
		const char *here = t->text + t->at;
		size_t rest = t->len - t->at;
		int bad = 0;

		if (*here == '\0')
			return refuse(t, "a NUL byte");
		if (*here == '\\') {
			bad = translate_escape(t, 0);
		} else if (*here == '[') {
			bad = translate_class(t);
		} else if (rest > 1 && here[0] == '(' && here[1] == '*') {
			return refuse(t, "nothing to repeat");
		} else if (rest > 2 && here[0] == '{' && here[1] == ',' &&
			   here[2] >= '0' && here[2] <= '9') {
			buf_str(t->out, "{0,");
			t->at += 2;
		} else {
			buf_char(t->out, *here);
			t->at++;
		}
		if (bad)
			return -1;
	}
	return 0;
}

static int
compile(struct regexp *r, const struct buf *text, struct err *e)
{
	const uint32_t options =
		PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE place = 0;
	char why[120];
	int code = 0;

	r->code = pcre2_compile((PCRE2_SPTR)buf_text(text), text->len, options,
				&code, &place, NULL);
	if (!r->code) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
		return err_set(e, ERR_INPUT, "regexp: %s at character %zu", why,
			       (size_t)place + 1);
	}
	r->limits = pcre2_match_context_create(NULL);
	if (!r->limits)
		abort();
	pcre2_set_match_limit(r->limits, SEARCH_STEPS);
	pcre2_set_depth_limit(r->limits, SEARCH_DEPTH);
	pcre2_set_heap_limit(r->limits, SEARCH_HEAP_KIB);
	return 0;
}

int
regexp_compile(struct regexp **out, const char *text, size_t len, struct err *e)
{
	AUTO_CLEAR(buf) translated = { 0 };
	struct translation t = {
		.text = text, .len = len, .out = &translated, .e = e
	};
	AUTO(regexp) r = base_alloc(sizeof(*r));

	if (len > REGEXP_MAX_BYTES)
		return err_set(e, ERR_INPUT, "regexp: longer than %d bytes",
			       REGEXP_MAX_BYTES);
	if (translate(&t) < 0 || compile(r, &translated, e) < 0)
		return -1;
	*out = STEAL(r);
	return 0;
}

int
regexp_search(const struct regexp *r, const char *text)
{
	pcre2_match_data *found = pcre2_match_data_create(1, NULL);
	int n;

	if (!found)
		abort();
	n = pcre2_match(r->code, (PCRE2_SPTR)text, strlen(text), 0, 0, found,
			r->limits);
	pcre2_match_data_free(found);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	return n < 0 ? -1 : 1;
}

void
regexp_free(struct regexp *r)
{
	if (!r)
		return;
	pcre2_code_free(r->code);
	pcre2_match_context_free(r->limits);
	free(r);
}
