/* What operators say about who is who, in steps: machines ask, somebody says
 * that rows are one machine or two, and machines ask again. */
#include "lib/json.h"
#include "tests/site/fixture.h"

#define STEPS 12

/* What a machine says: "UUID SERIAL MAC...", - for none. */
struct step {
	enum { END, ASK, SAME, DISTINCT, FORGET, RELEASE } what;
	const char *first;  /* ASK: what it says; else a machine */
	const char *second; /* the other machine */
	/* ASK: the machine that it is, "m2?" when it waits; else part of the
	 * refusal, or NULL when it is done */
	const char *want;
};

static const struct row {
	const char *name;
	struct step steps[STEPS];
} rows[] = {
	{ "cloned VMs with one UUID",
	  { { ASK, "u1 - 01", NULL, "m1" },
	    { ASK, "u1 - 02", NULL, "m2?" },
	    { ASK, "u1 - 02", NULL, "m2?" },
	    { DISTINCT, "m1", "m2", NULL },
	    { ASK, "u1 - 02", NULL, "m2" },
	    { ASK, "u1 - 01", NULL, "m1" },
	    { ASK, "u1 - 03", NULL, "m3" },
	    { DISTINCT, "m1", "m2", "nothing that counts is the same" } } },
	{ "a quad NIC in another machine",
	  { { ASK, "u1 s1 01 02", NULL, "m1" },
	    { ASK, "u2 s2 01 02", NULL, "m2?" },
	    { DISTINCT, "m2", "m1", NULL },
	    { ASK, "u2 s2 01 02", NULL, "m2" },
	    { ASK, "u1 s1 03", NULL, "m1" } } },
	{ "a quad NIC in a machine that is known",
	  { { ASK, "u1 s1 01", NULL, "m1" },
	    { ASK, "u2 s2 02", NULL, "m2" },
	    { ASK, "u2 s2 01 02", NULL, "m3?" },
	    { SAME, "m2", "m3", "m1's" },
	    { DISTINCT, "m1", "m3", NULL },
	    { ASK, "u2 s2 01 02", NULL, "m2" },
	    { SAME, "m2", "m3", "no machine is called" } } },
	{ "board and NICs exchanged",
	  { { ASK, "u1 s1 01", NULL, "m1" },
	    { ASK, "u2 s1 02", NULL, "m2?" },
	    { SAME, "m1", "m2", NULL },
	    { ASK, "u2 s1 02", NULL, "m1" },
	    /* the old board has its own life now; its NIC is still m1's */
	    { ASK, "u1 s9 03", NULL, "m3" } } },
	{ "the stranger is named first",
	  { { ASK, "u1 s1 01", NULL, "m1" },
	    { ASK, "u2 s1 02", NULL, "m2?" },
	    { SAME, "m2", "m1", NULL },
	    { ASK, "u2 s1 02", NULL, "m1" } } },
	{ "all exchanged: two machines, each with a profile",
	  { { ASK, "u1 s1 01", NULL, "m1" },
	    { ASK, "u2 s2 02", NULL, "m2" },
	    { SAME, "m1", "m2", "both have a profile" },
	    { RELEASE, "m1", NULL, NULL },
	    { SAME, "m1", "m2", NULL },
	    { ASK, "u2 s2 02", NULL, "m2" },
	    { ASK, "u2 - 01", NULL, "m2" } } },
	{ "distinct was wrong",
	  { { ASK, "u1 - 01", NULL, "m1" },
	    { ASK, "u1 - 02", NULL, "m2?" },
	    { DISTINCT, "m1", "m2", NULL },
	    { SAME, "m1", "m2", NULL },
	    { ASK, "u1 - 02", NULL, "m1" },
	    { ASK, "u1 - 01", NULL, "m1" } } },
	{ "distinct leaves nothing",
	  { { ASK, "u1 - 01", NULL, "m1" },
	    { ASK, "u2 s1 01", NULL, "m2?" },
	    { DISTINCT, "m1", "m2", NULL },
	    { ASK, "- - 01", NULL, "m3?" },
	    { DISTINCT, "m1", "m3", "nothing that counts" } } },
	{ "only what is shared",
	  { { ASK, "- - 01", NULL, "m1" },
	    { ASK, "u1 s1 01", NULL, "m1" },
	    { ASK, "u2 s2 01", NULL, "m2?" },
	    { RELEASE, "m1", NULL, NULL },
	    { FORGET, "m1", NULL, NULL },
	    { ASK, "u2 s2 01", NULL, "m2" } } },
	{ "nothing left to be known by",
	  { { ASK, "u1 - -", NULL, "m1" },
	    { ASK, "u1 s1 -", NULL, "m1" },
	    { ASK, "u1 s2 -", NULL, "m2?" },
	    { DISTINCT, "m1", "m2", NULL },
	    { ASK, "u1 s2 -", NULL, "m2" },
	    { ASK, "u1 - -", NULL, "m3?" },
	    { FORGET, "m3", NULL, NULL },
	    { ASK, "u1 - -", NULL, "m4?" } } },
	{ "forget",
	  { { ASK, "u1 s1 01", NULL, "m1" },
	    { FORGET, "m1", NULL, "release it first" },
	    { RELEASE, "m1", NULL, NULL },
	    { FORGET, "m1", NULL, NULL },
	    { FORGET, "m1", NULL, "no machine is called" },
	    { ASK, "u1 s1 01", NULL, "m2" } } },
	{ "no words for it",
	  { { ASK, "- - -", NULL, "m1?" },
	    { ASK, "u1 s1 01", NULL, "m2" },
	    { SAME, "m1", "m1", "both are machine m1" },
	    { DISTINCT, "m1", "m2", "nothing that counts is the same" },
	    { SAME, "m2", "nobody", "no machine is called" } } },
};

