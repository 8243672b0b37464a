/* Messages: the kind stays, context goes in front, and what a person needs
 * most (the end of a path, the reason) survives when it is long. */
#include <errno.h>

#include "lib/base.h"
#include "lib/err.h"
#include "tests/test.h"

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG X50 X50 X50 X50 X50 X50

static const struct {
	const char *text, *context, *want; /* NULL: only ends matter */
	const char *head, *tail;
} rows[] = {
	{ "no", "file", "file: no", NULL, NULL },
	{ "", "file", "file: ", NULL, NULL },
	{ "no", "", ": no", NULL, NULL },
	/* a long path keeps its end, where the line is */
	{ "no", "/srv/" LONG "/vm.specs:12", NULL, "...", "/vm.specs:12: no" },
	{ LONG, "vm.specs:12", NULL, "vm.specs:12: xxx", "xxx" },
	{ LONG, "/srv/" LONG "/vm.specs:12", NULL, "...", "xxx" },
};

/* No byte sequence of UTF-8 is cut: the text goes into JSON. */
static bool
is_whole(const char *text)
{
	size_t n = strlen(text), i = 0;

	while (i < n) {
		unsigned char c = (unsigned char)text[i];
		size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

		if (c >= 0x80 && c < 0xc0)
			return false;
		for (size_t k = 1; k < len; k++)
			if (((unsigned char)text[i + k] & 0xc0) != 0x80)
				return false;
		i += len;
	}
	return true;
}

static void
test_utf8(void)
{
	char text[400];

	for (size_t i = 0; i < 8; i++) {
		struct err e = { 0 };

		memset(text, 'x', i);
		for (size_t k = i; k + 3 < sizeof(text); k += 3)
			memcpy(text + k, "\xe2\x82\xac", 4);
		err_set(&e, ERR_INPUT, "%s", text);
		CHECK(i, is_whole(e.text) && strlen(e.text) > 190);
		err_add(&e, "%s", text);
		CHECK_SHOW(i, is_whole(e.text) && strlen(e.text) > 190, "%s",
			   e.text);
		errno = ENOENT;
		err_sys(&e, "open %s", text);
		CHECK_SHOW(
			i,
			is_whole(e.text) &&
				str_ends(e.text, ": No such file or directory"),
			"%s", e.text);
	}
}

int
main(void)
{
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(i, err_set(&e, ERR_REFUSED, "%s", rows[i].text) == -1);
		CHECK(i, err_add(&e, "%s", rows[i].context) == -1);
		CHECK(i, e.kind == ERR_REFUSED);
		CHECK_SHOW(i,
			   rows[i].want
				   ? str_eq(e.text, rows[i].want)
				   : str_starts(e.text, rows[i].head) &&
					     str_ends(e.text, rows[i].tail),
			   "%s", e.text);
	}
	errno = EACCES;
	CHECK(0, err_sys(&e, "open %s", "/x") == -1 && e.kind == ERR_SYS &&
			 str_eq(e.text, "open /x: Permission denied"));
	/* the reason is told whatever the path's length */
	errno = EACCES;
	err_sys(&e, "open %s", "/srv/" LONG "/vm.specs");
	CHECK_SHOW(1, str_ends(e.text, ": Permission denied"), "%s", e.text);
	/* its own text as context of itself */
	err_set(&e, ERR_INPUT, "line 3");
	err_add(&e, "%s", e.text);
	CHECK(2, str_eq(e.text, "line 3: line 3"));
	test_utf8();
	return test_end();
}
