/* explain: why a machine gets what it gets, for someone who has never seen this
 * program. */
#include <stdio.h>
#include <string.h>

#include "cli/ctl.h"
#include "cli/facts.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/text.h"
#include "site/site.h"

#define WIDTH 78 /* of what is no terminal */

static const char *
text_of(const struct value *v, const char *key)
{
	const char *text = value_get_str(v, key);

	return text ? text : "";
}

/* `text` behind `lead`, no line longer than the terminal. */
static void
print_wrapped(const char *lead, const char *text)
{
	AUTO_CLEAR(buf) shown = { 0 }, lines = { 0 };
	struct term t;

	term_look(&t, STDOUT_FILENO);
	text_show(text, strlen(text), 1, &shown);
	buf_str(&lines, lead);
	term_wrap(buf_text(&shown), t.terminal ? (size_t)t.columns : WIDTH,
		  strlen(lead), &lines);
	puts(buf_text(&lines));
}

/* "+ text" in green, "- text" in red, "? text" in yellow. */
static void
print_signed(const char *sign, const char *text)
{
	const char *word = *sign == '+'   ? "good"
			   : *sign == '?' ? "warning"
					  : "error";
	AUTO_CLEAR(buf) line = { 0 };
	struct term t;

	term_look(&t, STDOUT_FILENO);
	term_paint(&t, word, sign, &line);
	printf("  %s %s\n", buf_text(&line), text);
}

/* "2 of 5 units used", as far as it is known. */
static char *
quota_text(const struct value *p)
{
	const char *star = value_get_str(p, "total");
	int64_t total = value_get_int(p, "total", 0);
	int64_t used = value_get_int(p, "used", -1);

	if (star && used < 0)
		return base_strdup("no limit");
	if (star)
		return base_printf("%lld used, no limit", (long long)used);
	if (used < 0)
		return base_printf("%lld unit%s", (long long)total,
				   total == 1 ? "" : "s");
	return base_printf("%lld of %lld unit%s used", (long long)used,
			   (long long)total, total == 1 ? "" : "s");
}

static void
print_fact(const struct value *fact)
{
	AUTO_CLEAR(buf) text = { 0 };

	if (!fact || fact->kind != VALUE_LIST)
		return;
	buf_str(&text, "takes");
	for (size_t i = 0; i < fact->list.len; i++) {
		buf_char(&text, ' ');
		buf_str(&text, fact->list.at[i]->str.at);
	}
	print_wrapped("          ", buf_text(&text));
}

static void
print_pattern(const struct value *row)
{
	const char *status = text_of(row, "status");
	AUTO_FREE char *line = base_printf(
		"%4lld  %s", (long long)value_get_int(row, "line", 0),
		text_of(row, "text"));
	const char *sign = str_eq(status, "fits")   ? "+"
			   : str_eq(status, "open") ? "?"
						    : "-";

	print_signed(sign, line);
	print_fact(value_get(row, "fact"));
	if (value_get_str(row, "why"))
		print_wrapped("          ", value_get_str(row, "why"));
}

/* Patterns that fit tell little where another one does not. */
static void
print_patterns(const struct value *p, bool whole)
{
	const struct value *list = value_get(p, "patterns");
	size_t left_out = 0;

	for (size_t i = 0; list && i < list->list.len; i++) {
		const struct value *row = list->list.at[i];

		if (whole || value_get_str(row, "why"))
			print_pattern(row);
		else
			left_out++;
	}
	if (left_out > 0)
		printf("    (%zu other pattern%s not shown; --all shows "
		       "them)\n",
		       left_out, left_out == 1 ? "" : "s");
}

static void
print_entry(const struct value *t, const char *sign)
{
	AUTO_FREE char *lead = base_printf("    %s ", sign);
	AUTO_CLEAR(buf) text = { 0 };

	buf_printf(&text,
		   "entry %lld: %s: ", (long long)value_get_int(t, "entry", 0),
		   text_of(t, "why"));
	value_literal(value_get(t, "fields"), &text);
	print_wrapped(lead, buf_text(&text));
}

static void
print_cmdb(const struct value *p, bool whole)
{
	const struct value *c = value_get(p, "cmdb");
	const struct value *chosen = value_get(c, "chosen");
	const struct value *passed = value_get(c, "passed");
	int64_t over = value_get_int(c, "passed_over", 0);
	size_t shown = 0;

	if (!c)
		return;
	printf("\n  %s.cmdb\n", text_of(p, "profile"));
	for (; passed && (whole || shown < 5) && shown < passed->list.len;
	     shown++)
		print_entry(passed->list.at[shown], "-");
	if (over > (int64_t)shown)
		printf("    - %lld more before it\n",
		       (long long)(over - (int64_t)shown));
	if (chosen && chosen->kind == VALUE_DICT)
		print_entry(chosen, "+");
	else
		print_wrapped("    ", text_of(c, "why_none"));
}

