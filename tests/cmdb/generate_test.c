#include "cmdb/entry.h"
#include "tests/test.h"

/* A .cmdb file and the entries that it stands for, each as a literal, joined by
 * " | "; or why it is refused. Rows that speak of the first eDeploy have its
 * result, but those behind "else". */
static const struct {
	const char *text, *want, *refused, *remark;
} rows[] = {
	{ "generate({'gw': '192.168.1.1', 'ip': '192.168.1.10-12', "
	  "'hostname': 'host10-12'})",
	  "{'gw': '192.168.1.1', 'ip': '192.168.1.10', 'hostname': 'host10'}"
	  " | {'gw': '192.168.1.1', 'ip': '192.168.1.11', 'hostname': "
	  "'host11'}"
	  " | {'gw': '192.168.1.1', 'ip': '192.168.1.12', 'hostname': "
	  "'host12'}",
	  NULL, NULL },
	{ "generate({'h': ['a', 'b', 'c']})",
	  "{'h': 'a'} | {'h': 'b'} | {'h': 'c'}", NULL, NULL },
	{ "generate({'h': 'n1-2', 'd': ({'s': 50, 'r': '1+0'}, 'x')})",
	  "{'h': 'n1', 'd': ({'s': 50, 'r': '1+0'}, 'x')}"
	  " | {'h': 'n2', 'd': ({'s': 50, 'r': '1+0'}, 'x')}",
	  NULL, NULL },
	{ "generate({'gw': '1', 'ip': '192.168.1.1-3', 'h': 'ceph001-003'})",
	  "{'gw': '1', 'ip': '192.168.1.1', 'h': 'ceph001'}"
	  " | {'gw': '1', 'ip': '192.168.1.2', 'h': 'ceph002'}"
	  " | {'gw': '1', 'ip': '192.168.1.3', 'h': 'ceph003'}",
	  NULL, NULL },
	/* marked keys */
	{ "generate({'=cmdb': {'gw': False, '=ip': '10.0.0.1-2', 'l': [1, 2], "
	  "'=h': 'h1-2', 'n': 'x1-3'}})",
	  "{'cmdb': {'gw': False, 'ip': '10.0.0.1', 'l': [1, 2], 'h': 'h1', "
	  "'n': 'x1-3'}} | {'cmdb': {'gw': False, 'ip': '10.0.0.2', 'l': [1, "
	  "2], 'h': 'h2', 'n': 'x1-3'}}",
	  NULL, NULL },
	{ "generate({'+ip': '1-2', 'x': '1-3'}, prefix='+')",
	  "{'ip': '1', 'x': '1-3'} | {'ip': '2', 'x': '1-3'}", NULL, NULL },
	{ "generate({'=ip': '1-2', 'x': 'a1-2'}, None)",
	  "{'=ip': '1', 'x': 'a1'} | {'=ip': '2', 'x': 'a2'}", NULL, NULL },
	{ "generate({'=ip': ['a'], 'ip': 2})", NULL,
	  "t:1:31: the key 'ip' is there twice", NULL },
	/* ranges */
	{ "generate({'a': '10-12'})", "{'a': '10'} | {'a': '11'} | {'a': '12'}",
	  NULL, NULL },
	{ "generate({'a': '1-3:10-11'})",
	  "{'a': '1'} | {'a': '2'} | {'a': '3'} | {'a': '10'} | {'a': '11'}",
	  NULL, NULL },
	{ "generate({'a': '100-100:94-92'})",
	  "{'a': '100'} | {'a': '94'} | {'a': '93'} | {'a': '92'}", NULL,
	  NULL },
	{ "generate({'a': '1-1'})", "{'a': '1'}", NULL, NULL },
	{ "generate({'a': '3-1'})", "{'a': '3'} | {'a': '2'} | {'a': '1'}",
	  NULL, NULL },
	{ "generate({'a': '098-101'})",
	  "{'a': '098'} | {'a': '099'} | {'a': '100'} | {'a': '101'}", NULL,
	  NULL },
	{ "generate({'a': '00-1'})", "{'a': '00'} | {'a': '01'}", NULL, NULL },
	{ "generate({'a': '8-012'})",
	  "{'a': '8'} | {'a': '9'} | {'a': '10'} | {'a': '11'} | {'a': '12'}",
	  NULL, NULL },
	{ "generate({'a': 'a-c'})", "{'a': 'a-c'}", NULL, NULL },
	{ "generate({'a': '5-'})", "{'a': '5-'}", NULL, NULL },
	{ "generate({'a': ''})", "{'a': ''}", NULL, NULL },
	{ "generate({'a': 'D7-H.1.0.0', 'b': '1-2'})",
	  "{'a': 'D7-H.1.0.0', 'b': '1'} | {'a': 'D7-H.1.0.0', 'b': '2'}", NULL,
	  NULL },
	/* names */
	{ "generate({'a': 'r1-2-n3-4'})", "{'a': 'r1-n3-4'} | {'a': 'r2-n3-4'}",
	  NULL, NULL },
	{ "generate({'a': 'node1-2:5-6'})",
	  "{'a': 'node1'} | {'a': 'node2'} | {'a': 'node5'} | {'a': 'node6'}",
	  NULL, NULL },
	{ "generate({'a': 'node1-2:5'})", "{'a': 'node1:5'} | {'a': 'node2:5'}",
	  NULL, NULL },
	{ "generate({'a': '52:54:00:00:00:01-02'})",
	  "{'a': '52:54:00:00:00:01'} | {'a': '52:54:00:00:00:02'}", NULL,
	  NULL },
	{ "generate({'a': '52:54:00:00:00:0a-0f'})",
	  "{'a': '52:54:00:00:00:0a-0f'}", NULL, NULL },
	{ "generate({'a': '2001:db8::1-2'})",
	  "{'a': '2001:db8::1'} | {'a': '2001:db8::2'}", NULL, NULL },
	{ "generate({'a': 'h1-2.example.org'})",
	  "{'a': 'h1.example.org'} | {'a': 'h2.example.org'}", NULL, NULL },
	{ "generate({'a': '10.0.1-2.5/24'})",
	  "{'a': '10.0.1.5/24'} | {'a': '10.0.2.5/24'}", NULL, NULL },
	/* addresses */
	{ "generate({'a': '10.0.1-2.1-2'})",
	  "{'a': '10.0.1.1'} | {'a': '10.0.1.2'} | {'a': '10.0.2.1'}"
	  " | {'a': '10.0.2.2'}",
	  NULL, NULL },
	{ "generate({'a': '10-11.0-1.0.7-6'})",
	  "{'a': '10.0.0.7'} | {'a': '10.0.0.6'} | {'a': '10.1.0.7'}"
	  " | {'a': '10.1.0.6'} | {'a': '11.0.0.7'} | {'a': '11.0.0.6'}"
	  " | {'a': '11.1.0.7'} | {'a': '11.1.0.6'}",
	  NULL, NULL },
	{ "generate({'a': '10.0.2.1-2:5-5:7-8'})",
	  "{'a': '10.0.2.1'} | {'a': '10.0.2.2'} | {'a': '10.0.2.5'}"
	  " | {'a': '10.0.2.7'} | {'a': '10.0.2.8'}",
	  NULL, NULL },
	{ "generate({'a': '10.0.0.1'})", "{'a': '10.0.0.1'}", NULL, NULL },
	/* else: where the first eDeploy raised, lost keys or grew too large */
	{ "generate({'a': '10.0.0.1:3-4'})",
	  "{'a': '10.0.0.1'} | {'a': '10.0.0.3'} | {'a': '10.0.0.4'}", NULL,
	  NULL },
	{ "generate({'a': '10.0.0.008-010'})",
	  "{'a': '10.0.0.8'} | {'a': '10.0.0.9'} | {'a': '10.0.0.10'}", NULL,
	  NULL },
	{ "generate({'a': '10.0.0.1:8080'})", "{'a': '10.0.0.1:8080'}", NULL,
	  NULL },
	{ "generate({'b': 1,\n 'a': '10.0.0.254-257'})", NULL,
	  "t:2:7: '10.0.0.254-257': a part of an address is at most 255",
	  NULL },
	{ "generate({'a': '10.0.0.-5'})", NULL,
	  "t:1:16: '10.0.0.-5': a range in an address is A-B", NULL },
	{ "generate({'a': '10.0.0.1-2-3'})", NULL,
	  "t:1:16: '10.0.0.1-2-3': a range in an address is A-B", NULL },
	{ "generate({'a': '1-1234567890'})", NULL,
	  "t:1:16: '1-1234567890': a range of numbers with more than 9", NULL },
	{ "generate({'a': '1:3-4'})", "{'a': '1:3'} | {'a': '1:4'}", NULL,
	  NULL },
	{ "generate({'a': '-5'})", "{'a': '-5'}", NULL, NULL },
	{ "generate({'a': '1-2:x-y'})", "{'a': '1:x-y'} | {'a': '2:x-y'}", NULL,
	  NULL },
	{ "generate({'a': '2014-12', 'b': '1-2'})",
	  "{'a': '2014-12', 'b': '1'} | {'a': '2014-12', 'b': '2'}", NULL,
	  NULL },
	{ "generate({'ip': '10.0.0.1-3', 'v': 'RH7.0-1.2'})",
	  "{'ip': '10.0.0.1', 'v': 'RH7.0-1.2'}"
	  " | {'ip': '10.0.0.2', 'v': 'RH7.0-1.2'}"
	  " | {'ip': '10.0.0.3', 'v': 'RH7.0-1.2'}",
	  NULL, NULL },
	{ "generate({'gw': '1', 'vlan': 101})", "{'gw': '1', 'vlan': 101}",
	  NULL, NULL },
	{ "generate({'gw': '1', 'u': ('a',)})", "{'gw': '1', 'u': ('a',)}",
	  NULL, NULL },
	{ "generate({'h': 'n1-2', 'o': {'a': 'x', 'b': 'y1-2'}})",
	  "{'h': 'n1', 'o': {'a': 'x', 'b': 'y1'}}"
	  " | {'h': 'n2', 'o': {'a': 'x', 'b': 'y2'}}",
	  NULL, NULL },
	{ "generate({'mac': [], 'h': 'h1-9'})", NULL,
	  "t:1:10: 'mac' has no value, so there is no entry", NULL },
	{ "generate({'o': {'l': []}})", NULL,
	  "t:1:10: 'o' has no value, so there is no entry", NULL },
	/* lists are not expanded further, keys never */
	{ "generate({'a': ['h1-2', 'h9']})", "{'a': 'h1-2'} | {'a': 'h9'}",
	  NULL, NULL },
	{ "generate({'ip1-2': '1-2'})", "{'ip1-2': '1'} | {'ip1-2': '2'}", NULL,
	  NULL },
	{ "generate({})", "{}", NULL, NULL },
	/* who ran short */
	{ "# kvm\ngenerate({'h': 'kvm1-2', 'ip': '10.0.0.5-254'})",
	  "{'h': 'kvm1', 'ip': '10.0.0.5'} | {'h': 'kvm2', 'ip': '10.0.0.6'}",
	  NULL, "t:2:10: 2 entries: 'h' has no more values, 'ip' has 250" },
	{ "generate({'a': '1-1000001', 'b': '0-255.0-255.0-255.0-255'})", NULL,
	  "t:1:10: more than 1000000 entries; 'a' has the fewest", NULL },
	{ "generate({'a': '0-255.0-255.0-255.0-255'})", NULL,
	  "t:1:10: more than 1000000 entries; 'a'", NULL },
	{ "generate([{'a': 1}])", NULL, "t:1:10: generate() takes a dict",
	  NULL },
	{ "generate({'a': 1}, '')", NULL, "t:1:20: the prefix", NULL },
	{ "generate({'a': 1}, 2, 3)", NULL, "t:1:23: expected )", NULL },
	{ "generate()", NULL, "t:1:10: not a string", NULL },
	{ "[generate({})]", NULL, "t:1:2: not a string", NULL },
};

