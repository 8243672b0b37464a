#include <stdio.h>
#include <time.h>

#include "cli/screen.h"
#include "cli/ctl.h"
#include "cli/event.h"
#include "lib/base.h"
#include "lib/text.h"

#define LABEL_MAX 30
#define CLOCK 10 /* columns of "00:00:00  " */

struct sight {
	char *id, *label; /* "m1", "m1 host3" */
	bool open;        /* its run goes on */
	char phase[16];
	int64_t since_ms, said_ms; /* phase began; last line of progress */
	int64_t bytes;             /* that the phase moved so far */
	int64_t bytes_ms;          /* when that was told */
	struct bar bar;
};

static struct sight *
find(const struct screen *s, const char *id)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (str_eq(s->at[i].id, id))
			return &s->at[i];
	return NULL;
}

bool
screen_knows(const struct screen *s, const char *id)
{
	return find(s, id) != NULL;
}

static struct sight *
meet(struct screen *s, const char *id)
{
	struct sight *m = find(s, id);

	if (m)
		return m;
	s->at = base_resize(s->at, s->len + 1, sizeof(*s->at));
	m = &s->at[s->len++];
	*m = (struct sight){ .id = base_strdup(id),
			     .label = base_strdup(id),
			     .bar = { .percent = -1 } };
	return m;
}

static void
name(struct screen *s, struct sight *m, const char *host)
{
	AUTO_CLEAR(buf) label = { 0 }, cut = { 0 };
	size_t columns;

	buf_str(&label, m->id);
	if (host && *host) {
		buf_char(&label, ' ');
		text_show(host, strlen(host), 1, &label);
	}
	term_cut(buf_text(&label), LABEL_MAX, &cut);
	free(m->label);
	m->label = buf_take(&cut);
	columns = term_columns(m->label);
	if (columns > s->label)
		s->label = columns;
}

static void
begin(struct sight *m, const char *phase, int64_t now_ms)
{
	AUTO_CLEAR(buf) shown = { 0 };

	text_show(phase, strlen(phase), 1, &shown);
	m->open = true;
	snprintf(m->phase, sizeof(m->phase), "%s", buf_text(&shown));
	m->since_ms = now_ms;
	m->bytes = m->bytes_ms = m->said_ms = 0;
	m->bar = (struct bar){ .percent = -1 };
}

static void
take_progress(struct sight *m, const struct value *v)
{
	m->bar = (struct bar){
		.percent = ctl_number(v, "percent", -1),
		.bytes_per_s = ctl_number(v, "bytes_per_s", 0),
		.left_s = ctl_number(v, "eta_s", -1),
	};
}

void
screen_machine(struct screen *s, const struct value *v, bool all)
{
	const char *id = value_get_str(v, "id");
	const char *condition = value_get_str(v, "condition");
	const char *phase = value_get_str(v, "phase");
	struct sight *m;

	if (!id)
		return;
	m = meet(s, id);
	name(s, m, value_get_str(v, "hostname"));
	if (!all || (!str_eq(condition, "assigned") &&
		     !str_eq(condition, "installing")))
		return;
	begin(m, phase ? phase : "assigned", value_get_int(v, "last_seen", 0));
	take_progress(m, v);
}

/* ---- lines that stay ---- */

