/* check and match: a site looked at without a server; no file is created. */
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/facts.h"
#include "cli/lint.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/file.h"
#include "site/site.h"

static void
print_problem(const struct value *p, const struct term *t)
{
	const char *level = value_get_str(p, "level");
	const char *message = value_get_str(p, "message");
	const char *file = value_get_str(p, "file");
	int64_t line = value_get_int(p, "line", 0);
	AUTO_CLEAR(buf) out = { 0 }, text = { 0 };

	/* most say their place themselves, to the column */
	if (!str_starts(message, file))
		buf_str(&text, file);
	if (text.len > 0 && line > 0)
		buf_printf(&text, ":%lld", (long long)line);
	if (text.len > 0)
		buf_str(&text, ": ");
	buf_str(&text, message);
	term_paint(t, level, level, &out);
	buf_str(&out, ": ");
	term_wrap(buf_text(&text), (size_t)t->columns, strlen(level) + 2, &out);
	puts(buf_text(&out));
}

size_t
ctl_print_problems(const struct value *list)
{
	size_t i, errors = 0;
	struct term t;

	term_look(&t, STDOUT_FILENO);
	for (i = 0; i < list->list.len; i++) {
		print_problem(list->list.at[i], &t);
		errors += str_eq(value_get_str(list->list.at[i], "level"),
				 "error");
	}
	return errors;
}

size_t
ctl_count_errors(const struct value *list)
{
	size_t i, errors = 0;

	for (i = 0; i < list->list.len; i++)
		errors += str_eq(value_get_str(list->list.at[i], "level"),
				 "error");
	return errors;
}

/* Of a running server as well: it knows what it does not take. Without one the
 * files are all there is. */
static int
find_problems(struct ctl *c, const struct conf *conf, struct value **out,
	      struct err *e)
{
	AUTO(value) doc = NULL;
	struct err none = { 0 };
	const struct value *list;

	if (!c->site_dir && file_exists(conf->socket) &&
	    ctl_ask(c, "GET", "/v1/problems", 0, &doc, &none) == 0) {
		list = value_get(doc, "problems");
		if (list && list->kind == VALUE_LIST) {
			*out = value_copy(list);
			return 0;
		}
	}
	return site_check(conf, out, e);
}

/* What is legal and hardly meant; nothing when the files cannot be read here,
 * which the problems tell. */
static void
add_remarks(const struct conf *conf, struct value *problems)
{
	AUTO(value) remarks = NULL;
	AUTO(value) names = NULL;
	struct err none = { 0 };

	if (site_judge(conf, &remarks, &names, &none) < 0)
		return;
	for (size_t i = 0; i < remarks->list.len; i++)
		value_push(problems, value_copy(remarks->list.at[i]));
	lint_scripts(conf, names, problems);
}

int
cmd_check(int argc, char **argv)
{
	const struct conf *conf;
	struct value *problems = NULL;
	struct err e = { 0 };
	struct ctl c;
	size_t errors;

	if (ctl_options(&c, argc, argv, 0, 0) < 0)
		return CMD_USAGE;
	conf = ctl_conf(&c, &e);
	if (!conf || find_problems(&c, conf, &problems, &e) < 0) {
		ctl_clear(&c);
		return ctl_fail(&e);
	}
	add_remarks(conf, problems);
	errors = ctl_count_errors(problems);
	if (c.json)
		ctl_print_json(problems);
	else if (ctl_print_problems(problems) == 0)
		printf("%s: good\n", conf->configdir);
	value_free(problems);
	ctl_clear(&c);
	return errors ? CMD_FAILED : CMD_DONE;
}

/* ---- match ---- */

static void
say_reason(const char *profile, const char *reason)
{
	AUTO_FREE char *line = base_printf("%s: %s", profile, reason);
	AUTO_CLEAR(buf) out = { 0 };
	struct term t;

	term_look(&t, STDERR_FILENO);
	term_wrap(line, (size_t)t.columns, 4, &out);
	fprintf(stderr, "%s\n", buf_text(&out));
}

static void
print_match(const struct site_dry_match *m)
{
	struct table t = { .columns = 2 };
	size_t i;

	for (i = 0; i < m->tried->list.len; i++) {
		const struct value *row = m->tried->list.at[i];
		const char *reason = value_get_str(row, "reason");

		if (reason)
			say_reason(value_get_str(row, "profile"), reason);
	}
	if (!m->profile) {
		printf("no profile fits\n");
		return;
	}
	printf("profile %s\n", m->profile);
	for (i = 0; i < m->vars->dict.len; i++) {
		table_add(&t, m->vars->dict.at[i].key);
		table_add(&t, m->vars->dict.at[i].value->str.at);
	}
	table_print(&t);
	table_clear(&t);
}

static void
print_match_json(const struct site_dry_match *m)
{
	struct value *v = value_dict();

	value_set_str(v, "profile", m->profile);
	value_set(v, "vars", m->vars ? value_copy(m->vars) : value_none());
	value_set(v, "tried", value_copy(m->tried));
	ctl_print_json(v);
	value_free(v);
}

int
cmd_match(int argc, char **argv)
{
	const struct conf *conf;
	struct site_dry_match m = { 0 };
	AUTO(facts) facts = NULL;
	struct err e = { 0 };
	int code = CMD_USAGE;
	struct ctl c;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	conf = ctl_conf(&c, &e);
	if (!conf || facts_read(c.words[0], &facts, &e) < 0 ||
	    site_dry_match(conf, facts, &m, &e) < 0) {
		ctl_fail(&e);
	} else {
		(c.json ? print_match_json : print_match)(&m);
		code = m.profile ? CMD_DONE : CMD_FAILED;
	}
	site_dry_match_clear(&m);
	ctl_clear(&c);
	return code;
}
