/* What this host knows of itself, and what happened to it. */
#include <stdio.h>

#include "lib/file.h"

#include "host/call.h"
#include "host/cmds.h"
#include "host/history.h"
#include "host/pkgmngr.h"
#include "host/show.h"

#define VARS_MAX 65536
#define OLD_ROOT "the root that was converted"
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

/* Where the system is that the status is of. Owned. */
static char *
root_of(const struct call *c)
{
	return c->is_versioned && *c->host.root
		       ? versioned_root(&c->on, c->on.running)
		       : base_strdup(c->host.root);
}

/* Null where there is no package manager that could be held. */
static void
set_packages(const struct call *c, struct value *v)
{
	AUTO_FREE char *root = root_of(c);

	value_set(v, "packages_held",
		  pkgmngr_next(NULL, root) ? value_bool(pkgmngr_held(root))
					   : value_none());
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
	set_packages(c, v);
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
	struct value *v = value_dict();
	struct value *last, *fell;

	history_news(&c->on, &last, &fell);
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
	value_set(v, "last", last ? last : value_none());
	set_packages(c, v);
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

static const char *
word_of(const struct versioned *on, const char *version)
{
	if (str_eq(version, VERSIONED_PLAIN))
		return OLD_ROOT;
	return versioned_has(on, version) ? "" : "not on disk";
}

static void
print_packages(const struct call *c)
{
	AUTO_FREE char *root = root_of(c);

	if (pkgmngr_held(root))
		print_row("packages", "held: they come with the version", "");
}

/* What happened, when, and what was said of it below. */
static void
print_event(const char *name, const char *what, const struct value *v)
{
	const char *to = value_get_str(v, "to");

	printf("%-10s%s%s%s%s%s  %.*s\n", name, what, *what ? " " : "",
	       value_get_str(v, "from"), *to ? " -> " : "", to, TIME_SHOWN,
	       value_get_str(v, "time"));
	if (*value_get_str(v, "words"))
		show_words(stdout, value_get_str(v, "words"), 10);
}

/* The way on, where somebody may have to go it. */
static void
print_advice(const struct call *c, const struct value *fell)
{
	const struct state *s = &c->on.state;
	bool runs = *s->trial && str_eq(s->trial, c->on.running);
	AUTO_FREE char *say = NULL;

	if (runs)
		say = base_printf("%s becomes the good one when it is well: "
				  "edeploy-prove.service looks at each boot, "
				  "\"edeploy prove\" now. \"edeploy rollback\" "
				  "leaves it for %s.",
				  s->trial, s->good);
	else if (*s->trial && s->left > 0)
		say = base_printf("\"reboot\" tries %s, \"edeploy rollback\" "
				  "takes that back.",
				  s->trial);
	else if (c->on.live && !str_eq(c->on.running, s->good))
		say = base_printf("\"reboot\" enters %s.", s->good);
	else if (fell)
		say = base_printf("Mend what %s died of; \"edeploy upgrade "
				  "%s\" tries it again. \"edeploy history\" "
				  "tells more.",
				  value_get_str(fell, "from"),
				  value_get_str(fell, "from"));
	if (say) {
		printf("\n");
		show_words(stdout, say, 0);
	}
}

static void
print_news(const struct call *c)
{
	struct value *last, *fell;

	history_news(&c->on, &last, &fell);
	if (fell)
		print_event("fell", "", fell);
	if (last)
		print_event("last", value_get_str(last, "action"), last);
	print_advice(c, fell);
	value_free(last);
	value_free(fell);
}

static void
print_status_plain(const struct call *c)
{
	print_row("role", c->host.conf.role, "");
	print_row("running", c->host.conf.version, "");
	print_packages(c);
	printf("\n");
	show_words(stdout,
		   "This host is one plain root: upgrades work in place, are "
		   "not safe against a power cut, and have no way back. "
		   "\"edeploy convert\" makes versions of it.",
		   0);
}

static void
print_status(const struct call *c)
{
	const struct state *s = &c->on.state;
	bool trial = *s->trial && str_eq(s->trial, c->on.running);

	print_row("role", c->host.conf.role, "");
	if (c->on.live)
		print_row("running", c->on.running,
			  trial ? "on trial, not proved yet" : "");
	print_row("good", s->good,
		  str_eq(s->good, VERSIONED_PLAIN) ? OLD_ROOT : "");
	if (*s->prev)
		print_row("previous", s->prev, word_of(&c->on, s->prev));
	print_next(&c->on);
	print_disk(&c->on);
	print_packages(c);
	print_news(c);
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
	else if (bad == 0 && c.is_versioned)
		print_status(&c);
	else if (bad == 0)
		print_status_plain(&c);
	call_clear(&c);
	return bad ? call_fail(&e) : CMD_DONE;
}

/* ---- history ---- */

static void
print_history(const struct value *rows)
{
	size_t i;

	if (rows->list.len == 0)
		printf("nothing was done since the installation\n");
	for (i = 0; i < rows->list.len; i++) {
		const struct value *r = rows->list.at[i];
		const char *to = value_get_str(r, "to");

		printf("%.*s  %-8s  %s%s%s\n", TIME_SHOWN,
		       value_get_str(r, "time"), value_get_str(r, "action"),
		       value_get_str(r, "from"), *to ? " -> " : "", to);
		if (*value_get_str(r, "words"))
			show_words(stdout, value_get_str(r, "words"),
				   TIME_SHOWN + 12);
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
