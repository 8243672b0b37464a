/* show: all about one machine, on one page. */
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/event.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/text.h"

#define KIND 8 /* columns of "progress" */
#define INDENT (sizeof("  12345.6 s  ") - 1 + KIND + 2)

struct page {
	struct term term;
	struct buf out;
};

static void
put_row(struct table *t, const char *key, const char *text)
{
	AUTO_FREE char *shifted = base_printf("  %s", key);

	table_add(t, shifted);
	table_add(t, text);
}

static void
end_table(struct page *p, struct table *t)
{
	table_text(t, &p->term, &p->out);
	table_clear(t);
}

static void
put_state(struct page *p, const struct value *m)
{
	static const char *const keys[] = { "condition", "reason",  "profile",
					    "hostname",  "product", "mac",
					    "address" };
	const struct value *again = value_get(m, "reinstall");
	AUTO_FREE char *hint = base_printf("edeployctl explain %s tells more",
					   value_get_str(m, "id"));
	struct table t = { .columns = 2, .wraps = true, .paints = true };
	char seen[24], ago[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		if (value_get_str(m, keys[i]))
			put_row(&t, keys[i], value_get_str(m, keys[i]));
	if (str_eq(value_get_str(m, "condition"), "waiting"))
		put_row(&t, "why", hint);
	if (again && again->kind == VALUE_BOOL && again->boolean)
		put_row(&t, "reinstall", "at its next network boot");
	ago_text(value_get_int(m, "last_seen", 0), seen);
	snprintf(ago, sizeof(ago), "%s ago", seen);
	put_row(&t, "last seen", ago);
	end_table(p, &t);
}

static void
put_vars(struct page *p, const struct value *vars)
{
	struct table t = { .columns = 2, .wraps = true };
	size_t i;

	if (!vars || vars->kind != VALUE_DICT || vars->dict.len == 0)
		return;
	buf_str(&p->out, "\nvariables\n");
	for (i = 0; i < vars->dict.len; i++) {
		AUTO_CLEAR(buf) text = { 0 };

		value_plain(vars->dict.at[i].value, &text);
		put_row(&t, vars->dict.at[i].key, buf_text(&text));
	}
	end_table(p, &t);
}

static void
put_runs(struct page *p, const struct value *runs)
{
	struct table t = { .columns = 4, .paints = true };
	size_t i;

	if (!runs || runs->kind != VALUE_LIST || !runs->list.len)
		return;
	buf_str(&p->out, "\nruns, newest first\n");
	for (i = 0; i < runs->list.len; i++) {
		const struct value *r = runs->list.at[i];
		const char *id = value_get_str(r, "id");
		AUTO_FREE char *head = base_printf("%.8s", id ? id : "");
		char when[24], ago[32];

		ago_text(value_get_int(r, "started", 0), when);
		snprintf(ago, sizeof(ago), "%s ago", when);
		put_row(&t, head, value_get_str(r, "outcome"));
		table_add(&t, ago);
		table_add(&t, value_get_str(r, "reason"));
	}
	end_table(p, &t);
}

static void
put_event(struct page *p, const struct value *ev)
{
	const char *kind = value_get_str(ev, "kind");
	AUTO_CLEAR(buf) text = { 0 }, word = { 0 };
	size_t columns;

	kind = kind ? kind : "-";
	text_show(kind, strlen(kind), 1, &word);
	columns = term_columns(buf_text(&word));
	event_text(ev, &text);
	buf_printf(&p->out, "  %7.1f s  ",
		   (double)value_get_int(ev, "at", 0) / 1000.0);
	term_paint(&p->term, kind, buf_text(&word), &p->out);
	if (text.len > 0) {
		buf_printf(&p->out, "%*s  ",
			   (int)(columns < KIND ? KIND - columns : 0), "");
		term_wrap(buf_text(&text), (size_t)p->term.columns, INDENT,
			  &p->out);
	}
	buf_char(&p->out, '\n');
	event_tail(ev, INDENT, &p->out);
}

static void
put_events(struct page *p, const struct value *events)
{
	size_t i, n;

	if (!events || events->kind != VALUE_LIST || !events->list.len)
		return;
	buf_str(&p->out, "\nevents of the newest run\n");
	n = events->list.len;
	for (i = 0; i < n; i++) {
		const struct value *ev = events->list.at[i];
		const struct value *next =
			i + 1 < n ? events->list.at[i + 1] : NULL;

		/* of a row of progress, only the last tells anything */
		if (!str_eq(value_get_str(ev, "kind"), "progress") ||
		    !str_eq(value_get_str(next, "kind"), "progress"))
			put_event(p, ev);
	}
}

static void
print_machine(const struct value *m)
{
	struct page p = { 0 };

	term_look(&p.term, STDOUT_FILENO);
	buf_printf(&p.out, "%s\n", value_get_str(m, "id"));
	put_state(&p, m);
	put_vars(&p, value_get(m, "vars"));
	put_runs(&p, value_get(m, "runs"));
	put_events(&p, value_get(m, "events"));
	fputs(buf_text(&p.out), stdout);
	buf_clear(&p.out);
}

int
cmd_show(int argc, char **argv)
{
	AUTO_FREE char *path = NULL;
	AUTO(value) m = NULL;
	struct err e = { 0 };
	struct ctl c;
	int code = CMD_DONE;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	path = ctl_machine_path(c.words[0], NULL);
	if (ctl_ask(&c, "GET", path, 0, &m, &e) < 0)
		code = ctl_fail(&e);
	else if (c.json)
		ctl_print_json(m);
	else
		print_machine(m);
	ctl_clear(&c);
	return code;
}
