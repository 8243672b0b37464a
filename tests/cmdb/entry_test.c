#include "cmdb/parsed.h"
#include "lib/literal.h"
#include "tests/test.h"

#define ID "0123456789abcdef"

/* Entry 1 of each text is claimed as 7@2: what must the file be then. */
static const struct {
	const char *before, *after;
} rows[] = {
	{ "[{'a': 0}, {'a': 1}]\n",
	  "# edeploy " ID "\n[{'a': 0}, {'x': '1'} # 7@2\n]\n" },
	{ "# mine\n[\n {'a': 0},\n {'a': 1},\n]\n",
	  "# edeploy " ID "\n# mine\n[\n {'a': 0},\n"
	  " {'x': '1'}, # 7@2\n]\n" },
	{ "# edeploy fedcba9876543210\n[\n {'a': 0}, # 6@1\n"
	  " {'a': 1},  # 7@1\n {'b': '#'}\n]",
	  "# edeploy " ID "\n[\n {'a': 0},\n"
	  " {'x': '1'},  # 7@2\n {'b': '#'}\n]" },
	{ "# edeploy " ID "\n[{'a': 0}, # 6@1\n{'a': 1}, # 7@1\n]",
	  "# edeploy " ID "\n[{'a': 0}, # 6@1\n{'x': '1'}, # 7@2\n]" },
	{ "[{'a': 0}, # 6@1 rack 2\n{'a': 1},\n{'b': 1} # 3@0\n]",
	  "# edeploy " ID "\n[{'a': 0}, # rack 2\n{'x': '1'}, # 7@2\n"
	  "{'b': 1}\n]" },
	{ "[{'a': 0}, # 6@1x\n{'a': 1}, # 99999999999999999999@1\n]",
	  "# edeploy " ID "\n[{'a': 0}, # 6@1x\n"
	  "{'x': '1'}, # 7@2 # 99999999999999999999@1\n]" },
	{ "[{'a': 0},\n {'a':\n [1,\n 2]} , # rack 3\n]",
	  "# edeploy " ID "\n[{'a': 0},\n"
	  " {'x': '1'} , # 7@2 # rack 3\n]" },
	{ "[{'a': 0},\r\n{'a': 1},\r\n]\r\n",
	  "# edeploy " ID "\r\n[{'a': 0},\r\n{'x': '1'}, # 7@2\r\n"
	  "]\r\n" },
	{ "[{'a': 0}, {'a': 1}\r, {'a': 2}\r]",
	  "# edeploy " ID "\n[{'a': 0}, {'x': '1'} # 7@2\n"
	  "\r, {'a': 2}\r]" },
	{ "[{'a': 0}, {'a': 1}, {'a': 2}]",
	  "# edeploy " ID "\n[{'a': 0}, {'x': '1'}, # 7@2\n"
	  "{'a': 2}]" },
	{ "\xef\xbb\xbf[{'a': 0}, {'a': 1}]",
	  "\xef\xbb\xbf# edeploy " ID "\n[{'a': 0}, {'x': '1'} # 7@2\n"
	  "]" },
};

/* An entry and what the store has of it: only what differs is written. */
static const struct {
	const char *text, *now, *want;
} edits[] = {
	{ "{'a': (1, 2), \"b\" : 'x' 'y' }",
	  "{'a': [1, 2], 'b': 'xy', 'used': 1}",
	  "{'a': (1, 2), \"b\" : 'x' 'y', 'used': 1 }" },
	{ "{'a': '\\x41', # it's \"a\"\n 'b': 1,}",
	  "{'a': 'A', 'b': 2, 'c': 3, 'd': {'e': []}}",
	  "{'a': '\\x41', # it's \"a\"\n 'b': 2,\n 'c': 3,\n 'd': {'e': "
	  "[]},}" },
	{ "{\r\n\t'a': 'x' # it's\r\n}", "{'a': 'x', 'b': 1}",
	  "{\r\n\t'a': 'x',\r\n\t'b': 1 # it's\r\n}" },
	{ "{'a': 1, 'b': 2, 'c': 3}", "{'b': 2}", "{'b': 2}" },
	{ "{'a': 1, 'b': 2, 'c': 3,}", "{'a': 1}", "{'a': 1,}" },
	{ "{'a': 1, 'b': 2, 'c': 3}", "{'a': 1, 'c': 4}", "{'a': 1, 'c': 4}" },
	{ "{'a': 1, # x\n 'b': 2 # y\n}", "{'b': 2}", "{'b': 2 # y\n}" },
	{ "{'a': 1}", "{}", "{}" },
	{ "{}", "{'a': 1}", "{'a': 1}" },
	{ "{ }", "{}", "{ }" },
	{ "( {'a': 1} )", "{'a': 1, 'b': 2}", "( {'a': 1, 'b': 2} )" },
	{ "{'a': ('x')}", "{'a': 'y'}", "{'a': 'y'}" },
	{ "{'a': 1.0, 'b': 1}", "{'a': 1, 'b': 1.0}", "{'a': 1, 'b': 1.0}" },
	{ "{'a': True}", "{'a': 1}", "{'a': 1}" },
	{ "{'used': 1, 'a': 'x'}", "{'a': 'x'}", "{'a': 'x'}" },
};

