/* The fence of PCRE2. Facts are ASCII, so UTF mode stays off. The limits make
 * an evil pattern a miss, not a hang: facts come from the network. Python's
 * (?P<name>…), (?P=name) and \Z are PCRE2's too; $ means the end or before a
 * last newline in both. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "specs/regexp.h"

#define STEPS_MAX 100000
#define DEPTH_MAX 1000

struct regexp {
	pcre2_code *code;
	pcre2_match_context *limits;
};

/* Python's \Z is PCRE2's \z; everything else is spelled alike. */
static char *
from_python(const char *pattern)
{
	char *copy = base_strdup(pattern), *at;

	for (at = copy; *at; at++)
		if (*at == '\\' && at[1]) {
			at++;
			if (*at == 'Z')
				*at = 'z';
		}
	return copy;
}

int
regexp_compile(struct regexp **out, const char *pattern, struct err *e)
{
	AUTO_FREE char *text = from_python(pattern);
	AUTO(regexp) r = base_alloc(sizeof(*r));
	PCRE2_UCHAR why[120];
	PCRE2_SIZE at = 0;
	int code = 0;

	r->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
				PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C,
				&code, &at, NULL);
	if (!r->code) {
		pcre2_get_error_message(code, why, sizeof(why));
		return err_set(e, ERR_INPUT,
			       "regular expression, character %zu: %s", at + 1,
			       (char *)why);
	}
	r->limits = pcre2_match_context_create(NULL);
	if (!r->limits)
		return err_set(e, ERR_SYS, "PCRE2 does not start");
	pcre2_set_match_limit(r->limits, STEPS_MAX);
	pcre2_set_depth_limit(r->limits, DEPTH_MAX);
	*out = STEAL(r);
	return 0;
}

bool
regexp_found(const struct regexp *r, const char *text)
{
	pcre2_match_data *m = pcre2_match_data_create(1, NULL);
	int n;

	if (!m)
		return false;
	n = pcre2_match(r->code, (PCRE2_SPTR)text, strlen(text), 0, 0, m,
			r->limits);
	pcre2_match_data_free(m);
	return n >= 0;
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
