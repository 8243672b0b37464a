#include <stdio.h>
#include <string.h>

#include "cli/trees.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/num.h"

#define DRAW_MS 100
#define LINE_MS 5000 /* not on a terminal */

/* ---- options ---- */

static int
bad_usage(const char *command, const char *word, const char *what)
{
	fprintf(stderr,
		"edeployctl %s: %s%s%s; edeployctl help %s tells more\n",
		command, word ? word : "", word ? " " : "", what, command);
	return -1;
}

static int
take_number(const char *command, char **argv, int64_t min, int64_t max,
	    int64_t *out)
{
	struct err e = { 0 };

	if (num_i64(argv[1], min, max, out, argv[0], &e) < 0)
		return bad_usage(command, NULL, e.text);
	return 2;
}

static int
take_on(struct trees *t, const char *command, const char *role)
{
	size_t i;

	for (i = 0; t->on[i]; i++)
		;
	if (i == TREES_ON_MAX)
		return bad_usage(command, "--on", "is said too often");
	t->on[i] = role;
	return 2;
}

static int
take_value(struct trees *t, const char *command, char **argv)
{
	if (!argv[1])
		return bad_usage(command, argv[0], "wants a value");
	if (str_eq(argv[0], "--on"))
		return take_on(t, command, argv[1]);
	if (str_eq(argv[0], "--deltas"))
		return take_number(command, argv, 0, 32, &t->deltas);
	if (str_eq(argv[0], "--level"))
		return take_number(command, argv, 1, 22, &t->level);
	if (str_eq(argv[0], "--keep"))
		return take_number(command, argv, 1, 1000000, &t->keep);
	if (str_eq(argv[0], "--key"))
		t->key = argv[1];
	else
		t->top = argv[1];
	return 2;
}

/* Words that the option is; 0: it is none. */
static int
take_option(struct trees *t, const char *command, char **argv,
	    const char *takes)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "--json", &t->json },       { "--new-ids", &t->new_ids },
		{ "--repack", &t->repack },   { "-n", &t->dry_run },
		{ "--dry-run", &t->dry_run }, { "--now", &t->now },
		{ "--unsigned", &t->no_key }
	};
	AUTO_FREE char *word = base_printf(" %s ", argv[0]);
	size_t i;

	if (argv[0][0] != '-' || !argv[0][1])
		return 0;
	if (!strstr(takes, word))
		return bad_usage(command, argv[0], "is not an option of it");
	for (i = 0; i < ARRAY_LEN(flags); i++)
		if (str_eq(argv[0], flags[i].name)) {
			*flags[i].flag = true;
			return 1;
		}
	return take_value(t, command, argv);
}

int
trees_options(struct trees *t, int argc, char **argv, int least, int most,
	      const char *takes)
{
	int i, took;

	*t = (struct trees){ .top = TREES_TOP,
			     .deltas = -1,
			     .words = argv + 1 };
	for (i = 1; i < argc; i += took ? took : 1) {
		took = take_option(t, argv[0], argv + i, takes);
		if (took < 0)
			return -1;
		if (took > 0)
			continue;
		if (t->len == most)
			return bad_usage(argv[0], argv[i],
					 "is one word too many");
		t->words[t->len++] = argv[i];
	}
	t->words[t->len] = NULL;
	return t->len < least ? bad_usage(argv[0], NULL, "a word is missing")
			      : 0;
}

int
trees_key(const struct trees *t, struct sign_key *out, struct err *e)
{
	if (t->no_key || (!t->key && !file_exists(TREES_KEY)))
		return 0;
	return sign_key_read(out, t->key ? t->key : TREES_KEY, e) < 0 ? -1 : 1;
}

char *
trees_size(uint64_t bytes)
{
	AUTO_CLEAR(buf) b = { 0 };

	bar_bytes((int64_t)bytes, &b);
	return buf_take(&b);
}

/* ---- what moves ---- */

void
trees_bar_begin(struct trees_bar *b)
{
	*b = (struct trees_bar){ 0 };
	term_look(&b->term, STDERR_FILENO);
}

static void
words_of(const struct trees_bar *b, uint64_t done, uint64_t all, int64_t now_ms,
	 struct bar *out)
{
	int64_t ms = now_ms - b->began_ms;
	double rate = ms > 500 ? (double)done * 1000 / (double)ms : 0;

	*out = (struct bar){ .percent = -1,
			     .left_s = -1,
			     .bytes_per_s = (int64_t)rate };
	if (all == 0)
		return;
	out->percent = (int64_t)((double)done * 100 / (double)all);
	if (rate > 0 && done <= all)
		out->left_s = (int64_t)((double)(all - done) / rate);
}

static void
put_line(const struct trees_bar *b, uint64_t done, uint64_t all, int64_t now_ms,
	 struct buf *out)
{
	size_t columns = b->term.columns > 8 ? (size_t)b->term.columns - 8 : 60;
	struct bar bar;

	buf_printf(out, "%-6s  ", b->stage);
	words_of(b, done, all, now_ms, &bar);
	if (all == 0 && done > 0) {
		bar_bytes((int64_t)done, out);
		buf_str(out, "  ");
	}
	if (b->term.terminal)
		bar_line(&bar, columns - (all == 0 ? 12 : 0), out);
	else
		bar_words(&bar, out);
}

void
trees_bar_draw(struct trees_bar *b, const char *stage, uint64_t done,
	       uint64_t all)
{
	int64_t now_ms = clock_boot_ms();
	bool fresh = !str_eq(b->stage, stage);
	AUTO_CLEAR(buf) line = { 0 };

	if (!fresh &&
	    now_ms - b->drawn_ms < (b->term.terminal ? DRAW_MS : LINE_MS))
		return;
	if (fresh) {
		snprintf(b->stage, sizeof(b->stage), "%s", stage);
		b->began_ms = now_ms;
	}
	b->drawn_ms = now_ms;
	put_line(b, done, all, now_ms, &line);
	while (line.len > 0 && line.at[line.len - 1] == ' ')
		line.at[--line.len] = '\0';
	fprintf(stderr, b->term.terminal ? "\r%s\033[K" : "%s\n",
		buf_text(&line));
	b->drawn = b->term.terminal;
}

static void
lift(struct trees_bar *b)
{
	if (b->drawn)
		fputs("\r\033[K", stderr);
	b->drawn = false;
}

void
trees_bar_say(struct trees_bar *b, const char *line)
{
	lift(b);
	fprintf(stderr, "%s\n", line);
	b->drawn_ms = 0;
}

void
trees_bar_end(struct trees_bar *b)
{
	lift(b);
}