static void
check_edit(size_t i)
{
	const struct literal_opts opts = { .path = "now" };
	AUTO_CLEAR(buf) out = { 0 };
	struct value *now = NULL;
	struct err e = { 0 };

	CHECK(i, literal_parse(&now, edits[i].now, strlen(edits[i].now), &opts,
			       &e) == 0);
	cmdb_edit_entry(&out, edits[i].text, strlen(edits[i].text), now);
	CHECK_SHOW(i, str_eq(buf_text(&out), edits[i].want), "%s",
		   buf_text(&out));
	value_free(now);
}

static const struct {
	const char *text, *refused;
} bad[] = {
	{ "[{'a': 1},\n{'b': [(1, 1e999)]}]",
	  "t:2:12: a number that is too large" },
	{ "", "t:1:1: the text ends" },
	{ "# nothing\n", "t:2:1: the text ends" },
	{ "{}", "t:1:1: a .cmdb file is a list" },
	{ "[{'a': 1}, 2]", "t:1:12: an entry is a dict" },
	{ "[{'ip': '1'}, {'ip' '2'}\n", "t:1:24: expected :" },
};

static void
check_rewrite(size_t i)
{
	struct value *fields = value_dict();
	const struct cmdb_change change = { 1, fields, 7, 2 };
	AUTO(cmdb) c = NULL;
	AUTO(cmdb) out = NULL;
	AUTO(cmdb) twice = NULL;
	AUTO(cmdb) again = NULL;
	const char *text;
	size_t len;
	struct err e = { 0 };

	value_set_str(fields, "x", "1");
	CHECK(i, cmdb_parse(&c, "t", rows[i].before, strlen(rows[i].before),
			    &e) == 0);
	if (i % 2)
		cmdb_forget(c);
	out = cmdb_changed(c, ID, &change, 1);
	text = cmdb_text(out, &len);
	CHECK_SHOW(i, str_eq(text, rows[i].after), "%s", text);
	CHECK(i, cmdb_parse(&again, "t", text, len, &e) == 0);
	CHECK(i, cmdb_at(out, 1)->id == 7 && cmdb_at(out, 1)->gen == 2 &&
			 !cmdb_at(out, 1)->used &&
			 cmdb_len(out) == cmdb_len(c));
	/* the places of what was written are those of what is read */
	twice = cmdb_changed(out, ID, &change, 1);
	text = cmdb_text(twice, &len);
	CHECK_SHOW(i, str_eq(text, rows[i].after), "%s", text);
	CHECK(i, again && str_eq(cmdb_store_id(again), ID) &&
			 cmdb_at(again, 1)->id == 7 &&
			 cmdb_at(again, 1)->gen == 2 &&
			 value_eq(cmdb_at(again, 1)->fields, fields) &&
			 cmdb_len(again) == cmdb_len(c));
	value_free(fields);
}

int
main(void)
{
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_rewrite(i);
	for (i = 0; i < ARRAY_LEN(edits); i++)
		check_edit(i);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(cmdb) c = NULL;

		CHECK_SHOW(i,
			   cmdb_parse(&c, "t", bad[i].text, strlen(bad[i].text),
				      &e) < 0 &&
				   str_starts(e.text, bad[i].refused),
			   "%s", e.text);
	}
	return test_end();
}
