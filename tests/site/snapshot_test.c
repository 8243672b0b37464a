/* The files of a site while people edit them: an edit counts once it is quiet,
 * as a whole; a wrong file leaves the last good text in force, and where there
 * is none its machines wait while no later profile takes them. */
#include "tests/site/fixture.h"

#define SPECS "[('disk', '$disk', 'size', 'gt(4)')]\n"
#define NEVER "[('disk', '$disk', 'size', 'gt(4000)')]\n"
#define WRONG "[('disk', \n"

/* ---- reading, without a store ---- */

/* A site of profiles a and b; the file `name` gets `second` after `first`. */
static const struct {
	const char *name, *first, *second; /* NULL: no such file */
	const char *problem;               /* of profile a, then; NULL: none */
	const char *told;  /* among the problems; NULL: none are told */
	unsigned line;     /* of what is told */
	const char *force; /* the .specs text in force */
} rows[] = {
	{ "a.specs", SPECS, NEVER, NULL, NULL, 0, NEVER },
	{ "a.specs", SPECS, WRONG, NULL, "a.specs:2", 2, SPECS },
	{ "a.specs", SPECS, "", NULL, "a.specs:1", 1, SPECS },
	{ "a.specs", SPECS, "\n\n[('a', 'b')]\n", NULL, "a.specs:3", 3, SPECS },
	{ "a.specs", WRONG, WRONG, "a.specs:2", "a.specs:2", 2, NULL },
	{ "a.specs", WRONG, SPECS, NULL, NULL, 0, SPECS },
	{ "a.specs", SPECS, NULL, NULL, NULL, 0, NULL },
	{ "a.specs", SPECS, "[('a', '$x', 'b', 'GT(4)')]\n", NULL, "GT", 1,
	  "[('a', '$x', 'b', 'GT(4)')]\n" },
	{ "a.configure", "", "", NULL, NULL, 0, SPECS },
	{ "a.configure", "x()\n", NULL, "a.configure: missing",
	  "a.configure: missing", 0, SPECS },
	{ "a.cmdb", NULL, "[]\n", NULL, NULL, 0, SPECS },
	{ "a.cmdb", "[]\n", "[\n", NULL, "a.cmdb:2", 2, SPECS },
	{ "a.cmdb", "[]\n", "", NULL, "a.cmdb", 1, SPECS },
	{ "a.cmdb", NULL, "[\n", "a.cmdb:2", "a.cmdb:2", 2, SPECS },
	{ "a.cmdb", NULL, "", "a.cmdb", "a.cmdb", 1, SPECS },
	{ "a.cmdb", "[]\n", NULL, NULL, "a.cmdb: vanished", 0, SPECS },
	{ "state", "[('a', 1)]\n", "[('a', 2)]\n", NULL, NULL, 0, SPECS },
	{ "state", "[('a', 1)]\n", "[('a', \n", NULL, "state:2", 2, SPECS },
	{ "state", "[('a', 1)]\n", "[('a', 'x')]\n", NULL, "state:1", 1,
	  SPECS },
	{ "state", "[('a', 1)]\n", NULL, NULL, "state: missing", 0, SPECS },
	/* files of nobody's are not looked at */
	{ "a.specs~", WRONG, WRONG, NULL, NULL, 0, SPECS },
	{ ".a.specs.swp", WRONG, WRONG, NULL, NULL, 0, SPECS },
	{ "c.specs", WRONG, WRONG, NULL, NULL, 0, SPECS },
};

static const struct problem *
find_told(const struct snapshot *s, const char *what)
{
	for (size_t i = 0; i < s->problems_len; i++)
		if (strstr(s->problems[i].message, what))
			return &s->problems[i];
	return NULL;
}