static void
show(const struct cmdb *c, struct buf *out)
{
	for (size_t i = 0; i < cmdb_len(c); i++) {
		if (i > 0)
			buf_str(out, " | ");
		value_literal(cmdb_at(c, i)->fields, out);
	}
}

static void
check_row(size_t i)
{
	AUTO_CLEAR(buf) shown = { 0 };
	AUTO(cmdb) c = NULL;
	struct err e = { 0 };
	int r = cmdb_parse(&c, "t", rows[i].text, strlen(rows[i].text), &e);

	if (rows[i].refused) {
		CHECK_SHOW(i, r < 0 && str_starts(e.text, rows[i].refused),
			   "%s", e.text);
		return;
	}
	CHECK_SHOW(i, r == 0, "%s", e.text);
	if (r < 0)
		return;
	show(c, &shown);
	CHECK_SHOW(i, str_eq(buf_text(&shown), rows[i].want), "%s",
		   buf_text(&shown));
	CHECK_SHOW(i, str_eq(cmdb_remark(c), rows[i].remark), "%s",
		   cmdb_remark(c) ? cmdb_remark(c) : "-");
	CHECK(i, str_eq(cmdb_model(c), rows[i].text));
}

/* Many, counted. */
static const struct {
	const char *text;
	size_t len;
	const char *last;
} large[] = {
	{ "generate({'h': '10.0.1-2.2-254'})", 506, "10.0.2.254" },
	{ "generate({'h': '1-100000'})", 100000, "100000" },
};

