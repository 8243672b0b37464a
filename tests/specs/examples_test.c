/* The examples beside the code are read without a remark and fit the machines
 * they are for. examples_test DIR */
#include <stdio.h>

#include "lib/file.h"
#include "specs/match.h"
#include "specs/state.h"
#include "tests/test.h"

static struct patterns *
load(const char *dir, const char *name)
{
	AUTO_FREE char *path = base_printf("%s/%s.specs", dir, name);
	AUTO_FREE char *text = NULL;
	struct patterns *p = NULL;
	struct err e = { 0 };
	unsigned line;

	CHECK_SHOW(0,
		   file_read(path, PATTERNS_MAX_BYTES, &text, NULL, &e) == 0 &&
			   patterns_parse(&p, path, text, strlen(text), &e) ==
				   0,
		   "%s", e.text);
	CHECK(0, p && !patterns_warning(p, 0, &line));
	return p;
}

static void
check_vm(const char *dir)
{
	AUTO(patterns) p = load(dir, "vm");
	AUTO(facts) f = facts_new();
	struct match m;

	facts_add(f, "disk", "logical", "count", "2");
	facts_add(f, "disk", "vda", "size", "4");
	facts_add(f, "disk", "vdb", "size", "8");
	facts_add(f, "network", "eth0", "serial", "52:54:00:00:00:01");
	facts_add(f, "network", "eth1", "serial", "52:54:00:00:00:02");
	facts_add(f, "network", "eth1", "ipv4", "192.168.122.77");
	match_run(p, f, 0, &m);
	CHECK(0, m.outcome == MATCH_HIT);
	CHECK(0, str_eq(bindings_get(m.bindings, "disk"), "vdb"));
	CHECK(0, str_eq(bindings_get(m.bindings, "mac"), "52:54:00:00:00:02"));
	match_clear(&m);
}

static void
check_hp(const char *dir)
{
	AUTO(patterns) p = load(dir, "hp");
	AUTO(facts) f = facts_new();
	struct match m;

	facts_add(f, "system", "product", "vendor", "HP");
	facts_add(f, "system", "product", "name",
		  "ProLiant DL380 Gen9 (719064-B21)");
	facts_add(f, "system", "product", "serial", "CZ3323FDVK");
	facts_add(f, "memory", "total", "size", "68719476736");
	for (int i = 1; i <= 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%dI:1:%d", 1 + i / 5, i);
		facts_add(f, "disk", name, "size", i < 7 ? "1000" : "100");
		facts_add(f, "disk", name, "slot", "2");
	}
	facts_add(f, "network", "eth0", "ipv4", "10.66.6.9");
	facts_add(f, "network", "eth0", "link", "yes");
	facts_add(f, "network", "eth0", "serial", "d8:9d:67:1a:d0:fc");
	match_run(p, f, 0, &m);
	CHECK(0, m.outcome == MATCH_HIT);
	CHECK(0, str_eq(bindings_get(m.bindings, "system1"), "2I:1:7"));
	CHECK(0, str_eq(bindings_get(m.bindings, "tag"), "CZ3323FDVK"));
	match_clear(&m);
}

static void
check_state(const char *dir)
{
	AUTO_FREE char *path = base_printf("%s/state", dir);
	AUTO_FREE char *text = NULL;
	AUTO(state) s = NULL;
	struct err e = { 0 };

	CHECK_SHOW(0,
		   file_read(path, STATE_MAX_BYTES, &text, NULL, &e) == 0 &&
			   state_parse(&s, path, text, strlen(text), &e) == 0,
		   "%s", e.text);
	CHECK(0, s && state_len(s) == 2 && state_at(s, 1)->total == 3);
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	check_vm(argv[1]);
	check_hp(argv[1]);
	check_state(argv[1]);
	return test_end();
}
