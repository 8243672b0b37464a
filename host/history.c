#include <stdio.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/text.h"

#include "host/history.h"
#include "host/show.h"

#define TEXT_MAX (16 * 1024 * 1024)
#define ROWS_MAX 10000

static char *
log_path(const struct versioned *v)
{
	return base_printf("%s/log", v->dir);
}

char *
history_path(const struct versioned *v)
{
	return base_printf("%s/history", v->dir);
}

static void
append(const char *path, const char *line)
{
	struct err e = { 0 };

	if (file_append(path, line, strlen(line), 0600, &e) < 0)
		show_say("warning: ", e.text);
}

void
history_add(const char *path, const char *action, const char *from,
	    const char *to, const char *words)
{
	AUTO_CLEAR(buf) shown = { 0 };
	AUTO_FREE char *line = NULL;
	char now[24];

	clock_text(clock_wall_ms(), now);
	text_show(words, strlen(words), 1, &shown);
	line = base_printf("%s %s %s %s %s\n", now, action, from, to,
			   buf_text(&shown));
	append(path, line);
}

void
history_fell(const struct versioned *v, const char *version, const char *words)
{
	AUTO_FREE char *path = log_path(v);
	AUTO_CLEAR(buf) shown = { 0 };
	AUTO_FREE char *line = NULL;
	char now[24];

	clock_text(clock_wall_ms(), now);
	text_show(words, strlen(words), 1, &shown);
	line = base_printf("%s %s %s\n", now, version, buf_text(&shown));
	append(path, line);
}

void
history_carry(const char *from, const char *to)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	size_t len;

	if (file_exists(to) || !file_exists(from))
		return;
	if (file_read(from, TEXT_MAX, &text, &len, &e) < 0 ||
	    file_replace(to, text, len, 0600, &e) < 0)
		show_say("warning: ", e.text);
}

/* ---- reading ---- */

/* The next word of a line that people may have cut. */
static const char *
word(char **at)
{
	const char *w = *at ? strsep(at, " ") : NULL;

	return w ? w : "";
}

static struct value *
row_of(char *line, bool is_log)
{
	struct value *row = value_dict();
	const char *action;

	value_set_str(row, "time", word(&line));
	action = is_log ? NULL : word(&line);
	value_set_str(row, "from", word(&line));
	value_set_str(row, "to", is_log ? "" : word(&line));
	value_set_str(row, "words", line ? line : "");
	/* init and a live switch write there what they did, too */
	if (!action)
		action = line && str_starts(line, "failed") ? "fell" : "noted";
	value_set_str(row, "action", action);
	return row;
}

/* Lines appended by a machine whose power went may end in anything. */
static int
read_rows(struct value *rows, const char *path, bool is_log, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char *at, *line;
	size_t len;

	if (!file_exists(path))
		return 0;
	if (file_read(path, TEXT_MAX, &text, &len, e) < 0)
		return -1;
	/* of a page that never got to the disk */
	while ((at = memchr(text, '\0', len)))
		*at = '\n';
	for (at = text; (line = strsep(&at, "\n"));)
		if (strlen(line) > 20 && line[19] == 'Z' && line[20] == ' ' &&
		    text_is_utf8(line, strlen(line)))
			value_push(rows, row_of(line, is_log));
	return 0;
}

/* Times are texts that sort; within a second, what happened to a version comes
 * after what was done. */
static int
by_time(const void *a, const void *b)
{
	const struct value *x = *(struct value *const *)a;
	const struct value *y = *(struct value *const *)b;
	int cmp = strcmp(value_get_str(x, "time"), value_get_str(y, "time"));

	if (cmp == 0)
		cmp = (int)str_eq(value_get_str(x, "action"), "fell") -
		      (int)str_eq(value_get_str(y, "action"), "fell");
	return cmp ? cmp : (x->start > y->start) - (x->start < y->start);
}

static void
keep_newest(struct value *rows)
{
	size_t i, too_many = rows->list.len > ROWS_MAX
				     ? rows->list.len - ROWS_MAX
				     : 0;

	for (i = 0; i < too_many; i++)
		value_free(rows->list.at[i]);
	if (too_many == 0)
		return;
	memmove(rows->list.at, rows->list.at + too_many,
		(rows->list.len - too_many) * sizeof(*rows->list.at));
	rows->list.len -= too_many;
}

int
history_read(struct value **out, const char *history, const char *log,
	     struct err *e)
{
	struct value *rows __attribute__((cleanup(value_freep))) = value_list();
	size_t i;

	if (read_rows(rows, history, false, e) < 0 ||
	    (log && read_rows(rows, log, true, e) < 0))
		return -1;
	for (i = 0; i < rows->list.len; i++)
		rows->list.at[i]->start = i; /* qsort is not stable */
	if (rows->list.len > 1)
		qsort(rows->list.at, rows->list.len, sizeof(*rows->list.at),
		      by_time);
	keep_newest(rows);
	*out = STEAL(rows);
	return 0;
}

void
history_news(const struct versioned *v, struct value **last,
	     struct value **fell)
{
	struct value *rows __attribute__((cleanup(value_freep))) = NULL;
	AUTO_FREE char *history = history_path(v);
	AUTO_FREE char *log = log_path(v);
	struct err ignored;
	size_t i;

	*last = *fell = NULL;
	if (history_read(&rows, history, log, &ignored) < 0)
		return;
	for (i = rows->list.len; i-- > 0;) {
		struct value *r = rows->list.at[i];
		const char *action = value_get_str(r, "action");

		if (str_eq(action, "noted"))
			continue;
		if (str_eq(action, "fell")) {
			*fell = *fell ? *fell : value_copy(r);
			continue;
		}
		*last = *last ? *last : value_copy(r);
		if (!str_eq(action, "failed"))
			return;
	}
}
