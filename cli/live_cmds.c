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

/* ---- changes ---- */

/* Have it done, and say so of `whom`. */
static int
post(struct ctl *c, const char *path, const char *whom, const char *said)
{
	struct err e = { 0 };

	if (ctl_ask(c, "POST", path, 0, NULL, &e) < 0)
		return ctl_fail(&e);
	if (c->json)
		puts("{}");
	else
		printf("%s: %s\n", whom, said);
	return CMD_DONE;
}

static int
change(int argc, char **argv, const char *action, const char *said)
{
	AUTO_FREE char *path = NULL;
	struct ctl c;
	int code;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	path = ctl_machine_path(c.words[0], action);
	code = post(&c, path, c.words[0], said);
	ctl_clear(&c);
	return code;
}

static int
relate(int argc, char **argv, const char *action, const char *said)
{
	AUTO_CLEAR(buf) path = { 0 };
	AUTO_FREE char *first = NULL, *both = NULL;
	struct ctl c;
	int code;

	if (ctl_options(&c, argc, argv, 2, 2) < 0)
		return CMD_USAGE;
	first = ctl_machine_path(c.words[0], action);
	buf_printf(&path, "%s?other=", first);
	text_url_encode(c.words[1], &path);
	both = base_printf("%s and %s", c.words[0], c.words[1]);
	code = post(&c, buf_text(&path), both, said);
	ctl_clear(&c);
	return code;
}

int
cmd_same(int argc, char **argv)
{
	return relate(argc, argv, "same", "one machine");
}

int
cmd_distinct(int argc, char **argv)
{
	return relate(argc, argv, "distinct",
		      "two machines; what both say counts for neither");
}

int
cmd_forget(int argc, char **argv)
{
	return change(argc, argv, "forget", "forgotten");
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
