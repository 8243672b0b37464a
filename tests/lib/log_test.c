/* The log: a line is a line whatever is in it, levels are kept, and the
 * journal gets its prefix. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/log.h"
#include "tests/test.h"

static const struct {
	enum log_level most, level;
	const char *text, *want; /* behind "TIME program: "; NULL: nothing */
} rows[] = {
	{ LOG_INFO, LOG_INFO, "ready", "ready\n" },
	{ LOG_INFO, LOG_DEBUG, "detail", NULL },
	{ LOG_DEBUG, LOG_DEBUG, "detail", "detail\n" },
	{ LOG_ERROR, LOG_WARNING, "hm", NULL },
	{ LOG_ERROR, LOG_ERROR, "bad", "bad\n" },
	{ LOG_INFO, LOG_INFO, "a\nb", "a\\nb\n" },
	{ LOG_INFO, LOG_INFO, "\033[2Jx\r", "\\x1b[2Jx\\x0d\n" },
	{ LOG_INFO, LOG_INFO, "\xff\xc3\xa9", "\\xff\xc3\xa9\n" },
	{ LOG_INFO, LOG_INFO, "", "\n" },
	{ LOG_INFO, LOG_INFO, "%s%n", "%s%n\n" },
};

/* What one line of the log is; "" when none. */
static char *
said(enum log_level most, enum log_level level, const char *text)
{
	int keep = dup(STDERR_FILENO), ends[2];
	char *line = base_alloc(4096);

	if (pipe(ends) < 0)
		abort();
	fflush(stderr);
	dup2(ends[1], STDERR_FILENO);
	log_open("prog", most);
	log_line(level, "%s", text);
	fflush(stderr);
	dup2(keep, STDERR_FILENO);
	close(ends[1]);
	close(keep);
	if (read(ends[0], line, 4095) < 0)
		abort();
	close(ends[0]);
	return line;
}

int
main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *plain = NULL, *journal = NULL;
		AUTO_FREE char *want =
			base_printf("<%d>%s", rows[i].level, rows[i].want);
		const char *at;

		unsetenv("JOURNAL_STREAM");
		plain = said(rows[i].most, rows[i].level, rows[i].text);
		at = strstr(plain, "Z prog: ");
		CHECK_SHOW(i,
			   rows[i].want ? at && at - plain == 19 &&
						  str_eq(at + 8, rows[i].want)
					: !*plain,
			   "%s", plain);
		setenv("JOURNAL_STREAM", "8:1", 1);
		journal = said(rows[i].most, rows[i].level, rows[i].text);
		CHECK_SHOW(i, str_eq(journal, rows[i].want ? want : ""), "%s",
			   journal);
	}
	return test_end();
}