/* The first change puts the entries where generate() was, and no other byte
 * changes; what was written is read again the same. */
static void
check_written(void)
{
	static const char model[] = "\xef\xbb\xbf# mine\r\ngenerate({ # all\r\n"
				    "'h': 'n1-3', 't': (1, [2])}) # end\r\n";
	static const char want[] =
		"\xef\xbb\xbf# edeploy 0123456789abcdef\r\n# mine\r\n[\r\n"
		"    {'h': 'n1', 't': (1, [2])},\r\n"
		"    {'h': 'n2', 't': (1, [2]), 'used': 1}, # 8@1\r\n"
		"    {'h': 'n3', 't': (1, [2])},\r\n] # end\r\n";
	AUTO(cmdb) c = NULL;
	AUTO(cmdb) out = NULL;
	struct value *fields = value_dict(), *t = value_list();
	const struct cmdb_change change = { 1, fields, 8, 1 };
	struct err e = { 0 };
	const char *text;
	size_t len;

	value_push(t, value_int(1));
	value_push(t, value_list());
	value_push(t->list.at[1], value_int(2));
	value_set_str(fields, "h", "n2");
	value_set_int(fields, "used", 1);
	value_set(fields, "t", t);
	CHECK(0, cmdb_parse(&c, "t", model, strlen(model), &e) == 0);
	cmdb_forget(c);
	out = cmdb_changed(c, "0123456789abcdef", &change, 1);
	text = cmdb_text(out, &len);
	CHECK_SHOW(0, str_eq(text, want), "%s", text);
	CHECK(0, str_eq(cmdb_model(c), model) && !cmdb_model(out));
	value_free(fields);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	for (i = 0; i < ARRAY_LEN(large); i++) {
		AUTO(cmdb) c = NULL;
		struct err e = { 0 };

		CHECK(i, cmdb_parse(&c, "t", large[i].text,
				    strlen(large[i].text), &e) == 0 &&
				 cmdb_len(c) == large[i].len);
		CHECK(i,
		      str_eq(value_get_str(cmdb_at(c, large[i].len - 1)->fields,
					   "h"),
			     large[i].last));
	}
	check_written();
	return test_end();
}
