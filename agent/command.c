/* Commands of scripts and of the disk words: "+ command" in the log, output as
 * it comes, and enough of its end kept to say why it failed. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/proc.h"
#include "lib/text.h"

#include "agent/command.h"

#define TAIL_BYTES 2048
#define TAIL_LINES 12

struct watch {
	const struct command *c;
	struct buf tail;
};

/* Keep the end of `b`, cut at a line when there is one. */
static void
keep_end(struct buf *b, size_t keep)
{
	const char *from = b->at + b->len - keep;
	const char *line = memchr(from, '\n', keep);

	if (line && line[1])
		from = line + 1;
	b->len = (size_t)(b->at + b->len - from);
	memmove(b->at, from, b->len + 1);
}

static void
take_output(void *ctx, const char *bytes, size_t len)
{
	struct watch *w = ctx;

	buf_add(&w->tail, bytes, len);
	if (w->tail.len > (size_t)8 * TAIL_BYTES)
		keep_end(&w->tail, TAIL_BYTES);
	if (w->c->output)
		w->c->output(w->c->ctx, bytes, len);
}

static int
tick(void *ctx)
{
	struct watch *w = ctx;

	return w->c->tick ? w->c->tick(w->c->ctx) : 0;
}

static void
take_last_lines(const struct buf *from, struct buf *tail)
{
	const char *text = buf_text(from), *at = text + from->len;
	int lines = 0;

	while (at > text && (at[-1] == '\n' || at[-1] == '\r'))
		at--;
	tail->len = 0;
	for (; at > text; at--)
		if (at[-1] == '\n' && ++lines == TAIL_LINES)
			break;
	buf_str(tail, at);
	if (tail->len > TAIL_BYTES)
		keep_end(tail, TAIL_BYTES);
	while (tail->len > 0 && strchr("\r\n", tail->at[tail->len - 1]))
		tail->at[--tail->len] = '\0';
}

static int
is_fine(const struct command *c, int status)
{
	size_t i;

	if (!c->ok)
		return status == 0;
	for (i = 0; i < c->ok_len; i++)
		if (c->ok[i] == status)
			return 1;
	return 0;
}

static int
say_end(const struct command *c, const struct command_end *end,
	const struct proc *p, struct err *e)
{
	const char *last = strrchr(buf_text(&end->tail), '\n');
	AUTO_CLEAR(buf) shown = { 0 };

	last = last ? last + 1 : buf_text(&end->tail);
	text_show(last, strlen(last), 1, &shown);
	if (p->timed_out)
		return err_set(e, ERR_SYS, "%.100s: stopped after %d s",
			       c->shown, c->deadline_ms / 1000);
	if (end->status > 128)
		return err_set(e, ERR_SYS, "%.100s: ended by signal %d%s%.90s",
			       c->shown, end->status - 128,
			       shown.len ? ": " : "", buf_text(&shown));
	return err_set(e, ERR_SYS, "%.100s: exit status %d%s%.90s", c->shown,
		       end->status, shown.len ? ": " : "", buf_text(&shown));
}

int
command_run(const struct command *c, struct command_end *end, struct err *e)
{
	struct watch w = { c, { 0 } };
	const struct proc_opts o = { .input = c->input,
				     .deadline_ms = c->deadline_ms,
				     .keep = COMMAND_TEXT_MAX,
				     .output = take_output,
				     .tick = tick,
				     .ctx = &w,
				     .split_stderr = true };
	struct proc p;
	int bad;

	*end = (struct command_end){ 0 };
	if (c->say) {
		AUTO_FREE char *line = base_printf("+ %s", c->shown);

		c->say(c->ctx, line);
	}
	bad = proc_run(c->argv, &o, &p, e);
	end->status = bad ? 127 : p.status;
	take_last_lines(&w.tail, &end->tail);
	end->text = p.out;
	p.out = (struct buf){ 0 };
	if (!bad && (p.timed_out || !is_fine(c, p.status)))
		bad = say_end(c, end, &p, e);
	buf_clear(&w.tail);
	proc_clear(&p);
	return bad;
}

void
command_end_clear(struct command_end *end)
{
	buf_clear(&end->text);
	buf_clear(&end->tail);
}