static void
check_row(size_t i, const struct snapshot *s)
{
	const struct profile *p = snapshot_profile(s, "a");
	const struct problem *told =
		rows[i].told ? find_told(s, rows[i].told) : NULL;

	CHECK(i, p && s->len >= 1 && str_eq(s->profiles[0].name, "a"));
	if (!p)
		return;
	CHECK_SHOW(i,
		   rows[i].problem
			   ? p->problem && strstr(p->problem, rows[i].problem)
			   : !p->problem,
		   "%s", p->problem);
	CHECK_SHOW(i, (s->problems_len > 0) == (rows[i].told != NULL), "%s",
		   s->problems_len ? s->problems[0].message : "nothing told");
	CHECK(i, !rows[i].told || (told && told->line == rows[i].line));
	CHECK_SHOW(i, str_eq(p->specs_text, rows[i].force), "%s",
		   p->specs_text);
	CHECK(i, (p->patterns != NULL) == (rows[i].force != NULL));
}

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(snapshot) first = NULL;
		AUTO(snapshot) second = NULL;
		AUTO(snapshot) third = NULL;
		struct folder f;

		folder_make(&f);
		folder_put(&f, "state", "[('a', '*')]\n");
		folder_put(&f, "a.specs", SPECS);
		folder_put(&f, "a.configure", "x()\n");
		folder_put(&f, rows[i].name, rows[i].first);
		first = snapshot_read(f.dir, NULL);
		folder_put(&f, rows[i].name, rows[i].second);
		second = snapshot_read(f.dir, first);
		check_row(i, second);
		/* and again, with nothing edited: it stays so */
		third = snapshot_read(f.dir, second);
		check_row(i, third);
		folder_remove(&f);
	}
}

/* No state, then none that can be read: nothing is in force, and it is said
 * what to do. */
static void
test_no_state(void)
{
	AUTO(snapshot) none = NULL;
	AUTO(snapshot) wrong = NULL;
	AUTO(snapshot) nowhere = NULL;
	struct folder f;

	folder_make(&f);
	none = snapshot_read(f.dir, NULL);
	CHECK(0, !none->state && none->len == 0 &&
			 strstr(none->state_problem, "missing; write [("));
	folder_put(&f, "state", "{}\n");
	wrong = snapshot_read(f.dir, none);
	CHECK(1, !wrong->state && strstr(wrong->state_problem, "state:1:1"));
	nowhere = snapshot_read("/nonexistent", NULL);
	CHECK(2, !nowhere->state && nowhere->problems_len == 1);
	folder_remove(&f);
}

/* ---- asking a site that is being edited ---- */

static struct folder folder;
static struct site *site;
static unsigned run = 1;

/* What machine `n` becomes: the profile, or the reason why none. Owned. */
static char *
becomes(unsigned n)
{
	struct site_reply r;
	struct err e = { 0 };
	char *text;

	if (ask_as(site, n, run++, &r, &e) < 0)
		return base_strdup(e.text);
	text = base_strdup(r.profile  ? r.profile
			   : r.reason ? r.reason
				      : "(no reason)");
	site_reply_clear(&r);
	return text;
}

static bool
becomes_like(unsigned n, const char *want)
{
	AUTO_FREE char *text = becomes(n);

	if (!strstr(text, want))
		printf("# becomes: %s\n", text);
	return strstr(text, want) != NULL;
}

static void
open_site(const char *state)
{
	struct err e = { 0 };

	folder_make(&folder);
	folder_put(&folder, "state", state);
	folder_put(&folder, "a.specs", SPECS);
	folder_put(&folder, "a.configure", "a()\n");
	folder_put(&folder, "b.specs", "[]\n");
	folder_put(&folder, "b.configure", "b()\n");
	CHECK_SHOW(0, site_open(&site, folder.conf, &e) == 0, "%s", e.text);
}

static void
close_site(void)
{
	site_free(site);
	site = NULL;
	folder_remove(&folder);
}

/* Somebody saves again and again: not yet. Nor when one file is quiet and
 * another is not. -1: the machine was too busy, there was half a second
 * between two looks. */
static int
saves_on(void)
{
	int64_t put = clock_boot_ms();
	bool good = becomes_like(1, "a");

	for (unsigned i = 0; i < 8; i++) {
		if (clock_boot_ms() - put > 450)
			return -1;
		put = clock_boot_ms();
		if (i == 6)
			folder_put(&folder, "b.configure", "b2()\n");
		else
			folder_put(&folder, "a.specs",
				   i % 2 ? NEVER : NEVER "\n");
		good = becomes_like(10 + i, "a") && good;
		usleep((i < 6 ? 200 : 300) * 1000);
	}
	good = becomes_like(30, "a") && good;
	return clock_boot_ms() - put > 450 ? -1 : good;
}

