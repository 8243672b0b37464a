/* Why a profile does not fit, in the words that people read. */
#include "specs/explain.h"
#include "tests/test.h"

/* A server: one system, an interface with an address and one without, eight
 * disks of which the last two are large. */
static struct facts *
machine(void)
{
	struct facts *f = facts_new();

	facts_add(f, "system", "product", "name", "R740");
	facts_add(f, "system", "product", "vendor", "Dell");
	facts_add(f, "system", "kernel", "version", "6.1");
	facts_add(f, "network", "eth0", "ipv4", "10.0.0.5");
	facts_add(f, "network", "eth0", "serial", "52:54:00:00:00:01");
	facts_add(f, "network", "eth1", "serial", "52:54:00:00:00:02");
	for (int i = 0; i < 8; i++) {
		char name[8] = { 's', 'd', (char)('a' + i) };

		facts_addf(f, "disk", name, "size", "%d", i < 6 ? 100 : 600);
		facts_add(f, "disk", name, "model", i < 6 ? "SSD" : "HDD");
	}
	facts_add(f, "disk", "sdb", "vendor", "ATA");
	return f;
}

static const struct {
	const char *rows;
	size_t failed; /* which pattern; of a hit: how many there are */
	const char *why;
} rows[] = {
	{ "('disk', '$d', 'size', 'gt(500)')", 1, NULL },
	{ "('disk', '$d', 'size', 'gt(700)')", 0,
	  "8 disks have a size, the largest is 600 (sdg)" },
	{ "('disk', '$d', 'size', 'le(50)')", 0,
	  "8 disks have a size, the smallest is 100 (sda)" },
	{ "('disk', 'sdb', 'size', 'gt(700)')", 0, "size of disk sdb is 100" },
	{ "('disk', '$d', 'model', 'NVME')", 0,
	  "8 disks have a model, the values are SSD, HDD" },
	{ "('disk', '$d', 'model', 'gt(4)')", 0,
	  "8 disks have a model, the values are SSD, HDD, which gt(4) cannot "
	  "read" },
	{ "('disk', '$d', 'siez', 'gt(4)')", 0,
	  "no disk has siez; there are size, model, vendor" },
	{ "('disk', 'sdb', 'siez', 'gt(4)')", 0,
	  "disk sdb has no siez; it has size, model, vendor" },
	{ "('disk', 'sdz', 'size', 'gt(4)')", 0,
	  "no disk sdz with size fits on sda, sdb, sdc, sdd, sde, sdf and 2 "
	  "more" },
	{ "('dsik', '$d', 'size', 'gt(4)')", 0,
	  "no fact of class dsik; there are system, network, disk" },
	{ "('system', 'product', 'vendor', 'HP')", 0,
	  "vendor of system product is Dell" },
	{ "('system', 'product', 'version', '6.1')", 0,
	  "no system product with version fits on kernel" },
	{ "('network', '$e', 'ipv4', 'network(192.168.0.0/16)')", 0,
	  "ipv4 of interface eth0 is 10.0.0.5" },
	{ "('network', '$e', 'serial', 'regexp(^00:)')", 0,
	  "2 interfaces have a serial, the values are 52:54:00:00:00:01, "
	  "52:54:00:00:00:02" },
	/* together */
	{ "('disk', '$d', 'size', 'gt(500)'), ('disk', '$d', 'vendor', 'ATA')",
	  1,
	  "vendor fits on sdb, but $d is sdg (line 1); no other choice above "
	  "helps" },
	{ "('disk', '$d', 'vendor', 'ATA'),\n('disk', '$d', 'size', '600')", 1,
	  "size of disk sdb is 100; no other choice above helps" },
	{ "('disk', '$d', 'size', '$s=gt(500)'),\n"
	  "('disk', 'sda', 'size', '$s')",
	  1,
	  "size of disk sda is 100, but $s is 600 (line 1); no other choice "
	  "above helps" },
	{ "('disk', '$a', 'size', '600'), ('disk', '$b', 'size', '600'),\n"
	  "('disk', '$c', 'size', '600')",
	  2,
	  "it fits only facts that patterns above it need, such as ('disk', "
	  "'sdg', 'size', '600') of line 1; a fact counts once; no other "
	  "choice above helps" },
	{ "('disk', '$a', 'model', '$a')", 0,
	  "a variable that stands twice in it is worth two values in ('disk', "
	  "'sda', 'model', 'SSD')" },
	{ "", 0, NULL },
};

static void
explain(size_t i, struct facts *f, struct explanation *x)
{
	AUTO_FREE char *text = base_printf("[%s]", rows[i].rows);
	AUTO(patterns) p = NULL;
	struct err e = { 0 };

	*x = (struct explanation){ 0 };
	CHECK_SHOW(i, patterns_parse(&p, "t", text, strlen(text), &e) == 0,
		   "%s", e.text);
	if (p)
		explain_run(p, f, 0, x);
}

static void
test_rows(void)
{
	AUTO(facts) f = machine();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct explanation x;
		const char *why = NULL;

		explain(i, f, &x);
		if (x.failed < x.len)
			why = x.rows[x.failed].why;
		CHECK_SHOW(i, x.failed == rows[i].failed, "row %zu", x.failed);
		CHECK_SHOW(i, str_eq(why, rows[i].why), "%s", why);
		CHECK(i, (x.outcome == MATCH_HIT) == !rows[i].why);
		explanation_clear(&x);
	}
}

/* What stands around the failing row: those above took facts, those below are
 * open, or can be ruled out at once. */
static void
test_around(void)
{
	static const char text[] = "[('disk', '$d', 'size', '600'),\n"
				   "('disk', '$d', 'vendor', 'ATA'),\n"
				   "('disk', '$d', 'model', 'HDD'),\n"
				   "('disk', '$e', 'model', 'NVME')]";
	static const enum explain_status want[] = { EXPLAIN_FITS, EXPLAIN_FAILS,
						    EXPLAIN_OPEN,
						    EXPLAIN_IMPOSSIBLE };
	AUTO(facts) f = machine();
	AUTO(patterns) p = NULL;
	struct explanation x = { 0 };
	struct err e = { 0 };

	CHECK(0, patterns_parse(&p, "t", text, strlen(text), &e) == 0);
	explain_run(p, f, 0, &x);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		CHECK(i, x.rows[i].status == want[i]);
		CHECK(i, !x.rows[i].why == (want[i] == EXPLAIN_FITS ||
					    want[i] == EXPLAIN_OPEN));
		CHECK(i, (x.rows[i].fact != SIZE_MAX) ==
				 (want[i] == EXPLAIN_FITS));
	}
	CHECK(4, str_eq(facts_at(f, x.rows[0].fact)->word[FACT_NAME], "sdg"));
	explanation_clear(&x);
}

static void
test_hit(void)
{
	static const char text[] = "[('disk', '$d', 'size', '600'),\n"
				   "('disk', '$e', 'size', '600')]";
	AUTO(facts) f = machine();
	AUTO(patterns) p = NULL;
	struct explanation x = { 0 };
	struct err e = { 0 };

	CHECK(0, patterns_parse(&p, "t", text, strlen(text), &e) == 0);
	explain_run(p, f, 0, &x);
	CHECK(0, x.outcome == MATCH_HIT && x.failed == 2);
	CHECK(0, str_eq(bindings_get(x.bindings, "e"), "sdh"));
	CHECK(0, str_eq(facts_at(f, x.rows[1].fact)->word[FACT_NAME], "sdh"));
	explanation_clear(&x);
}

int
main(void)
{
	test_rows();
	test_around();
	test_hit();
	return test_end();
}
