/* cmdb and state: what a site has to give, and what of it is given. */
#include <stdio.h>

#include "cli/ctl.h"
#include "lib/base.h"
#include "lib/cmd.h"
#include "lib/text.h"
#include "site/site.h"

#define FIELDS_MAX 14 /* columns of a table, besides entry and machine */

/* ---- cmdb ---- */

struct names {
	const char *at[FIELDS_MAX];
	size_t len;
	bool more; /* than fit */
};

static void
learn_name(struct names *n, const char *name)
{
	for (size_t i = 0; i < n->len; i++)
		if (str_eq(n->at[i], name))
			return;
	if (n->len == FIELDS_MAX)
		n->more = true;
	else
		n->at[n->len++] = name;
}

/* Fields of a row: `row` itself, or what edeployd has of an entry. */
static const struct value *
fields_of(const struct value *row, bool live)
{
	return live ? value_get(row, "fields") : row;
}

static void
add_row(struct table *t, const struct value *row, const struct names *names,
	bool live)
{
	if (live) {
		AUTO_FREE char *id = base_printf(
			"%lld", (long long)value_get_int(row, "entry", 0));

		table_add(t, id);
		table_add(t, value_get_str(row, "machine"));
	}
	for (size_t i = 0; i < names->len; i++) {
		const struct value *v =
			value_get(fields_of(row, live), names->at[i]);
		AUTO_CLEAR(buf) text = { 0 };

		if (v)
			value_plain(v, &text);
		table_add(t, buf_text(&text));
	}
}

static void
print_entries(const struct value *list, bool live)
{
	struct table t = { .heads = true, .drops = true };
	struct names names = { 0 };
	size_t i, k;

	for (i = 0; i < list->list.len; i++) {
		const struct value *v = fields_of(list->list.at[i], live);

		for (k = 0; v && v->kind == VALUE_DICT && k < v->dict.len; k++)
			learn_name(&names, v->dict.at[k].key);
	}
	t.columns = names.len + (live ? 2 : 0);
	if (list->list.len == 0 || t.columns == 0) {
		printf("no entry\n");
		return;
	}
	if (live) {
		table_add(&t, "ENTRY");
		table_add(&t, "MACHINE");
	}
	for (k = 0; k < names.len; k++)
		table_add(&t, names.at[k]);
	for (i = 0; i < list->list.len; i++)
		add_row(&t, list->list.at[i], &names, live);
	table_print(&t);
	table_clear(&t);
	if (names.more)
		fprintf(stderr,
			"only %d names fit into a table; --json has "
			"all\n",
			FIELDS_MAX);
}

/* The entries alone, as a file has them, whoever was asked. */
static void
print_fields(const struct value *list, bool live)
{
	struct value *v = value_list();

	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *fields = fields_of(list->list.at[i], live);

		if (fields)
			value_push(v, value_copy(fields));
	}
	ctl_print_json(v);
	value_free(v);
}

/* Ask edeployd, or read the file. */
static int
find_entries(struct ctl *c, struct value **doc, const struct value **list,
	     struct err *e)
{
	AUTO_CLEAR(buf) path = { 0 };
	const struct conf *conf;

	if (c->site_dir) {
		conf = ctl_conf(c, e);
		if (!conf || site_entries_file(conf, c->words[0], doc, e) < 0)
			return -1;
		*list = *doc;
		return 0;
	}
	buf_str(&path, "/v1/cmdb/");
	text_url_encode(c->words[0], &path);
	if (ctl_ask(c, "GET", buf_text(&path), 0, doc, e) < 0)
		return -1;
	*list = value_get(*doc, "entries");
	if (!*list || (*list)->kind != VALUE_LIST)
		return err_set(e, ERR_PEER, "edeployd sent no entries");
	return 0;
}

int
cmd_cmdb(int argc, char **argv)
{
	const struct value *list;
	struct value *doc = NULL;
	struct err e = { 0 };
	int code = CMD_DONE;
	struct ctl c;

	if (ctl_options(&c, argc, argv, 1, 1) < 0)
		return CMD_USAGE;
	if (find_entries(&c, &doc, &list, &e) < 0)
		code = ctl_fail(&e);
	else
		(c.json ? print_fields : print_entries)(list, !c.site_dir);
	value_free(doc);
	ctl_clear(&c);
	return code;
}

/* ---- state ---- */

static void
print_state(const struct value *list)
{
	static const char *const heads[] = { "PROFILE", "USED", "TOTAL",
					     "PROBLEM" };
	struct table t = { .columns = ARRAY_LEN(heads),
			   .heads = true,
			   .wraps = true };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		table_add(&t, heads[i]);
	for (size_t i = 0; i < list->list.len; i++) {
		const struct value *row = list->list.at[i];
		const struct value *used = value_get(row, "used");
		AUTO_CLEAR(buf) total = { 0 };
		AUTO_CLEAR(buf) count = { 0 };

		value_plain(value_get(row, "total"), &total);
		if (used && used->kind == VALUE_INT)
			value_plain(used, &count);
		table_add(&t, value_get_str(row, "profile"));
		table_add(&t, buf_text(&count));
		table_add(&t, buf_text(&total));
		table_add(&t, value_get_str(row, "problem"));
	}
	table_print(&t);
	table_clear(&t);
}

static int
find_state(struct ctl *c, struct value **doc, const struct value **list,
	   struct err *e)
{
	const struct conf *conf;

	if (c->site_dir) {
		conf = ctl_conf(c, e);
		if (!conf || site_state_file(conf, doc, e) < 0)
			return -1;
		*list = *doc;
		return 0;
	}
	if (ctl_ask(c, "GET", "/v1/state", 0, doc, e) < 0)
		return -1;
	*list = value_get(*doc, "state");
	if (!*list || (*list)->kind != VALUE_LIST)
		return err_set(e, ERR_PEER, "edeployd sent no state");
	return 0;
}

int
cmd_state(int argc, char **argv)
{
	const struct value *list;
	struct value *doc = NULL;
	struct err e = { 0 };
	int code = CMD_DONE;
	struct ctl c;

	if (ctl_options(&c, argc, argv, 0, 0) < 0)
		return CMD_USAGE;
	if (find_state(&c, &doc, &list, &e) < 0)
		code = ctl_fail(&e);
	else if (c.json)
		ctl_print_json(list);
	else
		print_state(list);
	value_free(doc);
	ctl_clear(&c);
	return code;
}
