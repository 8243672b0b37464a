#include "lib/base.h"
#include "lib/buf.h"
#include "specs/state.h"
#include "tests/test.h"

static const struct {
	const char *text, *want, *refused;
} rows[] = {
	{ "[('hp', 0), ('vm', 4), ('any', '*')]", "hp=0 vm=4 any=* ", NULL },
	{ "[('a', '7'), ['b', -1]]", "a=7 b=0 ", NULL },
	{ "[('a', 1), ('b', 2), ('a', 5)]", "a=6 b=2 ", NULL },
	{ "[('a', 1), ('a', '*'), ('a', 5)]", "a=* ", NULL },
	{ "[]", "", NULL },
	{ "[('a', 'many')]", NULL, "state:1:8: a total is" },
	{ "[('a', 1.5)]", NULL, "state:1:8: a total is" },
	{ "[('a', True)]", NULL, "state:1:8: a total is" },
	{ "[\n ('../a', 1)]", NULL, "state:2:3: a profile's name" },
	{ "[('a',)]", NULL, "state:1:2: a row is" },
	{ "{}", NULL, "state:1:1: the state is a list" },
	{ "", NULL, "state:1:1: the text ends" },
	{ "[('a', 1)", NULL, "state:1:10: the text ends" },
};

int
main(void)
{
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(state) s = NULL;
		AUTO_CLEAR(buf) seen = { 0 };
		struct err e = { 0 };
		int r = state_parse(&s, "state", rows[i].text,
				    strlen(rows[i].text), &e);

		if (rows[i].refused) {
			CHECK_SHOW(i,
				   r < 0 && str_starts(e.text, rows[i].refused),
				   "%s", e.text);
			continue;
		}
		for (j = 0; s && j < state_len(s); j++) {
			const struct quota *q = state_at(s, j);

			buf_printf(&seen, "%s=", q->profile);
			if (q->total == STATE_UNLIMITED)
				buf_str(&seen, "* ");
			else
				buf_printf(&seen, "%llu ",
					   (unsigned long long)q->total);
		}
		CHECK_SHOW(i, r == 0 && str_eq(buf_text(&seen), rows[i].want),
			   "%s %s", buf_text(&seen), e.text);
	}
	return test_end();
}