/* An edit is not seen before it is quiet for half a second, and several are
 * seen together. */
static void
test_quiet(void)
{
	int said = -1;

	for (int i = 0; i < 40 && said < 0; i++) {
		open_site("[('a', '*'), ('b', '*')]\n");
		said = saves_on();
		if (said >= 0) {
			let_quiet();
			CHECK(1, becomes_like(31, "b"));
		}
		close_site();
	}
	CHECK(0, said == 1);
}

/* A wrong file with nothing good before it: its machines wait, also those that
 * the catch-all behind it would take. */
static void
test_wrong_in_front(void)
{
	open_site("[('b', '*')]\n");
	folder_put(&folder, "a.specs", WRONG);
	folder_put(&folder, "state", "[('a', '*'), ('b', '*')]\n");
	let_quiet();
	CHECK(1, becomes_like(1, "a.specs:2"));
	CHECK(2, shows(site, 1, "condition", "waiting") &&
			 shows(site, 1, "profile", NULL));
	folder_put(&folder, "a.specs", NULL);
	folder_put(&folder, "a.configure", NULL);
	let_quiet();
	CHECK(3, becomes_like(1, "b"));
	close_site();
}

/* Behind another profile the wrong one keeps nobody waiting whom the first
 * one takes; with no unit left it is not asked at all. */
static void
test_wrong_behind(void)
{
	open_site("[('a', 1), ('b', 0), ('a2', '*')]\n");
	folder_put(&folder, "b.specs", WRONG);
	folder_put(&folder, "a2.specs", SPECS);
	folder_put(&folder, "a2.configure", "a2()\n");
	site_free(STEAL(site));
	CHECK(0, site_open(&site, folder.conf, &(struct err){ 0 }) == 0);
	CHECK(1, becomes_like(1, "a"));
	CHECK(2, becomes_like(2, "a2"));
	close_site();
}

/* A machine keeps its profile when it becomes wrong, and waits for it. */
static void
test_kept(void)
{
	open_site("[('a', '*'), ('b', '*')]\n");
	CHECK(0, becomes_like(1, "a"));
	folder_put(&folder, "a.configure", NULL);
	let_quiet();
	CHECK(1, becomes_like(1, "a.configure: missing"));
	CHECK(2, shows(site, 1, "profile", "a"));
	folder_put(&folder, "a.configure", "again()\n");
	folder_put(&folder, "state", "[('b', '*')]\n");
	let_quiet();
	CHECK(3, becomes_like(1, "no longer in the state file"));
	folder_put(&folder, "state", "[('b', '*'), ('a', '*')]\n");
	folder_put(&folder, "a.specs", NEVER);
	let_quiet();
	CHECK(4, becomes_like(1, "no longer fits"));
	folder_put(&folder, "a.specs", SPECS);
	let_quiet();
	CHECK(5, becomes_like(1, "a"));
	close_site();
}

/* A machine that waits for its profile keeps its unit meanwhile. */
static void
test_units(void)
{
	open_site("[('a', 1)]\n");
	CHECK(0, becomes_like(1, "a"));
	folder_put(&folder, "a.configure", NULL);
	let_quiet();
	CHECK(1, becomes_like(1, "a.configure: missing"));
	folder_put(&folder, "a.configure", "a()\n");
	let_quiet();
	CHECK(2, becomes_like(2, "all its units taken"));
	CHECK(3, becomes_like(1, "a"));
	CHECK(4, site_release(site, "SER1", &(struct err){ 0 }) == 0);
	CHECK(5, becomes_like(2, "a"));
	CHECK(6, becomes_like(1, "units"));
	close_site();
}

int
main(void)
{
	test_rows();
	test_no_state();
	test_quiet();
	test_wrong_in_front();
	test_wrong_behind();
	test_kept();
	test_units();
	return test_end();
}
