#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/ini.h"
#include "tests/test.h"

static int
take(void *ctx, const char *section, const char *key, const char *value,
     struct err *e)
{
	if (str_eq(key, "BAD"))
		return err_set(e, ERR_INPUT, "no such key: BAD");
	buf_printf(ctx, "%s.%s=%s;", section, key, value);
	return 0;
}

#define X40 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X160 X40 X40 X40 X40

static const struct {
	const char *text, *want, *refused;
} rows[] = {
	{ "[S]\nA = 1\nB: x y ; c\n# c\n", "S.A=1;S.B=x y;", NULL },
	{ "[S]\n[T]\nA=\n", "T.A=;", NULL },
	{ "[S]\nA = 1\nBAD = 2\n", NULL, ":3: no such key: BAD" },
	{ "[S]\nnonsense\n", NULL, ":2: not \"[SECTION]\"" },
	{ "", "", NULL },
	{ "# only\n\n", "", NULL },
	{ "\xef\xbb\xbf[S]\nA=1\n", "S.A=1;", NULL },
	{ "[S]\r\nA=1\r\n", "S.A=1;", NULL },
	{ "[S]\nA=1", "S.A=1;", NULL },
	{ "A=1\n", ".A=1;", NULL },
	{ "[S\nA=1\n", NULL, ":1: not \"[SECTION]\"" },
	{ "[S]\nA = x # y\n", "S.A=x # y;", NULL },
	{ "[S]\nA = a=b\n", "S.A=a=b;", NULL },
	{ "[S]\n  A = 1\n", "S.A=1;", NULL },
	{ "[S]\nA = 1\n  more\n", NULL, ":3: not" },
	/* the first thing that is wrong is told */
	{ "[S]\nnonsense\nBAD=1\n", NULL, ":2: not" },
	{ "[S]\nBAD=1\nBAD=2\n", NULL, ":2: no such key" },
	/* nothing is cut, and no second half is a line of its own */
	{ "[S]\nA = " X160 "\n", "S.A=" X160 ";", NULL },
	{ "[S]\nA = " X160 X40 "\n", NULL, ":2: a line has at most 190" },
	{ "[S]\nA = " X160 X40 " B=1\n", NULL, ":2: a line has" },
	{ "[S]\n  # " X160 X40 " B=1\nA=1\n", "S.A=1;", NULL },
	{ "; " X160 X40 " B=1\n[S]\nBAD=1\n", NULL, ":3: no such key" },
	{ "[" X40 "]\nA=1\n", X40 ".A=1;", NULL },
	{ "[" X40 X40 "]\nA=1\n", NULL, ":1: a section's name" },
};

int
main(void)
{
	char path[] = "/tmp/edeploy-ini-XXXXXX";
	size_t i;

	close(mkstemp(path));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_CLEAR(buf) seen = { 0 };
		struct err e = { 0 };
		int r;

		CHECK(i, file_write(path, rows[i].text, strlen(rows[i].text),
				    0600, &e) == 0);
		r = ini_read(path, take, &seen, &e);
		if (rows[i].refused)
			CHECK_SHOW(i, r < 0 && strstr(e.text, rows[i].refused),
				   "%s", e.text);
		else
			CHECK_SHOW(
				i,
				r == 0 && str_eq(buf_text(&seen), rows[i].want),
				"%s", buf_text(&seen));
	}
	unlink(path);
	return test_end();
}
