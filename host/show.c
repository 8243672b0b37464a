#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/text.h"

#include "host/show.h"

#define DRAW_MS 200
#define LINE_MS 10000
#define BAR 24
#define COLUMNS 80

static volatile sig_atomic_t asked_to_stop;
static struct sigaction before[2];

static void
stop(int signal_number)
{
	asked_to_stop = signal_number;
}

bool
show_stopped(void)
{
	return asked_to_stop != 0;
}

void
show_begin(struct show *s, bool json)
{
	const struct sigaction mine = { .sa_handler = stop };

	(void)json;
	*s = (struct show){ .terminal = isatty(STDERR_FILENO) };
	asked_to_stop = 0;
	sigaction(SIGINT, &mine, &before[0]);
	sigaction(SIGTERM, &mine, &before[1]);
}

static void
lift(struct show *s)
{
	if (s->drawn)
		fputs("\r\033[K", stderr);
	s->drawn = false;
}

void
show_end(struct show *s)
{
	lift(s);
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGTERM, &before[1], NULL);
}

void
show_line(struct show *s, const char *line)
{
	lift(s);
	fprintf(stderr, "%s\n", line);
	s->drawn_ms = 0;
}

/* ---- words ---- */

char *
show_size(uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double size = (double)bytes / 1000;
	size_t i;

	if (bytes < 1000)
		return base_printf("%d B", (int)bytes);
	/* 999.95 would be printed as 1000.0 */
	for (i = 0; size >= 999.95 && i + 1 < ARRAY_LEN(units); i++)
		size /= 1000;
	return base_printf("%.1f %s", size, units[i]);
}

void
show_path(const char *path, struct buf *out)
{
	text_show(path, strlen(path), 1, out);
}

void
show_words(FILE *to, const char *text, int indent)
{
	int column = 0;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column == 0 || column + 1 + len > COLUMNS) {
			fprintf(to, "%s%*s%.*s", column ? "\n" : "", indent, "",
				len, text);
			column = indent + len;
		} else {
			fprintf(to, " %.*s", len, text);
			column += 1 + len;
		}
		text += len + (text[len] == ' ');
	}
	fputc('\n', to);
}

void
show_say(const char *kind, const char *words)
{
	AUTO_FREE char *text = base_printf("edeploy: %s%s", kind, words);

	if (isatty(STDERR_FILENO))
		show_words(stderr, text, 0);
	else
		fprintf(stderr, "%s\n", text);
}

static void
put_bar(double percent, struct buf *out)
{
	int i, full = (int)(percent * BAR / 100);

	buf_char(out, '[');
	for (i = 0; i < BAR; i++)
		buf_char(out, i < full ? '#' : '.');
	buf_str(out, "] ");
}

static void
put_left(int64_t s, struct buf *out)
{
	if (s >= 3600)
		buf_printf(out, "  %d:%02d:%02d left", (int)(s / 3600),
			   (int)(s / 60 % 60), (int)(s % 60));
	else if (s >= 0)
		buf_printf(out, "  %d:%02d left", (int)(s / 60), (int)(s % 60));
}

static void
draw(struct show *s, const struct pull_progress *p)
{
	AUTO_CLEAR(buf) line = { 0 };

	buf_printf(&line, "%-6s  ", p->stage);
	if (p->bytes_all > 0) {
		AUTO_FREE char *all = show_size(p->bytes_all);

		if (s->terminal)
			put_bar(p->percent, &line);
		buf_printf(&line, "%3.0f %% of %s", p->percent, all);
	}
	if (p->bytes_per_s > 0) {
		AUTO_FREE char *rate = show_size((uint64_t)p->bytes_per_s);

		buf_printf(&line, "  %s/s", rate);
		if (p->percent < 100)
			put_left(p->eta_s, &line);
	}
	while (line.len > 0 && line.at[line.len - 1] == ' ')
		line.at[--line.len] = '\0';
	fprintf(stderr, s->terminal ? "\r%s\033[K" : "%s\n", buf_text(&line));
	s->drawn = s->terminal;
}

/* A pull goes to and fro between parts that run at the same time. */
static bool
was_told(struct show *s, const char *stage)
{
	AUTO_FREE char *word = base_printf("%s ", stage);
	size_t len = strlen(s->told);

	if (strstr(s->told, word))
		return true;
	snprintf(s->told + len, sizeof(s->told) - len, "%s", word);
	return false;
}

void
show_progress(struct show *s, const struct pull_progress *p)
{
	int64_t now_ms = clock_boot_ms();
	bool fresh = strcmp(s->stage, p->stage) != 0;

	if (!fresh && now_ms - s->drawn_ms < (s->terminal ? DRAW_MS : LINE_MS))
		return;
	snprintf(s->stage, sizeof(s->stage), "%s", p->stage);
	s->drawn_ms = now_ms;
	/* the last line in a log would else be "0 %" for most of them */
	if (!fresh || s->terminal)
		draw(s, p);
	else if (!was_told(s, p->stage))
		fprintf(stderr, "%s\n", p->stage);
}

void
show_bytes(struct show *s, const char *stage, uint64_t done, uint64_t all)
{
	const struct pull_progress p = {
		.stage = stage,
		.percent = all ? (double)done * 100 / (double)all : 0,
		.bytes = done,
		.bytes_all = all,
		.eta_s = -1,
	};

	show_progress(s, &p);
}

void
show_row(struct value *rows, const char *path, const char *what)
{
	struct value *row = value_dict();
	AUTO_CLEAR(buf) shown = { 0 };

	show_path(path, &shown);
	value_set_str(row, "path", buf_text(&shown));
	value_set_str(row, "what", what);
	value_push(rows, row);
}
