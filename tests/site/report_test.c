/* Reports of a run: what they change, and above all what they must not. Each
 * row is told to a fresh machine with an open run 1. */
#include "lib/json.h"
#include "tests/site/fixture.h"

#define E(n, rest) "{\"n\": " #n ", \"at\": 1, " rest "}"
#define PHASE "\"kind\": \"phase\", \"phase\": \"disks\""
#define DONE "\"kind\": \"done\", \"action\": \"reboot\""
#define FAILED "\"kind\": \"failed\", \"reason\": \"no disk\""

/* What is told, in one request each. */
static const struct {
	const char *told[3];
	const char *condition, *reason, *phase;
	int64_t next;       /* after the last one that was taken */
	enum err_kind last; /* of the last one */
} rows[] = {
	{ { "[]" }, "assigned", NULL, NULL, 1, ERR_NONE },
	{ { "[" E(1, PHASE) "]" }, "installing", NULL, "disks", 2, ERR_NONE },
	{ { "[" E(1, PHASE) "," E(2, DONE) "]" },
	  "installed",
	  NULL,
	  "disks",
	  3,
	  ERR_NONE },
	{ { "[" E(1, FAILED) "]" }, "failed", "no disk", NULL, 2, ERR_NONE },
	{ { "[" E(1, "\"kind\": \"failed\"") "]" },
	  "failed",
	  "failed without a reason",
	  NULL,
	  2,
	  ERR_NONE },
	{ { "[" E(1, "\"kind\": \"failed\", \"reason\": \"exit 1\", "
		     "\"command\": \"mkfs\", \"file\": \"vm.configure\", "
		     "\"line\": 7") "]" },
	  "failed",
	  "vm.configure:7: mkfs: exit 1",
	  NULL,
	  2,
	  ERR_NONE },
	/* told again, whole or in part: as the first time */
	{ { "[" E(1, PHASE) "]", "[" E(1, PHASE) "]" },
	  "installing",
	  NULL,
	  "disks",
	  2,
	  ERR_NONE },
	{ { "[" E(1, PHASE) "]", "[" E(1, PHASE) "," E(2, DONE) "]",
	    "[" E(1, PHASE) "," E(2, DONE) "]" },
	  "installed",
	  NULL,
	  "disks",
	  3,
	  ERR_NONE },
	/* an event told again cannot become another one */
	{ { "[" E(1, DONE) "]", "[" E(1, FAILED) "]" },
	  "installed",
	  NULL,
	  NULL,
	  2,
	  ERR_NONE },
	/* after its end a run says nothing new */
	{ { "[" E(1, DONE) "]", "[" E(2, FAILED) "]" },
	  "installed",
	  NULL,
	  NULL,
	  2,
	  ERR_REFUSED },
	{ { "[" E(1, FAILED) "]", "[" E(2, DONE) "]" },
	  "failed",
	  "no disk",
	  NULL,
	  2,
	  ERR_REFUSED },
	{ { "[" E(1, FAILED) "," E(2, DONE) "]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_REFUSED },
	/* a gap, or a part that is wrong: nothing of the request is taken */
	{ { "[" E(2, DONE) "]" }, "assigned", NULL, NULL, 1, ERR_INPUT },
	{ { "[" E(1, PHASE) "," E(3, DONE) "]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	{ { "[" E(1, PHASE) ", 7]" }, "assigned", NULL, NULL, 1, ERR_INPUT },
	{ { "[" E(1, PHASE) ", {\"n\": 2}]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	{ { "[" E(0, DONE) "]" }, "assigned", NULL, NULL, 1, ERR_INPUT },
	{ { "[" E(-1, DONE) "]" }, "assigned", NULL, NULL, 1, ERR_INPUT },
	{ { "[{\"n\": \"1\", \"kind\": \"done\"}]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	{ { "[{\"n\": 1, \"kind\": 5}]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	{ { "[" E(1, "\"kind\": \"a b\"") "]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	{ { "[" E(1, "\"kind\": \"\"") "]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	{ { "[" E(1, "\"kind\": "
		     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"") "]" },
	  "assigned",
	  NULL,
	  NULL,
	  1,
	  ERR_INPUT },
	/* members of another kind than they should be */
	{ { "[" E(1, "\"kind\": \"phase\", \"phase\": 7") "]" },
	  "installing",
	  NULL,
	  NULL,
	  2,
	  ERR_NONE },
	{ { "[" E(1, "\"kind\": \"failed\", \"reason\": [1], "
		     "\"command\": {}, \"line\": \"x\"") "]" },
	  "failed",
	  "failed without a reason",
	  NULL,
	  2,
	  ERR_NONE },
	{ { "7" }, "assigned", NULL, NULL, 1, ERR_INPUT },
	{ { "{}" }, "assigned", NULL, NULL, 1, ERR_INPUT },
	{ { "null" }, "assigned", NULL, NULL, 1, ERR_INPUT },
};

/* Tell `json` as run `k`; the number that comes back, or -1. */
static int64_t
tell(struct site *s, unsigned k, const char *token, const char *json,
     struct err *e)
{
	struct value *v = NULL;
	int64_t next = -1;
	char id[TOKEN_HEX];

	run_id(id, k);
	if (json_parse(&v, json, strlen(json), e) < 0)
		abort();
	if (site_events(s, id, token, v, &next, e) < 0)
		next = -1;
	value_free(v);
	return next;
}

static void
test_rows(struct site *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned n = 100 + i, k = 1000 + i;
		struct err e = { 0 }, again = { 0 };
		struct site_reply r;
		int64_t next = 0;

		CHECK_SHOW(i, ask_as(s, n, k, &r, &e) == 0, "%s", e.text);
		for (size_t t = 0; t < 3 && rows[i].told[t]; t++) {
			e = (struct err){ 0 };
			next = tell(s, k, r.token, rows[i].told[t], &e);
		}
		CHECK_SHOW(i, e.kind == rows[i].last, "%d %s", e.kind, e.text);
		CHECK(i, (next == -1) == (rows[i].last != ERR_NONE));
		/* nothing told is answered with what is wanted next */
		CHECK(i, tell(s, k, r.token, "[]", &again) == rows[i].next);
		CHECK(i, shows(s, n, "condition", rows[i].condition));
		CHECK(i, shows(s, n, "reason", rows[i].reason));
		CHECK(i, shows(s, n, "phase", rows[i].phase));
		site_reply_clear(&r);
	}
}

/* A token of another run, of no run, and of the run before. */
static void
test_tokens(struct site *s)
{
	struct site_reply a, b, c;
	struct err e = { 0 };
	char id[TOKEN_HEX];
	AUTO_FREE char *path = NULL;

	CHECK(0, ask_as(s, 1, 1, &a, &e) == 0 && ask_as(s, 2, 2, &b, &e) == 0);
	CHECK(1, tell(s, 1, b.token, "[" E(1, DONE) "]", &e) == -1 &&
			 e.kind == ERR_REFUSED);
	CHECK(2, tell(s, 3, a.token, "[" E(1, DONE) "]", &e) == -1 &&
			 e.kind == ERR_REFUSED);
	CHECK(3, tell(s, 1, "", "[" E(1, DONE) "]", &e) == -1 &&
			 tell(s, 1, NULL, "[" E(1, DONE) "]", &e) == -1);
	CHECK(4, shows(s, 1, "condition", "assigned") &&
			 shows(s, 2, "condition", "assigned"));
	/* a new run: the one before may say no more, but that changes nothing
	 */
	CHECK(5, ask_as(s, 1, 4, &c, &e) == 0 && !str_eq(a.token, c.token));
	CHECK(6, tell(s, 1, a.token, "[" E(1, FAILED) "]", &e) == -1 &&
			 e.kind == ERR_REFUSED);
	CHECK(7, shows(s, 1, "condition", "assigned") &&
			 shows(s, 1, "reason", NULL));
	run_id(id, 1);
	CHECK(8, site_log_path(s, id, a.token, &path, &e) == 0 &&
			 str_ends(path, "/log/00000000000000000000000000000001"
					".log"));
	owned(&path, NULL);
	CHECK(9, site_log_path(s, id, c.token, &path, &e) < 0 && !path &&
			 e.kind == ERR_REFUSED);
	site_reply_clear(&a);
	site_reply_clear(&b);
	site_reply_clear(&c);
}

/* A machine that was told to boot its own disk stays installed. */
static void
test_local(struct site *s)
{
	struct site_reply r, local;
	struct err e = { 0 };

	CHECK(0, ask_as(s, 5, 50, &r, &e) == 0 &&
			 tell(s, 50, r.token, "[" E(1, DONE) "]", &e) == 2);
	CHECK(1, ask_as(s, 5, 51, &local, &e) == 0 &&
			 local.outcome == SITE_BOOT_LOCAL);
	CHECK(2, tell(s, 51, local.token, "[" E(1, FAILED) "]", &e) == 2 &&
			 shows(s, 5, "condition", "installed"));
	site_reply_clear(&r);
	site_reply_clear(&local);
}

static void
fail_old(struct site *s, unsigned n, unsigned disk_gb, const char *profile)
{
	AUTO(facts) f = machine_facts(n, disk_gb);
	struct err e = { 0 };

	CHECK_SHOW(n, site_old_failure(s, f, profile, &e) == 0, "%s", e.text);
}

/* The first eDeploy's agents: no run id, no token; what they report must be
 * about the script that they got. */
static void
test_old(struct site *s)
{
	struct site_reply r, again;
	struct err e = { 0 };

	fail_old(s, 7, 8, "vm"); /* a machine that nobody knows */
	CHECK(0, shows(s, 7, "condition", NULL));
	CHECK(1, ask_as(s, 7, 0, &r, &e) == 0 && r.outcome == SITE_ASSIGNED);
	CHECK(2, ask_as(s, 7, 0, &again, &e) == 0 && str_eq(r.run, again.run) &&
			 str_eq(r.script.at, again.script.at));
	fail_old(s, 7, 9, "vm"); /* other facts */
	fail_old(s, 7, 8, "db"); /* another profile */
	CHECK(3, shows(s, 7, "condition", "assigned"));
	fail_old(s, 7, 8, "vm");
	CHECK(4, shows(s, 7, "condition", "failed") &&
			 shows(s, 7, "reason", "the agent reported a failure"));
	fail_old(s, 7, 8, "vm"); /* told again */
	CHECK(5, shows(s, 7, "condition", "failed"));
	site_reply_clear(&r);
	site_reply_clear(&again);
	/* the run of an agent with an id is not ended by a form */
	CHECK(6, ask_as(s, 8, 80, &r, &e) == 0);
	fail_old(s, 8, 8, "vm");
	CHECK(7, shows(s, 8, "condition", "assigned"));
	site_reply_clear(&r);
}

/* The largest body of an event, and one byte more. */
static void
test_size(struct site *s)
{
	static const struct {
		size_t text_len;
		int64_t next;
	} sizes[] = { { 65000, 2 }, { 65536, -1 } };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO_FREE char *text = base_alloc(sizes[i].text_len + 1);
		AUTO_FREE char *json = NULL;
		struct err e = { 0 };
		struct site_reply r;
		unsigned k = 90 + (unsigned)i;

		memset(text, 'x', sizes[i].text_len);
		json = base_printf("[{\"n\": 1, \"kind\": \"message\", "
				   "\"text\": \"%s\"}]",
				   text);
		CHECK(i, ask_as(s, k, k, &r, &e) == 0);
		CHECK(i, tell(s, k, r.token, json, &e) == sizes[i].next);
		site_reply_clear(&r);
	}
}

int
main(void)
{
	struct folder f;
	struct site *s = NULL;
	struct err e = { 0 };

	folder_make(&f);
	folder_put(&f, "state", "[('vm', '*')]\n");
	folder_put(&f, "vm.specs", "[('disk', '$disk', 'size', 'gt(4)')]\n");
	folder_put(&f, "vm.configure", "log('one')\n");
	CHECK_SHOW(0, site_open(&s, f.conf, &e) == 0, "%s", e.text);
	if (s) {
		test_rows(s);
		test_tokens(s);
		test_local(s);
		test_old(s);
		test_size(s);
	}
	site_free(s);
	folder_remove(&f);
	return test_end();
}
