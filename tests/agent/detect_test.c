/* Probes that hang, crash, lie or say nothing cost their own facts only. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "agent/probe.h"
#include "lib/base.h"
#include "lib/clock.h"
#include "tests/test.h"

/* the others must be done by then, on a machine that has much to do */
#define DEADLINE_MS 4000

static int
good(const char *root, struct facts *out, struct err *e)
{
	(void)e;
	facts_add(out, "good", "root", "is", root);
	return 0;
}

static int
slow(const char *root, struct facts *out, struct err *e)
{
	(void)root;
	(void)e;
	usleep(100 * 1000);
	facts_add(out, "slow", "a", "b", "c");
	return 0;
}

static int
hangs(const char *root, struct facts *out, struct err *e)
{
	facts_add(out, "hangs", "a", "b", "c");
	for (;;)
		pause();
	return good(root, out, e);
}

static int
crashes(const char *root, struct facts *out, struct err *e)
{
	(void)root;
	(void)e;
	facts_add(out, "crashes", "a", "b", "c");
	signal(SIGSEGV, SIG_DFL); /* not the sanitizer's report */
	raise(SIGSEGV);
	return 0;
}

static int
complains(const char *root, struct facts *out, struct err *e)
{
	(void)root;
	facts_add(out, "complains", "a", "b", "c");
	return err_set(e, ERR_SYS, "half of it is missing");
}

static int
exits(const char *root, struct facts *out, struct err *e)
{
	(void)root;
	(void)out;
	(void)e;
	_exit(0); /* as a library might */
}

/* More than a pipe holds: the parent has to read while it waits. */
static int
much(const char *root, struct facts *out, struct err *e)
{
	int i;

	(void)root;
	(void)e;
	for (i = 0; i < 10000; i++)
		facts_addf(out, "much", "n", "i", "%d", i);
	return 0;
}

static int
excess(const char *root, struct facts *out, struct err *e)
{
	int i;

	(void)root;
	(void)e;
	for (i = 0; i < 19000; i++)
		facts_addf(out, "too", "much", "of", "%0100d", i);
	return 0;
}

static const struct {
	const char *name;
	probe_run *run;
	const char *fact; /* class that must be there, or NULL */
	const char *note; /* part of the note, or NULL */
} rows[] = {
	{ "slow", slow, "slow", NULL },
	{ "good", good, "good", NULL },
	{ "hangs", hangs, NULL, "hangs: killed after 4.0 s" },
	{ "crashes", crashes, NULL, "crashes: ended by signal 11" },
	{ "complains", complains, "complains",
	  "complains: half of it is missing" },
	{ "exits", exits, NULL, "exits: ended before it had told all" },
	{ "much", much, "much", NULL },
	{ "excess", excess, NULL, "excess: " },
};

static void
test_all_at_once(void)
{
	AUTO_CLEAR(detect_notes) notes = { 0 };
	AUTO(facts) out = facts_new();
	struct probe table[ARRAY_LEN(rows)];
	struct err e = { 0 };
	int64_t start = clock_boot_ms();
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		table[i] = (struct probe){ rows[i].name, rows[i].run };
	CHECK(0, probes_detect(table, ARRAY_LEN(rows), DEADLINE_MS, "/r", out,
			       &notes, &e) == 0);
	CHECK(0, clock_boot_ms() - start < 2 * DEADLINE_MS + 10000);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = buf_text(&notes.lines);
		const char *name = rows[i].name;

		if (rows[i].fact)
			CHECK(i, facts_find(out, rows[i].fact, NULL, NULL));
		else
			CHECK(i, !facts_find(out, name, NULL, NULL));
		CHECK_SHOW(i, !rows[i].note || strstr(text, rows[i].note), "%s",
			   text);
		CHECK(i, rows[i].note || !strstr(text, name));
	}
	/* The order is the table's, not that of the answers. */
	CHECK(0, str_eq(facts_at(out, 0)->word[FACT_CLASS], "slow"));
	CHECK(0, str_eq(facts_at(out, 1)->word[FACT_VALUE], "/r"));
	CHECK(0, str_eq(facts_find(out, "much", "n", "i"), "0"));
	CHECK_SHOW(0, facts_len(out) == 3 + 10000, "%zu", facts_len(out));
}

int
main(void)
{
	test_all_at_once();
	/* Every child was waited for. */
	CHECK(0, waitpid(-1, NULL, WNOHANG) < 0);
	return test_end();
}
