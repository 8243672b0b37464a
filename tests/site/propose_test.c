/* propose_test CASES FACTS...: what is proposed for a machine fits it, whatever
 * its facts are: those of all cases in tests/specs, and those of files. */
#include "lib/file.h"
#include "site/propose.h"
#include "specs/match.h"
#include "tests/test.h"

/* Rows that must be there, and what must not, for facts in JSON. */
static const struct row {
	const char *name, *facts, *has[4], *not ;
} rows[] = {
	{ "disks of two sizes",
	  "[[\"disk\",\"sda\",\"size\",\"100\"],[\"disk\",\"sdb\",\"size\","
	  "\"1000\"],[\"disk\",\"sdc\",\"size\",\"100\"]]",
	  { "# 2 disks of 100 GB\n"
	    "    ('disk', '$disk1', 'size', 'range(95, 105)'),\n"
	    "    ('disk', '$disk2', 'size', 'range(95, 105)'),\n",
	    "# 1 disk of 1000 GB\n"
	    "    ('disk', '$disk3', 'size', 'range(950, 1050)'),\n" },
	  "rotational" },
	{ "sizes that are near: to the letter",
	  "[[\"disk\",\"sda\",\"size\",\"1000\"],[\"disk\",\"sdb\",\"size\","
	  "\"1024\"]]",
	  { "'$disk1', 'size', '1000'", "'$disk2', 'size', '1024'" },
	  "range" },
	{ "sizes in words",
	  "[[\"disk\",\"1I:1:1\",\"size\",\"100GB\"],"
	  "[\"disk\",\"1I:1:1\",\"control\",\"hpa\"]]",
	  { "# 1 disk of 100GB\n", "('disk', '$disk', 'size', '100GB')",
	    "('disk', '$disk', 'control', 'hpa')" },
	  "range" },
	{ "one controller",
	  "[[\"disk\",\"a\",\"size\",\"9\"],[\"disk\",\"a\",\"slot\",\"0\"],"
	  "[\"disk\",\"b\",\"size\",\"9\"],[\"disk\",\"b\",\"slot\",\"0\"]]",
	  { "('disk', '$disk1', 'slot', '$controller')",
	    "('disk', '$disk2', 'slot', '$controller')" },
	  "'0'" },
	{ "two controllers",
	  "[[\"disk\",\"a\",\"size\",\"9\"],[\"disk\",\"a\",\"slot\",\"0\"],"
	  "[\"disk\",\"b\",\"size\",\"9\"],[\"disk\",\"b\",\"slot\",\"1\"]]",
	  { "('disk', '$disk1', 'slot', '0')",
	    "('disk', '$disk2', 'slot', '1')" },
	  "$controller" },
	{ "some rotate",
	  "[[\"disk\",\"a\",\"size\",\"9\"],[\"disk\",\"a\",\"rotational\","
	  "\"1\"],[\"disk\",\"b\",\"size\",\"9\"],[\"disk\",\"b\","
	  "\"rotational\",\"0\"]]",
	  { "('disk', '$disk1', 'rotational', '1')",
	    "('disk', '$disk2', 'rotational', '0')" },
	  "range" },
	{ "the interface with an address comes first",
	  "[[\"network\",\"eth0\",\"serial\",\"m0\"],[\"network\",\"eth1\","
	  "\"serial\",\"m1\"],[\"network\",\"eth1\",\"ipv4\",\"10.1.2.3\"],"
	  "[\"network\",\"eth1\",\"ipv4-network\",\"10.1.0.0\"],"
	  "[\"network\",\"eth1\",\"ipv4-cidr\",\"16\"]]",
	  { "('network', '$eth', 'ipv4', 'network(10.1.0.0/16)')",
	    "('network', '$eth', 'serial', '$mac')",
	    "('network', '$eth2', 'serial', '$mac2')" },
	  "$eth3" },
	{ "an address without a network",
	  "[[\"network\",\"eth0\",\"serial\",\"m0\"],[\"network\",\"eth0\","
	  "\"ipv4\",\"10.1.2.3\"]]",
	  { "('network', '$eth', 'ipv4', '$address')" },
	  "network(" },
	{ "the one it booted over comes before; USB does not count",
	  "[[\"network\",\"eth0\",\"serial\",\"52:54:00:00:00:0a\"],"
	  "[\"network\",\"eth0\",\"link\",\"yes\"],"
	  "[\"network\",\"eth1\",\"serial\",\"52:54:00:00:00:0b\"],"
	  "[\"network\",\"eth1\",\"ipv4\",\"10.1.2.3\"],"
	  "[\"network\",\"usb0\",\"serial\",\"52:54:00:00:00:0c\"],"
	  "[\"network\",\"usb0\",\"businfo\",\"usb@1:1\"],"
	  "[\"system\",\"kernel\",\"cmdline\","
	  "\"quiet BOOTIF=01-52-54-00-00-00-0A SERV=x\"]]",
	  { "('network', '$eth', 'link', 'yes')", "it has 2 interfaces" },
	  "'ipv4'" },
	{ "values that look like patterns",
	  "[[\"system\",\"product\",\"vendor\",\"$y\"],[\"system\","
	  "\"product\",\"name\",\"gt(4)\"]]",
	  { "'vendor', 'in(\"$y\")'", "'name', 'in(\"gt(4)\")'" },
	  "'$y'" },
	{ "control bytes, quotes and backslashes",
	  "[[\"system\",\"product\",\"vendor\",\"a'b\\\"c\\\\d\\ne\"],"
	  "[\"disk\",\"x\\n]\",\"size\",\"]\\n\"]]",
	  { "1 disk of ]\\n\n" },
	  NULL },
	{ "a number that is none",
	  "[[\"memory\",\"total\",\"size\",\"-1\"],[\"cpu\",\"logical\","
	  "\"number\",\"many\"],[\"cpu\",\"physical\",\"number\",\"two\"]]",
	  { "('cpu', 'physical', 'number', 'two')" },
	  "ge(" },
	{ "memory, two digits of it",
	  "[[\"memory\",\"total\",\"size\",\"68719476736\"]]",
	  { "it has 68719476736\n", "'ge(68000000000)'" },
	  NULL },
};

