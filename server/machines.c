/* An operator asks, through edeployctl: JSON over the section's unix socket. */
#include "server/handler.h"
#include "lib/clock.h"
#include "lib/num.h"
#include "specs/facts.h"

#define WAIT_MAX_S 30
#define WAIT_STEP_MS 500 /* how soon a stop ends a wait */

/* A list of the site as {"NAME": [...]}. */
static void
reply_list(struct app *a, const struct request *r, const char *name,
	   int (*ask)(struct site *, struct value **, struct err *),
	   struct reply *out)
{
	AUTO(value) list = NULL;
	AUTO(value) doc = value_dict();
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };

	if (!s)
		return;
	if (ask(s, &list, &e) < 0) {
		reply_err(out, &e, 409);
		return;
	}
	value_set(doc, name, STEAL(list));
	reply_json(out, doc);
}

void
machines_get(struct app *a, const struct request *r, const char *arg,
	     struct reply *out)
{
	(void)arg;
	reply_list(a, r, "machines", site_machines, out);
}

/* One thing about one machine (asked with `arg`); `refused` is the status when
 * the site does not say it. What has nothing to tell answers {}. */
static void
reply_one(struct app *a, const struct request *r, const char *arg, int refused,
	  int (*ask)(struct site *, const char *, struct value **,
		     struct err *),
	  struct reply *out)
{
	AUTO(value) doc = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };

	if (!s)
		return;
	if (ask(s, arg, &doc, &e) < 0) {
		reply_err(out, &e, refused);
		return;
	}
	if (!doc)
		doc = value_dict();
	reply_json(out, doc);
}

void
machine_get(struct app *a, const struct request *r, const char *name,
	    struct reply *out)
{
	reply_one(a, r, name, 404, site_machine, out);
}

/* Do one thing to a machine and show it as it is then. */
static void
change(struct app *a, const struct request *r, const char *name,
       int (*act)(struct site *, const char *, struct err *), struct reply *out)
{
	AUTO(value) doc = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };
	const char *id;

	if (!s)
		return;
	if (site_machine(s, name, &doc, &e) < 0) {
		reply_err(out, &e, 404);
		return;
	}
	/* a machine that is released has no hostname any more */
	id = value_get_str(doc, "id");
	if (act(s, id, &e) < 0) {
		reply_err(out, &e, 409);
		return;
	}
	machine_get(a, r, id, out);
}

void
machine_reinstall(struct app *a, const struct request *r, const char *name,
		  struct reply *out)
{
	change(a, r, name, site_reinstall, out);
}

void
machine_release(struct app *a, const struct request *r, const char *name,
		struct reply *out)
{
	change(a, r, name, site_release, out);
}

/* Of two machines: the path names one, `other` the other. */
static void
relate(struct app *a, const struct request *r, const char *name,
       int (*act)(struct site *, const char *, const char *, struct err *),
       struct reply *out)
{
	AUTO_FREE char *other = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };

	if (!s)
		return;
	if (query_get(r->query, "other", 200, &other, &e) < 0) {
		reply_err(out, &e, 400);
	} else if (!other) {
		reply_error(out, 400, "other=MACHINE is missing");
	} else if (act(s, name, other, &e) < 0) {
		reply_err(out, &e, 409);
	} else {
		AUTO(value) done = value_dict();

		reply_json(out, done);
	}
}

void
machine_same(struct app *a, const struct request *r, const char *name,
	     struct reply *out)
{
	relate(a, r, name, site_same, out);
}

void
machine_distinct(struct app *a, const struct request *r, const char *name,
		 struct reply *out)
{
	relate(a, r, name, site_distinct, out);
}

static int
forget(struct site *s, const char *name, struct value **doc, struct err *e)
{
	(void)doc;
	return site_forget(s, name, e);
}

void
machine_forget(struct app *a, const struct request *r, const char *name,
	       struct reply *out)
{
	reply_one(a, r, name, 409, forget, out);
}

static int
explain(struct site *s, const char *name, struct value **doc, struct err *e)
{
	return site_explain(s, name, NULL, doc, e);
}

void
machine_explain(struct app *a, const struct request *r, const char *name,
		struct reply *out)
{
	reply_one(a, r, name, 404, explain, out);
}

void
problems_get(struct app *a, const struct request *r, const char *arg,
	     struct reply *out)
{
	(void)arg;
	reply_list(a, r, "problems", site_problems, out);
}

void
state_get(struct app *a, const struct request *r, const char *arg,
	  struct reply *out)
{
	(void)arg;
	reply_list(a, r, "state", site_state, out);
}

void
cmdb_get(struct app *a, const struct request *r, const char *profile,
	 struct reply *out)
{
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };

	if (!s)
		return;
	if (site_entries(s, profile, &out->body, &e) < 0) {
		reply_err(out, &e, 404);
		return;
	}
	out->status = 200;
	buf_char(&out->body, '\n');
	reply_header(out, "Content-Type", "application/json");
}

/* Facts of a machine that need not be known. */
void
explain_post(struct app *a, const struct request *r, const char *arg,
	     struct reply *out)
{
	AUTO(value) doc = NULL;
	AUTO(facts) facts = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };

	(void)arg;
	if (!s)
		return;
	if (facts_from_json(&facts, r->body, r->body_len, &e) < 0 ||
	    site_explain(s, NULL, facts, &doc, &e) < 0)
		reply_err(out, &e, 409);
	else
		reply_json(out, doc);
}

static int
feed_numbers(const struct request *r, int64_t *after, uint64_t *wait_s,
	     struct err *e)
{
	AUTO_FREE char *after_text = NULL, *wait_text = NULL;

	*after = -1;
	*wait_s = 0;
	if (query_get(r->query, "after", 20, &after_text, e) < 0 ||
	    query_get(r->query, "wait", 20, &wait_text, e) < 0)
		return -1;
	if (after_text &&
	    num_i64(after_text, 0, INT64_MAX, after, "after", e) < 0)
		return -1;
	if (wait_text &&
	    num_u64(wait_text, 0, WAIT_MAX_S, wait_s, "wait", e) < 0)
		return -1;
	return 0;
}

static bool
is_empty(const struct value *doc)
{
	const struct value *events = value_get(doc, "events");

	return !events || events->list.len == 0;
}

/* The wait is done in steps, so that a stopping server is not held up. */
void
feed_get(struct app *a, const struct request *r, const char *arg,
	 struct reply *out)
{
	AUTO(value) doc = NULL;
	struct site *s = app_site_asked(a, r, out);
	struct err e = { 0 };
	int64_t after, until, left;
	uint64_t wait_s;

	(void)arg;
	if (!s)
		return;
	if (feed_numbers(r, &after, &wait_s, &e) < 0) {
		reply_err(out, &e, 400);
		return;
	}
	if (after < 0) { /* from now on */
		if (site_feed(s, -1, 0, &doc, &e) < 0) {
			reply_err(out, &e, 409);
			return;
		}
		after = value_get_int(doc, "next", 0);
	}
	until = clock_boot_ms() + (int64_t)wait_s * 1000;
	do {
		left = until - clock_boot_ms();
		if (left < 0)
			left = 0;
		value_free(STEAL(doc));
		if (site_feed(s, after,
			      left < WAIT_STEP_MS ? (int)left : WAIT_STEP_MS,
			      &doc, &e) < 0) {
			reply_err(out, &e, 409);
			return;
		}
	} while (is_empty(doc) && left > 0 && !a->stopping);
	reply_json(out, doc);
}
