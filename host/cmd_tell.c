/* What this host knows of itself, and what happened to it. */
#include <stdio.h>

#include "lib/file.h"

#include "host/call.h"
#include "host/cmds.h"
#include "host/history.h"

#define VARS_MAX 65536
#define TIME_SHOWN 16 /* 2026-11-21T12:00 */

/* ---- version, role, profile ---- */

static void
print_one(const struct host *h, const char *name, const char *value)
{
	struct value *v;

	if (!h->json) {
		printf("%s\n", value);
		return;
	}
	v = value_dict();
	value_set_str(v, name, value);
	call_print(v);
}

static int
print_profile(const struct call *c, struct err *e)
{
	AUTO_FREE char *path =
		c->is_versioned && *c->host.root
			? base_printf("%s/state" VARS_PATH, c->on.dir)
			: base_printf("%s%s", c->host.root, VARS_PATH);
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *profile = NULL;

	if (file_exists(path) && file_read(path, VARS_MAX, &text, NULL, e) < 0)
		return -1;
	profile = text ? conf_value(text, "PROFILE") : NULL;
	print_one(&c->host, "profile", profile ? profile : "");
	return 0;
}

int
cmd_tell(int argc, char **argv)
{
	const struct call_takes takes = { .usage = argv[0] };
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	/* "/" is the version that runs: whatever the layout, and also for who
	 * may not look into /edeploy */
	bad = *c.host.root ? call_open(&c, &e)
			   : conf_read(&c.host.conf, "", &e);
	if (bad == 0 && str_eq(argv[0], "version"))
		print_one(&c.host, "version", c.host.conf.version);
	else if (bad == 0 && str_eq(argv[0], "role"))
		print_one(&c.host, "role", c.host.conf.role);
	else if (bad == 0)
		bad = print_profile(&c, &e);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}

/* ---- status ---- */

static void
set_or_none(struct value *v, const char *name, const char *text)
{
	value_set(v, name, *text ? value_str(text) : value_none());
}

static struct value *
status_plain(const struct call *c)
{
	AUTO_FREE char *under_way = upgrade_under_way(&c->host);
	struct value *v = value_dict();

	value_set_str(v, "layout", "plain");
	value_set_str(v, "role", c->host.conf.role);
	value_set_str(v, "running", c->host.conf.version);
	value_set(v, "under_way",
		  under_way ? value_str(under_way) : value_none());
	return v;
}

static struct value *
list_versions(const struct versioned *on)
{
	struct value *list = value_list();
	char **names = versioned_list(on);
	size_t i;

	for (i = 0; names[i]; i++)
		value_push(list, value_str(names[i]));
	names_free(names);
	return list;
}

static struct value *
status_versioned(const struct call *c)
{
	const struct state *s = &c->on.state;
	struct value *fell = history_last_fall(&c->on);
	struct value *v = value_dict();

	value_set_str(v, "layout", "versioned");
	value_set_str(v, "role", c->host.conf.role);
	set_or_none(v, "running", c->on.live ? c->on.running : "");
	value_set_str(v, "good", s->good);
	set_or_none(v, "previous", s->prev);
	set_or_none(v, "trial", s->trial);
	value_set_int(v, "starts_left", s->left);
	value_set_str(v, "next", versioned_next(&c->on));
	value_set_int(v, "generation", (int64_t)s->gen);
	value_set(v, "versions", list_versions(&c->on));
	value_set(v, "fell", fell ? fell : value_none());
	return v;
}

static void
print_row(const char *name, const char *text, const char *more)
{
	printf("%-10s%s%s%s\n", name, text, *more ? "  " : "", more);
}

static void
print_next(const struct versioned *on)
{
	const struct state *s = &on->state;
	AUTO_FREE char *more = NULL;

	if (str_eq(versioned_next(on), s->trial) && *s->trial)
		more = base_printf("on trial, %u start%s left, else %s",
				   s->left, s->left == 1 ? "" : "s", s->good);
	print_row("next boot", versioned_next(on), more ? more : "");
}

static void
print_fall(const struct versioned *on)
{
	struct value *v __attribute__((cleanup(value_freep))) =
		history_last_fall(on);

	if (!v)
		return;
	printf("%-10s%s  %.*s\n          %s\n", "fell",
	       value_get_str(v, "from"), TIME_SHOWN, value_get_str(v, "time"),
	       value_get_str(v, "words"));
}

static void
print_disk(const struct versioned *on)
{
	char **names = versioned_list(on);
	size_t i;

	printf("%-10s", "on disk");
	for (i = 0; names[i]; i++)
		printf("%s%s", i ? ", " : "", names[i]);
	printf("\n");
	names_free(names);
}

static void
print_status(const struct call *c)
{
	const struct state *s = &c->on.state;
	bool trial = *s->trial && str_eq(s->trial, c->on.running);

	if (!c->is_versioned) {
		print_row("role", c->host.conf.role, "");
		print_row("running", c->host.conf.version,
			  "in place: upgrades are not safe against power cuts");
		return;
	}
	print_row("role", c->host.conf.role, "");
	if (c->on.live)
		print_row("running", c->on.running,
			  trial ? "on trial, not proved yet" : "");
	print_row("good", s->good, "");
	if (*s->prev)
		print_row("previous", s->prev,
			  versioned_has(&c->on, s->prev) ? "" : "not on disk");
	print_next(&c->on);
	print_disk(&c->on);
	print_fall(&c->on);
}

int
cmd_status(int argc, char **argv)
{
	static const struct call_takes takes = { .usage = "status" };
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	bad = call_open(&c, &e);
	if (bad == 0 && c.host.json)
		call_print(c.is_versioned ? status_versioned(&c)
					  : status_plain(&c));
	else if (bad == 0)
		print_status(&c);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}

/* ---- history ---- */

static void
print_history(const struct value *rows)
{
	size_t i;

	for (i = 0; i < rows->list.len; i++) {
		const struct value *r = rows->list.at[i];
		const char *to = value_get_str(r, "to");

		printf("%.*s  %-8s  %s%s%s\n", TIME_SHOWN,
		       value_get_str(r, "time"), value_get_str(r, "action"),
		       value_get_str(r, "from"), *to ? " -> " : "", to);
		if (*value_get_str(r, "words"))
			printf("%*s%s\n", TIME_SHOWN + 12, "",
			       value_get_str(r, "words"));
	}
}

static int
read_history(const struct call *c, struct value **rows, struct err *e)
{
	AUTO_FREE char *plain = base_printf("%s" HISTORY_PLAIN, c->host.root);
	AUTO_FREE char *history =
		c->is_versioned ? history_path(&c->on) : STEAL(plain);
	AUTO_FREE char *log =
		c->is_versioned ? base_printf("%s/log", c->on.dir) : NULL;

	return history_read(rows, history, log, e);
}

int
cmd_history(int argc, char **argv)
{
	static const struct call_takes takes = { .usage = "history" };
	struct value *rows = NULL;
	struct err e = { 0 };
	struct call c;
	int bad;

	if (!call_parse(&c, argc, argv, &takes))
		return CMD_USAGE;
	bad = call_open(&c, &e) < 0 || read_history(&c, &rows, &e) < 0;
	if (!bad && c.host.json) {
		struct value *v = value_dict();

		value_set(v, "history", STEAL(rows));
		call_print(v);
	} else if (!bad) {
		print_history(rows);
	}
	value_free(rows);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}