static void
put_line(const struct screen *s, const struct sight *m, int64_t ms,
	 const char *word, const char *text, struct buf *out)
{
	time_t seconds = (time_t)(ms / 1000);
	AUTO_CLEAR(buf) painted = { 0 };
	struct tm tm;
	char clock[16];
	size_t indent, gap;

	localtime_r(&seconds, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	term_paint(&s->term, word, word, &painted);
	buf_printf(out, "%s  %s%*s  %s", clock, m->label,
		   (int)(s->label - term_columns(m->label)), "",
		   buf_text(&painted));
	if (text && *text) {
		gap = term_columns(word) < 10 ? 10 - term_columns(word) : 0;
		buf_printf(out, "%*s  ", (int)gap, "");
		indent = CLOCK + s->label + 2 + term_columns(word) + gap + 2;
		term_wrap(text, (size_t)s->term.columns, indent, out);
	}
	buf_char(out, '\n');
}

/* "312.5 MB in 0:04, 76.4 MB/s" of a phase that moved bytes and is over. */
static void
put_moved(const struct screen *s, const struct sight *m, struct buf *out)
{
	int64_t ms = m->bytes_ms - m->since_ms;
	AUTO_CLEAR(buf) text = { 0 };

	if (m->bytes <= 0)
		return;
	bar_bytes(m->bytes, &text);
	if (ms >= 1000) {
		buf_str(&text, " in ");
		bar_time((ms + 500) / 1000, &text);
		buf_str(&text, ", ");
		bar_rate((int64_t)((double)m->bytes * 1000 / (double)ms),
			 &text);
	}
	put_line(s, m, m->bytes_ms, m->phase, buf_text(&text), out);
}

static void
on_phase(struct screen *s, struct sight *m, const struct value *ev, int64_t ms,
	 struct buf *out)
{
	const char *phase = value_get_str(ev, "phase");

	put_moved(s, m, out);
	begin(m, phase ? phase : "-", ms);
	put_line(s, m, ms, m->phase, NULL, out);
}

static void
on_progress(struct screen *s, struct sight *m, const struct value *ev,
	    int64_t ms, struct buf *out)
{
	AUTO_CLEAR(buf) words = { 0 };

	m->open = true;
	take_progress(m, ev);
	m->bytes = ctl_number(ev, "bytes", 0);
	m->bytes_ms = ms;
	if (s->term.terminal || ms - m->said_ms < SCREEN_PROGRESS_MS)
		return;
	m->said_ms = ms;
	bar_words(&m->bar, &words);
	put_line(s, m, ms, m->phase, buf_text(&words), out);
}

static void
on_other(struct screen *s, struct sight *m, const struct value *ev, int64_t ms,
	 struct buf *out)
{
	const char *kind = value_get_str(ev, "kind");
	AUTO_CLEAR(buf) shown = { 0 }, word = { 0 };

	event_text(ev, &shown);
	text_show(kind, strlen(kind), 1, &word);
	if (str_eq(kind, "done") || str_eq(kind, "failed"))
		put_moved(s, m, out);
	if (str_eq(kind, "assigned"))
		begin(m, "assigned", ms);
	else if (str_eq(kind, "done") || str_eq(kind, "failed") ||
		 str_eq(kind, "released") || str_eq(kind, "waits"))
		m->open = false;
	put_line(s, m, ms, buf_text(&word), buf_text(&shown), out);
	event_tail(ev, CLOCK + s->label + 2, out);
}

void
screen_event(struct screen *s, const struct value *ev, struct buf *out)
{
	const char *id = value_get_str(ev, "machine");
	const char *kind = value_get_str(ev, "kind");
	int64_t ms = value_get_int(ev, "time", 0);
	struct sight *m;

	if (!id || !kind)
		return;
	m = meet(s, id);
	if (term_columns(m->label) > s->label)
		s->label = term_columns(m->label);
	if (str_eq(kind, "phase"))
		on_phase(s, m, ev, ms, out);
	else if (str_eq(kind, "progress"))
		on_progress(s, m, ev, ms, out);
	else
		on_other(s, m, ev, ms, out);
}

/* ---- lines that move ---- */

void
screen_lift(struct screen *s, struct buf *out)
{
	if (s->moving > 0)
		buf_printf(out, "\r\033[%zuA\033[J", s->moving);
	s->moving = 0;
}

size_t
screen_open(const struct screen *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->len; i++)
		n += s->at[i].open;
	return n;
}

static void
draw_machine(const struct screen *s, const struct sight *m, int64_t now_ms,
	     struct buf *out)
{
	AUTO_CLEAR(buf) line = { 0 };
	size_t before, width = (size_t)s->term.columns - 1;

	buf_printf(&line, "  %s%*s  %-8s  ", m->label,
		   (int)(s->label - term_columns(m->label)), "", m->phase);
	before = term_columns(buf_text(&line));
	if (before >= width) {
		/* no room for anything else */
	} else if (m->bar.percent >= 0) {
		bar_line(&m->bar, width - before, &line);
	} else if (now_ms >= m->since_ms) {
		bar_time((now_ms - m->since_ms) / 1000, &line);
	}
	term_cut(buf_text(&line), width, out);
	buf_char(out, '\n');
}

void
screen_draw(struct screen *s, int64_t now_ms, struct buf *out)
{
	size_t open = screen_open(s), i, room;

	screen_lift(s, out);
	if (!s->term.terminal)
		return;
	/* a line for the cursor, one for "more", the rest for events */
	room = s->term.rows > 8 ? (size_t)s->term.rows - 4 : 4;
	for (i = 0; i < s->len && s->moving < room; i++)
		if (s->at[i].open) {
			draw_machine(s, &s->at[i], now_ms, out);
			s->moving++;
		}
	if (open > s->moving) {
		buf_printf(out, "  and %zu more\n", open - s->moving);
		s->moving++;
	}
}

void
screen_clear(struct screen *s)
{
	size_t i;

	for (i = 0; i < s->len; i++) {
		free(s->at[i].id);
		free(s->at[i].label);
	}
	free(s->at);
	*s = (struct screen){ 0 };
}
