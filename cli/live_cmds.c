/* Machines, as edeployd has them. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/ctl.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/text.h"

/* "tree 43 %" while it installs; where it failed; nothing of one that is
 * installed. */
static void
phase_text(const struct value *m, char *out, size_t size)
{
	const char *phase = value_get_str(m, "phase");
	int64_t percent = ctl_number(m, "percent", -1);

	if (!phase || str_eq(value_get_str(m, "condition"), "installed"))
		*out = '\0';
	else if (percent >= 0)
		snprintf(out, size, "%s %lld %%", phase, (long long)percent);
	else
		snprintf(out, size, "%s", phase);
}

static void
print_machines(const struct value *list)
{
	static const char *const heads[] = { "MACHINE",  "CONDITION", "PROFILE",
					     "HOSTNAME", "MAC",       "PHASE",
					     "SEEN",     "REASON" };
	/* too narrow: without MAC, SEEN, PROFILE, PHASE, in this order */
	struct table t = { .columns = ARRAY_LEN(heads),
			   .heads = true,
			   .leaves = "4625",
			   .paints = true };
	char phase[64], seen[24];
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		table_add(&t, heads[i]);
	for (i = 0; i < list->list.len; i++) {
		const struct value *m = list->list.at[i];

		phase_text(m, phase, sizeof(phase));
		ago_text(value_get_int(m, "last_seen", 0), seen);
		table_add(&t, value_get_str(m, "id"));
		table_add(&t, value_get_str(m, "condition"));
		table_add(&t, value_get_str(m, "profile"));
		table_add(&t, value_get_str(m, "hostname"));
		table_add(&t, value_get_str(m, "mac"));
		table_add(&t, phase);
		table_add(&t, seen);
		table_add(&t, value_get_str(m, "reason"));
	}
	table_print(&t);
	table_clear(&t);
}

int
cmd_machines(int argc, char **argv)
{
	struct value *v = NULL;
	const struct value *list;
	struct err e = { 0 };
	struct ctl c;
	int code = CMD_DONE;

	if (ctl_options(&c, argc, argv, 0, 0) < 0)
		return CMD_USAGE;
	if (ctl_ask(&c, "GET", "/v1/machines", 0, &v, &e) < 0) {
		code = ctl_fail(&e);
	} else if (c.json) {
		ctl_print_json(v);
	} else {
		list = value_get(v, "machines");
		if (list && list->kind == VALUE_LIST && list->list.len > 0)
			print_machines(list);
		else
			printf("no machine has asked yet\n");
	}
	value_free(v);
	ctl_clear(&c);
	return code;
}

/* ---- show ---- */

static void
print_dict(const char *title, const struct value *v)
{
	struct table t = { .columns = 2 };
	size_t i;

	if (!v || v->kind != VALUE_DICT || v->dict.len == 0)
		return;
	printf("\n%s\n", title);
	for (i = 0; i < v->dict.len; i++) {
		AUTO_CLEAR(buf) text = { 0 };
		AUTO_FREE char *key = base_printf("  %s", v->dict.at[i].key);

		value_plain(v->dict.at[i].value, &text);
		table_add(&t, key);
		table_add(&t, buf_text(&text));
	}
	table_print(&t);
	table_clear(&t);
}

/* What an event tells besides its kind, on one line. */
static void
event_text(const struct value *ev, struct buf *out)
{
	static const char *const keys[] = { "phase", "text", "reason", "action",
					    "what" };
	int64_t percent = ctl_number(ev, "percent", -1);
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		const char *text = value_get_str(ev, keys[i]);

		if (text) {
			buf_str(out, out->len ? ", " : "");
			text_show(text, strlen(text), 1, out);
		}
	}
	if (percent >= 0)
		buf_printf(out, "%s%lld %%, %.1f MB/s", out->len ? ", " : "",
			   (long long)percent,
			   (double)value_get_int(ev, "bytes_per_s", 0) / 1e6);
}

