#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/text.h"

static const char *log_program = "edeploy";
static enum log_level log_most = LOG_INFO;
static bool log_journal;

void
log_open(const char *program, enum log_level most)
{
	log_program = program;
	log_most = most;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

/* One write per line, so that lines of two threads never mix. */
void
log_line(enum log_level level, const char *fmt, ...)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_CLEAR(buf) line = { 0 };
	char when[24];
	va_list ap;

	if (level > log_most)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	clock_text(clock_wall_ms(), when);
	if (log_journal)
		buf_printf(&line, "<%d>", (int)level);
	else
		buf_printf(&line, "%s %s: ", when, log_program);
	text_show(buf_text(&text), text.len, 1, &line);
	buf_char(&line, '\n');
	fwrite(line.at, 1, line.len, stderr);
}
