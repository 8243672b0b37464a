#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"

#define DRAW_MS 100
#define LINE_MS 5000 /* not on a terminal */

int
trees_options(struct trees *t, int argc, char **argv, int least, int most,
	      const char *takes)
{
	struct option rows[] = {
		{ "--top", .value = &t->top },
		{ "--key", .value = &t->key },
		{ "--on", .list = t->on, .most = TREES_ON_MAX },
		{ "--deltas", .number = &t->deltas, .min = 0, .max = 32 },
		{ "--level", .number = &t->level, .min = 1, .max = 22 },
		{ "--keep", .number = &t->keep, .min = 1, .max = 1000000 },
		{ "--json", .flag = &t->json },
		{ "--new-ids", .flag = &t->new_ids },
		{ "--repack", .flag = &t->repack },
		{ "-n", .flag = &t->dry_run },
		{ "--dry-run", .flag = &t->dry_run },
		{ "--now", .flag = &t->now },
		{ "--unsigned", .flag = &t->no_key },
	};
	size_t i;

	*t = (struct trees){ .top = TREES_TOP,
			     .deltas = -1,
			     .words = argv + 1 };
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *word = base_printf(" %s ", rows[i].name);

		rows[i].absent = !strstr(takes, word);
	}
	t->len = options_take(rows, ARRAY_LEN(rows), argc, argv, least, most);
	return t->len < 0 ? -1 : 0;
}

int
trees_key(const struct trees *t, struct sign_key *out, struct err *e)
{
	if (t->no_key || (!t->key && !file_exists(TREES_KEY)))
		return 0;
	return sign_key_read(out, t->key ? t->key : TREES_KEY, e) < 0 ? -1 : 1;
}

const char *
trees_pub(const char *said)
{
	if (said)
		return said;
	if (file_exists(TREES_PUB))
		return TREES_PUB;
	return file_exists(TREES_KEY ".pub") ? TREES_KEY ".pub" : NULL;
}

int
trees_there(const struct trees *t, struct err *e)
{
	AUTO_FREE char *trees = base_printf("%s/trees", t->top);

	if (file_exists(trees))
		return 0;
	return err_set(e, ERR_INPUT,
		       "%s is not there: nothing was published below %s "
		       "(--top DIR names another folder)",
		       trees, t->top);
}

char *
trees_count(uint64_t n, const char *one)
{
	return base_printf("%llu %s%s", (unsigned long long)n, one,
			   n == 1 ? "" : "s");
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
	b->drawn = b->term.terminal;
	if (b->term.terminal) {
		fprintf(stderr, "\r%s\033[K", buf_text(&line));
	} else if (!str_eq(b->last, buf_text(&line))) {
		/* a log need not hear ten times that nothing moves */
		fprintf(stderr, "%s\n", buf_text(&line));
		snprintf(b->last, sizeof(b->last), "%s", buf_text(&line));
	}
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
