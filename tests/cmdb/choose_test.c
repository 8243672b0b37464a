#include "cmdb/entry.h"
#include "lib/literal.h"
#include "lib/literal.h"
#include "tests/test.h"

/* Entries in the literal syntax; `owners` has a letter for each: - none, a
 * the asker, b another. Variables: name=value, ! in front: identity, $: key. */
static const struct {
	const char *entries, *owners, *vars;
	enum cmdb_choice want;
	size_t at;
	const char *claimed;
} rows[] = {
	{ "[{'a': '2', 'used': 1}]", "-", "a=1", CMDB_FULL, 0, NULL },
	{ "[{'a': 'ff:ff'}]", "-", "$a=FF:FF", CMDB_NONE, 0, NULL },
	{ "[{'a': '1', 'used': 1}]", "-", "a=1", CMDB_CHOSEN, 0,
	  "{'a': '1', 'used': 1}" },
	{ "[{'a': '1', 'b': '1', 'c': '1', 'used': 1}]", "-", "$a=1 b=2",
	  CMDB_CHOSEN, 0, "{'a': '1', 'b': '2', 'c': '1', 'used': 1}" },
	{ "[{'b': '1'}]", "-", "a=1", CMDB_CHOSEN, 0,
	  "{'b': '1', 'a': '1', 'used': 1}" },
	/* the presence of `used` counts, not its value */
	{ "[{'ip': '1', 'used': 0}, {'ip': '2'}]", "--", "!mac=a", CMDB_CHOSEN,
	  1, NULL },
	/* prefilled for another machine: reserved for it */
	{ "[{'ip': '1', 'mac': 'zz'}, {'ip': '2'}]", "--", "!mac=a",
	  CMDB_CHOSEN, 1, NULL },
	{ "[{'ip': '1', 'mac': 'zz'}]", "-", "!mac=a", CMDB_FULL, 0, NULL },
	{ "[{'ip': '1'}, {'ip': '2', 'mac': 'a'}]", "--", "!mac=a", CMDB_CHOSEN,
	  1, NULL },
	/* the machine's word wins for a name that is no identity */
	{ "[{'ip': '1', 'disk': 'sdz'}]", "-", "disk=sda", CMDB_CHOSEN, 0,
	  "{'ip': '1', 'disk': 'sda', 'used': 1}" },
	/* no variable at all: a free one for each machine */
	{ "[{'ip': '1', 'used': 1, 'mac': 'x'}, {'ip': '2'}]", "b-", "",
	  CMDB_CHOSEN, 1, NULL },
	/* nothing that tells machines apart: not shared */
	{ "[{'ip': '1', 'disk': 'vda', 'used': 1}, {'ip': '2'}]", "b-",
	  "disk=vda", CMDB_CHOSEN, 1, NULL },
	{ "[{'ip': '1', 'mac': 'a', 'used': 1}, {'ip': '2'}]", "b-", "!mac=a",
	  CMDB_TAKEN, 0, NULL },
	/* its own, whatever changed */
	{ "[{'ip': '1'}, {'ip': '2', 'mac': 'a', 'disk': 'x', 'used': 1}]",
	  "-a", "!mac=a disk=y", CMDB_CHOSEN, 1, NULL },
	{ "[{'tag': 'T1', 'ip': '1'}, {'tag': 'T2', 'ip': '2', 'used': 1}]",
	  "--", "$tag=T2 mac=m", CMDB_CHOSEN, 1, NULL },
	{ "[{'tag': 'T1', 'ip': '1'}, {'ip': '2'}]", "--", "$tag=T9", CMDB_NONE,
	  0, NULL },
	{ "[{'ip': '1'}]", "-", "$tag=T1", CMDB_NONE, 0, NULL },
	{ "[{'a': '1', 'b': '1', 'n': 'x'}, {'a': '1', 'b': '2', 'n': 'y'}]",
	  "--", "$a=1 $b=2 c=3", CMDB_CHOSEN, 1, NULL },
	{ "[{'t': '1', 'n': 'x'}, {'t': '1', 'n': 'y'}]", "--", "$t=1",
	  CMDB_CHOSEN, 0, NULL },
	{ "[{'t': '1', 'used': 1}]", "b", "$t=1", CMDB_TAKEN, 0, NULL },
	{ "[{'n': 2, 'ip': '1', 'used': 1}, {'ip': '2'}]", "--", "n=2",
	  CMDB_CHOSEN, 1, NULL },
	{ "[]", "", "a=1", CMDB_FULL, 0, NULL },
};

