/* watch: what happens, as it happens. The server tells its events in order; a
 * request waits there until one comes. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/screen.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/cmd.h"
#include "lib/text.h"

#define WAIT_S 20           /* when nothing moves */
#define GONE_MS (60 * 1000) /* how long a server may take to restart */

struct watch {
	struct ctl c;
	struct screen screen;
	char *only;    /* the id of the one machine asked for, or NULL */
	int64_t after; /* the last event that was seen */
	int ended;     /* with --until-done: -1 goes on, else the exit code */
};

static void
put(struct buf *text)
{
	fwrite(buf_text(text), 1, text->len, stdout);
	fflush(stdout);
	buf_reset(text);
}

/* ---- the start: where the feed stands, and what goes on already ---- */

static void
say_start(const char *id, const char *host, const char *condition)
{
	AUTO_CLEAR(buf) shown = { 0 };

	if (host)
		text_show(host, strlen(host), 1, &shown);
	printf("%s%s%s is %s\n", id, host ? " " : "", buf_text(&shown),
	       condition);
}

static int
take_one(struct watch *w, struct err *e)
{
	AUTO_FREE char *path = ctl_machine_path(w->c.words[0], NULL);
	AUTO(value) m = NULL;
	const char *condition;
	const struct value *again;

	if (ctl_ask(&w->c, "GET", path, 0, &m, e) < 0)
		return -1;
	condition = value_get_str(m, "condition");
	again = value_get(m, "reinstall");
	w->only = base_strdup(value_get_str(m, "id"));
	screen_machine(&w->screen, m, true);
	if (!w->c.json)
		say_start(w->only, value_get_str(m, "hostname"), condition);
	if (!w->c.until_done ||
	    (again && again->kind == VALUE_BOOL && again->boolean))
		return 0;
	if (str_eq(condition, "installed"))
		w->ended = CMD_DONE;
	else if (str_eq(condition, "failed"))
		w->ended = CMD_FAILED;
	return 0;
}

static int
take_all(struct watch *w, struct err *e)
{
	AUTO(value) doc = NULL;
	const struct value *list;
	size_t i, n;

	if (ctl_ask(&w->c, "GET", "/v1/machines", 0, &doc, e) < 0)
		return -1;
	list = value_get(doc, "machines");
	n = list && list->kind == VALUE_LIST ? list->list.len : 0;
	for (i = 0; i < n; i++)
		screen_machine(&w->screen, list->list.at[i], true);
	if (!w->c.json)
		printf("%zu machine%s, %zu installing\n", n, n == 1 ? "" : "s",
		       screen_open(&w->screen));
	return 0;
}

static int
take_start(struct watch *w, struct err *e)
{
	AUTO(value) feed = NULL;

	/* the feed's place first: what happens meanwhile is seen twice, not
	 * never */
	if (ctl_ask(&w->c, "GET", "/v1/events", 0, &feed, e) < 0)
		return -1;
	w->after = value_get_int(feed, "next", 0);
	return w->c.len > 0 ? take_one(w, e) : take_all(w, e);
}

/* ---- events ---- */

/* A machine gets its names with its assignment. */
static void
learn_names(struct watch *w, const struct value *ev)
{
	const char *id = value_get_str(ev, "machine");
	AUTO_FREE char *path = NULL;
	AUTO(value) m = NULL;
	struct err e = { 0 };

	if (!id || (screen_knows(&w->screen, id) &&
		    !str_eq(value_get_str(ev, "kind"), "assigned")))
		return;
	path = ctl_machine_path(id, NULL);
	if (ctl_ask(&w->c, "GET", path, 0, &m, &e) == 0)
		screen_machine(&w->screen, m, false);
}

static void
take_event(struct watch *w, const struct value *ev, struct buf *out)
{
	const char *kind = value_get_str(ev, "kind");

	if (w->only && !str_eq(w->only, value_get_str(ev, "machine")))
		return;
	if (w->c.json) {
		value_json(ev, 0, out);
		buf_char(out, '\n');
	} else {
		learn_names(w, ev);
		screen_event(&w->screen, ev, out);
	}
	if (!w->c.until_done)
		return;
	if (str_eq(kind, "done"))
		w->ended = CMD_DONE;
	else if (str_eq(kind, "failed"))
		w->ended = CMD_FAILED;
}

static void
take_feed(struct watch *w, const struct value *doc)
{
	const struct value *events = value_get(doc, "events");
	AUTO_CLEAR(buf) out = { 0 };
	size_t i;

	term_look(&w->screen.term, STDOUT_FILENO);
	screen_lift(&w->screen, &out);
	if (events && events->kind == VALUE_LIST)
		for (i = 0; i < events->list.len && w->ended < 0; i++)
			take_event(w, events->list.at[i], &out);
	if (!w->c.json && w->ended < 0)
		screen_draw(&w->screen, clock_wall_ms(), &out);
	put(&out);
	w->after = value_get_int(doc, "next", w->after);
}

/* A server that is restarted is waited for: its events have kept their
 * numbers. */
static int
ask_feed(struct watch *w, struct value **doc, struct err *e)
{
	bool moves = w->screen.term.terminal && screen_open(&w->screen) > 0;
	int wait_s = moves && !w->c.json ? 1 : WAIT_S;
	int64_t until = clock_boot_ms() + GONE_MS;
	bool said = false;

	for (;;) {
		AUTO_FREE char *path =
			base_printf("/v1/events?after=%lld&wait=%d",
				    (long long)w->after, wait_s);

		*e = (struct err){ 0 };
		if (ctl_ask(&w->c, "GET", path, (wait_s + 10) * 1000, doc, e) ==
		    0)
			return 0;
		if (e->kind != ERR_PEER || clock_boot_ms() > until)
			return -1;
		if (!said)
			fprintf(stderr,
				"edeployctl: %s; trying for a "
				"minute\n",
				e->text);
		said = true;
		poll(NULL, 0, 1000);
	}
}

static int
follow(struct watch *w, struct err *e)
{
	if (take_start(w, e) < 0)
		return -1;
	fflush(stdout);
	while (w->ended < 0) {
		AUTO(value) doc = NULL;

		if (ask_feed(w, &doc, e) < 0)
			return -1;
		take_feed(w, doc);
	}
	return 0;
}

int
cmd_watch(int argc, char **argv)
{
	struct watch w = { .ended = -1 };
	struct err e = { 0 };

	if (ctl_options(&w.c, argc, argv, 0, 1) < 0)
		return CMD_USAGE;
	term_look(&w.screen.term, STDOUT_FILENO);
	if (follow(&w, &e) < 0)
		w.ended = ctl_fail(&e);
	screen_clear(&w.screen);
	free(w.only);
	ctl_clear(&w.c);
	return w.ended;
}
