#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/text.h"

#include "agent/journal.h"

/* The server takes 64 MiB; what is past that is for the console only. */
#define JOURNAL_MAX (64u * 1024 * 1024)

struct journal {
	char *path;
	int file, console;
	size_t size;
};

int
journal_open(struct journal **out, const char *path, int console, struct err *e)
{
	AUTO(journal) j = base_alloc(sizeof(*j));

	j->file = -1;
	j->console = console;
	j->path = base_strdup(path);
	if (file_write(path, "", 0, 0600, e) < 0)
		return -1;
	j->file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (j->file < 0 || fchmod(j->file, 0600) < 0)
		return err_sys(e, "%s", path);
	*out = STEAL(j);
	return 0;
}

/* A log that cannot be written must not stop an installation: the console
 * still has every line. */
static void
put(struct journal *j, const char *bytes, size_t len)
{
	struct err ignored;

	if (len > JOURNAL_MAX - j->size)
		return;
	if (fd_write_all(j->file, bytes, len, &ignored) == 0)
		j->size += len;
}

static void
show(struct journal *j, const char *bytes, size_t len)
{
	AUTO_CLEAR(buf) shown = { 0 };
	struct err ignored;
	size_t from = 0, at;

	for (at = 0; at <= len; at++) {
		bool end = at == len, nl = !end && bytes[at] == '\n';

		/* a carriage return starts a line anew: progress bars */
		if (!end && !nl && bytes[at] != '\r' && bytes[at] != '\t')
			continue;
		text_show(bytes + from, at - from, 0, &shown);
		if (!end)
			buf_char(&shown, bytes[at]);
		from = at + 1;
	}
	fd_write_all(j->console, buf_text(&shown), shown.len, &ignored);
}

void
journal_line(struct journal *j, const char *fmt, ...)
{
	AUTO_CLEAR(buf) line = { 0 };
	int64_t now = clock_boot_ms();
	va_list ap;

	buf_printf(&line, "[%6lld.%lld] ", (long long)(now / 1000),
		   (long long)(now / 100 % 10));
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	buf_char(&line, '\n');
	put(j, line.at, line.len);
	show(j, line.at, line.len);
}

void
journal_bytes(struct journal *j, const char *bytes, size_t len)
{
	put(j, bytes, len);
	show(j, bytes, len);
}

const char *
journal_path(const struct journal *j)
{
	return j->path;
}

void
journal_free(struct journal *j)
{
	if (!j)
		return;
	if (j->file >= 0)
		close(j->file);
	free(j->path);
	free(j);
}