static void
print_vars(const struct value *p)
{
	const struct value *vars = value_get(p, "vars");
	AUTO_CLEAR(buf) text = { 0 };

	if (!vars || vars->kind != VALUE_DICT || vars->dict.len == 0)
		return;
	for (size_t i = 0; i < vars->dict.len; i++)
		buf_printf(&text, "%s%s = %s",
			   i ? ", " : "variables: ", vars->dict.at[i].key,
			   vars->dict.at[i].value->str.at);
	putchar('\n');
	print_wrapped("  ", buf_text(&text));
}

static const char *
outcome_text(const char *outcome)
{
	static const struct {
		const char *outcome, *text;
	} texts[] = {
		{ "fits", "fits" },
		{ "misses", "does not fit" },
		{ "no unit left", "fits, but has no unit left" },
		{ "closed", "is closed: its total in the state file is 0" },
		{ "wrong", "cannot be used: its machines wait" },
		{ "no specs", "has no .specs file" },
		{ "too many ways", "could not be decided" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (str_eq(texts[i].outcome, outcome))
			return texts[i].text;
	return outcome;
}

static void
print_profile(const struct value *p, bool whole)
{
	AUTO_FREE char *quota = quota_text(p);
	const struct value *chosen = value_get(p, "chosen");
	bool is_chosen =
		chosen && chosen->kind == VALUE_BOOL && chosen->boolean;

	printf("\nprofile %s %s (%s)\n", text_of(p, "profile"),
	       outcome_text(text_of(p, "outcome")), quota);
	if (value_get_str(p, "reason"))
		print_wrapped("    ", value_get_str(p, "reason"));
	print_patterns(p, whole || is_chosen);
	if (is_chosen) {
		print_vars(p);
		print_cmdb(p, whole);
	}
}

static void
print_head(const struct value *v)
{
	const char *machine = value_get_str(v, "machine");
	const char *keeps = value_get_str(v, "keeps");
	const char *gets = value_get_str(v, "profile");
	const char *stopped = value_get_str(v, "stopped_at");

	printf("%s ", machine ? machine : "this machine");
	if (gets && keeps)
		printf("keeps profile %s\n", gets);
	else if (gets)
		printf("gets profile %s\n", gets);
	else if (stopped)
		printf("waits for profile %s; no other one is tried\n",
		       stopped);
	else if (keeps)
		printf("waits: its profile %s does not take it any more\n",
		       keeps);
	else
		printf("gets no profile\n");
}

static void
print_all(const struct value *v, bool whole)
{
	const struct value *profiles = value_get(v, "profiles");

	print_head(v);
	for (size_t i = 0; profiles && i < profiles->list.len; i++)
		print_profile(profiles->list.at[i], whole);
}

/* MACHINE and live FACTS are asked of edeployd; with --site the files answer.
 */
static int
ask(struct ctl *c, struct value **out, struct err *e)
{
	AUTO(facts) facts = NULL;
	AUTO_CLEAR(buf) json = { 0 };

	if (!facts_is_file(c->words[0])) {
		AUTO_FREE char *path = ctl_machine_path(c->words[0], "explain");

		return c->site_dir ? err_set(e, ERR_INPUT,
					     "%s is no file; --site explains "
					     "FACTS only",
					     c->words[0])
				   : ctl_ask(c, "GET", path, 0, out, e);
	}
	if (facts_read(c->words[0], &facts, e) < 0)
		return -1;
	if (c->site_dir)
		return site_explain_files(ctl_conf(c, e), facts, out, e);
	facts_to_json(facts, &json);
	return ctl_send(c, "POST", "/v1/explain", &json, 0, out, e);
}

int
cmd_explain(int argc, char **argv)
{
	AUTO(value) v = NULL;
	struct err e = { 0 };
	int code = CMD_DONE;
	struct ctl c;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	if (ask(&c, &v, &e) < 0) {
		code = ctl_fail(&e);
	} else {
		if (c.json)
			ctl_print_json(v);
		else
			print_all(v, c.all);
		if (!value_get_str(v, "profile"))
			code = CMD_FAILED;
	}
	ctl_clear(&c);
	return code;
}