static struct facts *
facts_saying(const char *text)
{
	AUTO_FREE char *copy = base_strdup(text);
	struct facts *f = facts_new();
	char *rest = NULL, *word = strtok_r(copy, " ", &rest);

	facts_add(f, "disk", "vda", "size", "8");
	if (!str_eq(word, "-"))
		facts_addf(f, "system", "product", "uuid",
			   "4c4c4544-0031-4a10-8052-b7c04f4c58%s", word + 1);
	word = strtok_r(NULL, " ", &rest);
	if (!str_eq(word, "-"))
		facts_addf(f, "system", "product", "serial", "SER%s", word);
	for (unsigned n = 0; (word = strtok_r(NULL, " ", &rest)); n++) {
		AUTO_FREE char *nic = base_printf("eth%u", n);

		if (!str_eq(word, "-"))
			facts_addf(f, "network", nic, "serial",
				   "52:54:00:00:00:%s", word);
	}
	return f;
}

/* A new run each time. Owned: "m1", with "?" when it waits. */
static char *
becomes(struct site *s, const char *says, unsigned run)
{
	AUTO(facts) f = facts_saying(says);
	AUTO_FREE char *id = base_printf("%032x", run);
	struct site_upload u = { .facts = f, .peer = "192.0.2.1", .run = id };
	struct site_reply r = { 0 };
	struct err e = { 0 };
	char *out;

	if (site_upload(s, &u, &r, &e) < 0)
		out = base_strdup(e.text);
	else
		out = base_printf("%s%s", r.machine,
				  r.outcome == SITE_WAITS ? "?" : "");
	site_reply_clear(&r);
	return out;
}

static int
say(struct site *s, const struct step *t, struct err *e)
{
	switch (t->what) {
	case SAME:
		return site_same(s, t->first, t->second, e);
	case DISTINCT:
		return site_distinct(s, t->first, t->second, e);
	case FORGET:
		return site_forget(s, t->first, e);
	default:
		return site_release(s, t->first, e);
	}
}

/* A site of one profile that every machine here fits. */
static struct site *
open_site(struct folder *f)
{
	struct site *s = NULL;
	struct err e = { 0 };

	folder_make(f);
	folder_put(f, "state", "[('a', '*')]\n");
	folder_put(f, "a.specs", "[('disk', '$disk', 'size', 'gt(4)')]\n");
	folder_put(f, "a.configure", "a()\n");
	CHECK_SHOW(0, site_open(&s, f->conf, &e) == 0, "%s", e.text);
	return s;
}

static void
test_row(const struct row *row)
{
	struct folder f;
	struct site *s = open_site(&f);
	struct err e = { 0 };

	for (unsigned i = 0; i < STEPS && row->steps[i].what != END; i++) {
		const struct step *t = &row->steps[i];
		AUTO_FREE char *is = NULL;

		e = (struct err){ 0 };
		if (t->what == ASK) {
			is = becomes(s, t->first, i + 1);
			CHECK_SHOW(i, str_eq(is, t->want), "%s: %s", row->name,
				   is);
		} else {
			int done = say(s, t, &e);

			CHECK_SHOW(i,
				   t->want ? done < 0 &&
						     e.kind == ERR_REFUSED &&
						     strstr(e.text, t->want)
					   : done == 0,
				   "%s: %s", row->name, e.text);
		}
	}
	site_free(s);
	folder_remove(&f);
}

/* Who waits is told what to say, and what was said is still known after a
 * restart; the runs of a row that goes are the other's. */
static void
test_told(void)
{
	struct folder f;
	struct site *s = open_site(&f);
	struct value *v = NULL;
	const struct value *runs;
	struct err e = { 0 };

	free(becomes(s, "u1 - 01", 1));
	free(becomes(s, "u1 - 02", 2));
	CHECK(1, site_machine(s, "m2", &v, &e) == 0);
	CHECK_SHOW(1,
		   strstr(value_get_str(v, "reason"),
			  "edeployctl same m1 m2; if not: edeployctl distinct "
			  "m1 m2"),
		   "%s", value_get_str(v, "reason"));
	value_free(STEAL(v));
	CHECK(2, site_distinct(s, "m1", "m2", &e) == 0);
	site_free(STEAL(s));
	CHECK(3, site_open(&s, f.conf, &e) == 0);
	free(becomes(s, "u1 - 02", 3));
	CHECK(4, site_release(s, "m1", &e) == 0);
	CHECK_SHOW(5, site_same(s, "m1", "m2", &e) == 0, "%s", e.text);
	CHECK(6, site_machine(s, "m2", &v, &e) == 0);
	runs = value_get(v, "runs");
	CHECK(7, runs && runs->list.len == 2);
	value_free(STEAL(v));
	CHECK(8, site_machine(s, "m1", &v, &e) < 0);
	site_free(s);
	folder_remove(&f);
}

int
main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		test_row(&rows[i]);
	test_told();
	return test_end();
}
