/* replay: for whom a changed site would change what, before it is in force. */
#include <signal.h>
#include <stdio.h>

#include "cli/bar.h"
#include "cli/ctl.h"
#include "cli/facts.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "lib/cmd.h"
#include "site/site.h"

#define REPLAY_MS (30 * 60 * 1000)

static volatile sig_atomic_t stopped;

static void
on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* ---- asking ---- */

/* How far it is, on a terminal, for whom it takes longer than a moment. */
struct progress {
	struct term term;
	int64_t began_ms, drawn_ms;
};

static void
draw(struct progress *p, size_t done, size_t total)
{
	int64_t now = clock_boot_ms();
	int64_t took = now - p->began_ms;
	struct bar b = { .left_s = -1 };
	AUTO_CLEAR(buf) line = { 0 };

	if (!p->term.terminal || p->term.columns < 2 || took < 1000 ||
	    now - p->drawn_ms < 200)
		return;
	p->drawn_ms = now;
	b.percent = (int64_t)(done * 100 / total);
	if (done > 0)
		b.left_s =
			took * (int64_t)(total - done) / (int64_t)done / 1000;
	bar_line(&b, (size_t)p->term.columns - 1, &line);
	fprintf(stderr, "\r%s\x1b[K", buf_text(&line));
}

static void
wipe(const struct progress *p)
{
	if (p->drawn_ms)
		fputs("\r\x1b[K", stderr);
}

static bool
go_on(void *ctx, size_t done, size_t total)
{
	draw(ctx, done, total);
	return !stopped;
}

/* The folder that it works in is to be removed, also after ^C. */
static void
catch_signals(void)
{
	const struct sigaction stop = { .sa_handler = on_signal };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
}

static int
replay_files(struct ctl *c, const struct conf *now, struct value **out,
	     struct err *e)
{
	struct progress p = { .began_ms = clock_boot_ms() };
	const struct site_watch watch = { go_on, &p };
	AUTO_CLEAR(facts_list) facts = { 0 };
	AUTO(confs) was = c->was_dir ? confs_of_site(c->was_dir) : NULL;
	const struct conf *old = was ? &was->at[0] : ctl_conf(c, e);
	int failed;

	if (!old || facts_list_read(c->words, &facts, e) < 0)
		return -1;
	catch_signals();
	term_look(&p.term, STDERR_FILENO);
	failed = site_replay_files(old, now, facts.at, facts.len, &watch, out,
				   e);
	wipe(&p);
	return failed;
}

static int
replay_live(struct ctl *c, const struct conf *now, struct value **out,
	    struct err *e)
{
	AUTO(value) body = value_dict();
	AUTO_CLEAR(buf) json = { 0 };
	struct value *files = NULL;

	if (c->was_dir)
		return err_set(e, ERR_INPUT,
			       "--was compares files, for FACTS; edeployd "
			       "compares with what its machines have");
	if (site_texts(now->configdir, &files, e) < 0)
		return -1;
	value_set(body, "files", files);
	value_json(body, 0, &json);
	return ctl_send(c, "POST", "/v1/replay", &json, REPLAY_MS, out, e);
}

static int
ask(struct ctl *c, struct value **out, struct err *e)
{
	AUTO(confs) now = NULL;

	if (!c->site_dir)
		return err_set(e, ERR_INPUT,
			       "say --site NEW: the folder with the files to "
			       "try");
	now = confs_of_site(c->site_dir);
	c->site_dir = NULL; /* the other site is the configuration's */
	return (c->len > 0 ? replay_files : replay_live)(c, &now->at[0], out,
							 e);
}

/* ---- telling ---- */

static const char *
stands(const struct value *row, const char *when)
{
	const char *profile = value_get_str(value_get(row, when), "profile");

	return profile ? profile : "waits";
}

static void
put_change(const struct value *change, struct buf *out)
{
	const struct value *was = value_get(change, "was");
	const struct value *becomes = value_get(change, "becomes");

	if (out->len > 0)
		buf_str(out, ", ");
	buf_printf(out, "%s ", value_get_str(change, "name"));
	if (was && was->kind != VALUE_NONE) {
		value_plain(was, out);
		buf_str(out, " -> ");
	}
	if (becomes && becomes->kind != VALUE_NONE)
		value_plain(becomes, out);
	else
		buf_str(out, "(none)");
}

static void
add_row(struct table *t, const struct value *row)
{
	const char *host = value_get_str(row, "hostname");
	AUTO_FREE char *name =
		base_printf("%s%s%s", value_get_str(row, "machine"),
			    host ? " " : "", host ? host : "");
	const struct value *changes = value_get(row, "changes");
	AUTO_CLEAR(buf) what = { 0 };

	table_add(t, name);
	table_add(t, stands(row, "was"));
	table_add(t, stands(row, "becomes"));
	for (size_t i = 0; changes && i < changes->list.len; i++)
		put_change(changes->list.at[i], &what);
	if (what.len == 0 && value_get_str(value_get(row, "becomes"), "reason"))
		buf_str(&what,
			value_get_str(value_get(row, "becomes"), "reason"));
	table_add(t, buf_text(&what));
}

static void
print_rows(const struct value *rows)
{
	static const char *const heads[] = { "MACHINE", "WAS", "BECOMES",
					     "WHAT CHANGES" };
	struct table t = { .columns = ARRAY_LEN(heads),
			   .heads = true,
			   .wraps = true };

	if (rows->list.len == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		table_add(&t, heads[i]);
	for (size_t i = 0; i < rows->list.len; i++)
		add_row(&t, rows->list.at[i]);
	table_print(&t);
	table_clear(&t);
}

static void
print_scripts(const struct value *list)
{
	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *row = list->list.at[i];
		long long n = value_get_int(row, "machines", 0);

		printf("%s.configure is another script: %lld machine%s\n",
		       value_get_str(row, "profile"), n, n == 1 ? "" : "s");
	}
}

static void
print_all(const struct value *v)
{
	long long asked = value_get_int(v, "asked", 0);
	long long changed = value_get_int(v, "changed", 0);
	long long left_out = value_get_int(v, "left_out", 0);

	print_rows(value_get(v, "machines"));
	print_scripts(value_get(v, "scripts"));
	printf("%lld of %lld machines would change%s", changed, asked,
	       left_out ? "" : "\n");
	if (left_out)
		printf("; %lld released or without facts did not ask\n",
		       left_out);
}

/* A list that edeployd sent, or an empty one. */
static void
want_list(struct value *v, const char *key)
{
	const struct value *list = value_get(v, key);

	if (!list || list->kind != VALUE_LIST)
		value_set(v, key, value_list());
}

static bool
is_quiet(const struct value *v, size_t errors)
{
	return errors == 0 && value_get(v, "machines")->list.len == 0 &&
	       value_get(v, "scripts")->list.len == 0;
}

int
cmd_replay(int argc, char **argv)
{
	AUTO(value) v = NULL;
	struct err e = { 0 };
	int code = CMD_USAGE;
	struct ctl c;
	size_t errors;

	if (ctl_options(&c, argc, argv, 0, argc) < 0)
		return CMD_USAGE;
	if (ask(&c, &v, &e) < 0) {
		ctl_fail(&e);
	} else {
		want_list(v, "machines");
		want_list(v, "scripts");
		want_list(v, "problems");
		errors = ctl_count_errors(value_get(v, "problems"));
		if (c.json) {
			ctl_print_json(v);
		} else {
			ctl_print_problems(value_get(v, "problems"));
			print_all(v);
		}
		code = is_quiet(v, errors) ? CMD_DONE : CMD_FAILED;
	}
	ctl_clear(&c);
	return code;
}
