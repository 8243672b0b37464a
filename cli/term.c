#include <stdio.h>
#include <sys/ioctl.h>

#include "cli/term.h"
#include "lib/base.h"

void
term_look(struct term *t, int fd)
{
	const char *kind = getenv("TERM"), *plain = getenv("NO_COLOR");
	struct winsize size;

	*t = (struct term){ .terminal = isatty(fd) == 1 };
	if (!t->terminal)
		return;
	if (!kind || str_eq(kind, "dumb")) {
		t->terminal = false;
		return;
	}
	t->colours = !plain || !*plain;
	t->columns = 80;
	t->rows = 24;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
		t->columns = size.ws_col;
		t->rows = size.ws_row;
	}
}

static bool
starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

size_t
term_columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += starts_character(*text);
	return n;
}

void
term_cut(const char *text, size_t columns, struct buf *out)
{
	const char *dots = columns > 3 ? "..." : "";
	size_t keep = columns - strlen(dots), n = 0, len;

	if (term_columns(text) <= columns) {
		buf_str(out, text);
		return;
	}
	for (len = 0; text[len]; len++) {
		n += starts_character(text[len]);
		if (n > keep)
			break;
	}
	buf_add(out, text, len);
	buf_str(out, dots);
}

void
term_wrap(const char *text, size_t columns, size_t indent, struct buf *out)
{
	size_t at = indent;
	bool first = true;

	while (*text) {
		size_t len = strcspn(text, " ");
		AUTO_FREE char *word = base_strndup(text, len);
		size_t width = term_columns(word);

		if (!first && columns && at + 1 + width > columns) {
			buf_printf(out, "\n%*s", (int)indent, "");
			at = indent;
		} else if (!first) {
			buf_char(out, ' ');
			at++;
		}
		buf_str(out, word);
		at += width;
		text += len;
		text += *text == ' ';
		first = false;
	}
}

static const char *
colour_of(const char *word)
{
	static const struct {
		const char *word, *colour;
	} rows[] = {
		{ "installed", "32" }, { "done", "32" },
		{ "good", "32" },      { "failed", "31" },
		{ "error", "31" },     { "waiting", "33" },
		{ "waits", "33" },     { "silent", "33" },
		{ "warning", "33" },   { "installing", "36" },
		{ "assigned", "36" },  { "head", "1" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].word, word))
			return rows[i].colour;
	return NULL;
}

void
term_paint(const struct term *t, const char *word, const char *text,
	   struct buf *out)
{
	const char *colour = t->colours ? colour_of(word) : NULL;

	if (colour)
		buf_printf(out, "\033[%sm%s\033[0m", colour, text);
	else
		buf_str(out, text);
}
