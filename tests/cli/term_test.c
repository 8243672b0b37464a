#include "tests/test.h"

#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cli/term.h"
#include "lib/base.h"

static const struct {
	const char *text;
	size_t columns;
	const char *want;
} cuts[] = {
	{ "host3", 5, "host3" },
	{ "host34", 5, "ho..." },
	{ "host34", 3, "hos" },
	{ "host34", 0, "" },
	{ "", 0, "" },
	/* by characters, never inside one */
	{ "h\xc3\xb6st", 4, "h\xc3\xb6st" },
	{ "\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6\xc3\xb6", 4, "\xc3\xb6..." },
};

static const struct {
	const char *text;
	size_t columns, indent;
	const char *want;
} wraps[] = {
	{ "no fact fits", 0, 2, "no fact fits" },
	{ "no fact fits", 14, 2, "no fact fits" },
	{ "no fact fits", 13, 2, "no fact\n  fits" },
	{ "no fact fits", 4, 2, "no\n  fact\n  fits" },
	{ "/a/long/path here", 8, 1, "/a/long/path\n here" },
	{ "", 8, 1, "" },
	{ "a  b", 80, 0, "a  b" },
};

static void
check_text(size_t row, struct buf *got, const char *want)
{
	CHECK_SHOW(row, str_eq(buf_text(got), want), "got \"%s\", want \"%s\"",
		   buf_text(got), want);
	buf_reset(got);
}

static const struct {
	const char *term, *no_color;
	bool terminal, colours;
} looks[] = {
	{ "xterm", NULL, true, true }, { "xterm", "", true, true },
	{ "xterm", "1", true, false }, { "dumb", NULL, false, false },
	{ NULL, NULL, false, false },
};

static void
set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

/* A terminal of 120 columns, then of none: as some serial lines say. */
static void
check_terminal(void)
{
	struct winsize size = { .ws_row = 30, .ws_col = 120 };
	AUTO_CLEAR(buf) out = { 0 };
	struct term t;
	int ours, theirs;
	size_t i;

	CHECK(0, openpty(&ours, &theirs, NULL, NULL, &size) == 0);
	for (i = 0; i < ARRAY_LEN(looks); i++) {
		set("TERM", looks[i].term);
		set("NO_COLOR", looks[i].no_color);
		term_look(&t, theirs);
		CHECK(i, t.terminal == looks[i].terminal &&
				 t.colours == looks[i].colours);
		CHECK(i, t.columns == (t.terminal ? 120 : 0));
		term_paint(&t, "failed", "m1", &out);
		check_text(i, &out, t.colours ? "\033[31mm1\033[0m" : "m1");
		term_paint(&t, "no such word", "m1", &out);
		check_text(i, &out, "m1");
	}
	size = (struct winsize){ 0 };
	set("TERM", "vt100");
	CHECK(1, ioctl(theirs, TIOCSWINSZ, &size) == 0);
	term_look(&t, theirs);
	CHECK(2, t.columns == 80 && t.rows == 24);
	close(ours);
	close(theirs);
}

int
main(void)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO_CLEAR(buf) out = { 0 };
	struct term t;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cuts); i++) {
		term_cut(cuts[i].text, cuts[i].columns, &out);
		CHECK(i, term_columns(buf_text(&out)) <= cuts[i].columns);
		check_text(i, &out, cuts[i].want);
	}
	for (i = 0; i < ARRAY_LEN(wraps); i++) {
		term_wrap(wraps[i].text, wraps[i].columns, wraps[i].indent,
			  &out);
		check_text(i, &out, wraps[i].want);
	}
	set("TERM", "xterm");
	term_look(&t, null);
	CHECK(0, !t.terminal && !t.colours && t.columns == 0);
	check_terminal();
	return test_end();
}