static bool
fits(const struct facts *f, const struct buf *text, struct err *e)
{
	AUTO(patterns) p = NULL;
	struct match m = { 0 };
	unsigned line;
	bool hit;

	if (patterns_parse(&p, "text", buf_text(text), text->len, e) < 0 ||
	    patterns_warning(p, 0, &line))
		return false;
	match_run(p, f, 0, &m);
	hit = m.outcome == MATCH_HIT;
	match_clear(&m);
	return hit;
}

/* Owned text, "" when none was proposed. */
static char *
propose(size_t i, const char *json)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO(facts) f = NULL;
	struct err e = { 0 };
	int failed;

	if (facts_from_json(&f, json, strlen(json), &e) < 0)
		return base_strdup("");
	failed = site_propose(f, &text, &e);
	if (failed < 0) {
		CHECK_SHOW(i, strstr(e.text, "say nothing"), "%s\n# %s", e.text,
			   json);
		return base_strdup("");
	}
	CHECK_SHOW(i, fits(f, &text, &e), "%s\n%s", json, buf_text(&text));
	return buf_take(&text);
}

static void
check_row(size_t i)
{
	const struct row *r = &rows[i];
	AUTO_FREE char *text = propose(i, r->facts);

	for (size_t k = 0; k < ARRAY_LEN(r->has) && r->has[k]; k++)
		CHECK_SHOW(i, strstr(text, r->has[k]), "%s: no %s in\n%s",
			   r->name, r->has[k], text);
	if (r->not )
		CHECK_SHOW(i, !strstr(text, r->not ), "%s: %s", r->name, text);
}

/* The facts of each case, as one list. */
static size_t
check_cases(const char *path)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLEAR(buf) json = { 0 };
	struct err e = { 0 };
	size_t proposed = 0, n = 0;
	char *rest, *line;

	if (file_read(path, 1 << 24, &text, NULL, &e) < 0)
		return 0;
	for (line = strtok_r(text, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (str_starts(line, "fact "))
			buf_printf(&json, "%s%s", json.len ? "," : "[",
				   line + 5);
		if (!str_starts(line, "want ") || json.len == 0)
			continue;
		buf_char(&json, ']');
		{
			AUTO_FREE char *got = propose(n++, json.at);

			proposed += *got != '\0';
		}
		buf_clear(&json);
	}
	return proposed;
}

/* Many of everything: it ends soon, and fits. */
static void
check_many(void)
{
	AUTO_CLEAR(buf) json = { 0 };
	AUTO_FREE char *text = NULL;

	buf_str(&json, "[[\"disk\",\"logical\",\"count\",\"3000\"]");
	for (int i = 0; i < 3000; i++)
		buf_printf(&json,
			   ",[\"disk\",\"d%d\",\"size\",\"%d\"],"
			   "[\"network\",\"e%d\",\"serial\",\"m%d\"]",
			   i, i % 7 * 100, i, i);
	buf_char(&json, ']');
	text = propose(0, json.at);
	CHECK(0, strstr(text, "more of them have no rows"));
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	for (int i = 1; i < argc; i++) {
		AUTO_FREE char *text = NULL, *got = NULL;
		struct err e = { 0 };

		if (i == 1) {
			size_t n = check_cases(argv[i]);

			CHECK_SHOW(i, n > 70, "%zu proposals", n);
			continue;
		}
		CHECK(i, file_read(argv[i], FACTS_MAX_BYTES, &text, NULL, &e) ==
				 0);
		got = propose((size_t)i, text);
		CHECK(i, strstr(got, "('network', '$eth', 'ipv4'"));
	}
	check_many();
	return test_end();
}
