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

static const struct {
	const char *text, *want, *refused;
} rows[] = {
	{ "[S]\nA = 1\nB: x y ; c\n# c\n", "S.A=1;S.B=x y;", NULL },
	{ "[S]\n[T]\nA=\n", "T.A=;", NULL },
	{ "[S]\nA = 1\nBAD = 2\n", NULL, ":3: no such key: BAD" },
	{ "[S]\nnonsense\n", NULL, ":2: not \"[SECTION]\"" },
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