static void
print_events(const struct value *events)
{
	size_t i;

	if (!events || events->kind != VALUE_LIST || !events->list.len)
		return;
	printf("\nevents of the newest run\n");
	for (i = 0; i < events->list.len; i++) {
		const struct value *ev = events->list.at[i];
		const char *kind = value_get_str(ev, "kind");
		AUTO_CLEAR(buf) text = { 0 };
		const struct value *next = i + 1 < events->list.len
						   ? events->list.at[i + 1]
						   : NULL;

		/* of a row of progress, only the last tells anything */
		if (str_eq(kind, "progress") && next &&
		    str_eq(value_get_str(next, "kind"), "progress"))
			continue;
		event_text(ev, &text);
		printf("  %7.1f s  %-8s  %s\n",
		       (double)value_get_int(ev, "at", 0) / 1000.0, kind,
		       buf_text(&text));
	}
}

static void
print_runs(const struct value *runs)
{
	struct table t = { .columns = 4 };
	size_t i;

	if (!runs || runs->kind != VALUE_LIST || !runs->list.len)
		return;
	printf("\nruns, newest first\n");
	for (i = 0; i < runs->list.len; i++) {
		const struct value *r = runs->list.at[i];
		AUTO_FREE char *id = base_printf(
			"  %.8s",
			value_get_str(r, "id") ? value_get_str(r, "id") : "");
		char when[24];

		ago_text(value_get_int(r, "started", 0), when);
		table_add(&t, id);
		table_add(&t, value_get_str(r, "outcome"));
		table_add(&t, when);
		table_add(&t, value_get_str(r, "reason"));
	}
	table_print(&t);
	table_clear(&t);
}

static void
print_machine(const struct value *v)
{
	static const char *const keys[] = { "condition", "reason",  "profile",
					    "hostname",  "product", "mac",
					    "address",   "phase" };
	struct table t = { .columns = 2 };
	char seen[24];
	size_t i;

	printf("%s\n", value_get_str(v, "id"));
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		AUTO_FREE char *key = base_printf("  %s", keys[i]);

		if (!value_get_str(v, keys[i]))
			continue;
		table_add(&t, key);
		table_add(&t, value_get_str(v, keys[i]));
	}
	ago_text(value_get_int(v, "last_seen", 0), seen);
	table_add(&t, "  last seen");
	table_add(&t, seen);
	table_print(&t);
	table_clear(&t);
	print_dict("variables", value_get(v, "vars"));
	print_runs(value_get(v, "runs"));
	print_events(value_get(v, "events"));
}

int
cmd_show(int argc, char **argv)
{
	AUTO_FREE char *path = NULL;
	struct value *v = NULL;
	struct err e = { 0 };
	struct ctl c;
	int code = CMD_DONE;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	path = ctl_machine_path(c.words[0], NULL);
	if (ctl_ask(&c, "GET", path, 0, &v, &e) < 0)
		code = ctl_fail(&e);
	else if (c.json)
		ctl_print_json(v);
	else
		print_machine(v);
	value_free(v);
	ctl_clear(&c);
	return code;
}

/* ---- changes ---- */

static int
change(int argc, char **argv, const char *action, const char *said)
{
	AUTO_FREE char *path = NULL;
	struct err e = { 0 };
	struct ctl c;
	int code = CMD_DONE;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	path = ctl_machine_path(c.words[0], action);
	if (ctl_ask(&c, "POST", path, 0, NULL, &e) < 0)
		code = ctl_fail(&e);
	else if (c.json)
		puts("{}");
	else
		printf("%s: %s\n", c.words[0], said);
	ctl_clear(&c);
	return code;
}

int
cmd_reinstall(int argc, char **argv)
{
	return change(argc, argv, "reinstall",
		      "its next network boot installs it, once");
}

int
cmd_release(int argc, char **argv)
{
	return change(argc, argv, "release",
		      "its unit and its entry are free again");
}