static size_t
read_vars(char *text, struct cmdb_var *vars)
{
	size_t n = 0;
	char *word, *rest = text;

	while ((word = strsep(&rest, " ")) && *word) {
		vars[n].key = *word == '$';
		vars[n].identity = *word == '!';
		word += vars[n].key || vars[n].identity;
		vars[n].name = strsep(&word, "=");
		vars[n++].value = word;
	}
	return n;
}

/* An entry {'ip': 1, 'disk': 'sda'} that a machine claimed with its own disk
 * and MAC, then edited: what it will be when it is released. */
static const struct {
	const char *edited, *origin;
} edits[] = {
	{ "{'ip': 1, 'disk': 'vda', 'mac': 'm', 'used': 1}",
	  "{'ip': 1, 'disk': 'sda'}" },
	{ "{'ip': 2, 'disk': 'vda', 'mac': 'm', 'used': 1}",
	  "{'ip': 2, 'disk': 'sda'}" },
	{ "{'ip': 1, 'disk': 'sdb', 'mac': 'm', 'used': 1}",
	  "{'ip': 1, 'disk': 'sdb'}" },
	{ "{'ip': 1, 'disk': 'vda', 'mac': 'other', 'used': 1}",
	  "{'ip': 1, 'disk': 'sda', 'mac': 'other'}" },
	{ "{'ip': 1, 'rack': 'r', 'used': 1}", "{'ip': 1, 'rack': 'r'}" },
	{ "{}", "{}" },
};

static struct value *
literal(const char *text)
{
	const struct literal_opts opts = { .path = "t" };
	struct value *v = NULL;
	struct err e = { 0 };

	return literal_parse(&v, text, strlen(text), &opts, &e) < 0 ? NULL : v;
}

static void
check_origins(void)
{
	struct value *origin = literal("{'ip': 1, 'disk': 'sda'}");
	struct value *claimed =
		literal("{'ip': 1, 'disk': 'vda', 'mac': 'm', 'used': 1}");

	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		struct value *edited = literal(edits[i].edited);
		struct value *want = literal(edits[i].origin);
		struct value *got = cmdb_origin(origin, claimed, edited);
		AUTO_CLEAR(buf) text = { 0 };

		value_literal(got, &text);
		CHECK_SHOW(i, value_eq(got, want), "%s", text.at);
		value_free(edited);
		value_free(want);
		value_free(got);
	}
	value_free(origin);
	value_free(claimed);
}

int
main(void)
{
	check_origins();
	const struct literal_opts opts = { .path = "t" };
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *words = base_strdup(rows[i].vars);
		AUTO_CLEAR(buf) shown = { 0 };
		struct cmdb_candidate all[4] = { 0 };
		struct cmdb_var vars[4] = { 0 };
		struct value *v = NULL, *claimed;
		size_t n = read_vars(words, vars), at = 0;
		struct err e = { 0 };
		enum cmdb_choice c;

		CHECK(i,
		      literal_parse(&v, rows[i].entries,
				    strlen(rows[i].entries), &opts, &e) == 0);
		for (j = 0; j < v->list.len; j++) {
			char o = rows[i].owners[j];

			all[j].fields = v->list.at[j];
			all[j].used = value_get(all[j].fields, "used") != NULL;
			all[j].owner = o == 'a' ? "m1" : o == 'b' ? "m2" : NULL;
		}
		c = cmdb_choose(all, v->list.len, vars, n, "m1", &at);
		CHECK_SHOW(i, c == rows[i].want, "%d", c);
		CHECK_SHOW(i,
			   c == CMDB_FULL || c == CMDB_NONE || at == rows[i].at,
			   "%zu", at);
		if (rows[i].claimed) {
			claimed = cmdb_claim(all[at].fields, vars, n);
			value_literal(claimed, &shown);
			CHECK_SHOW(i, str_eq(shown.at, rows[i].claimed), "%s",
				   shown.at);
			value_free(claimed);
		}
		value_free(v);
	}
	return test_end();
}
