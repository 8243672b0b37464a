/* A machine asks what it shall become. Matching is done before, outside any
 * lock; what depends on quotas, entries and other machines is decided inside
 * one transaction on the writer thread. */
#include "lib/clock.h"
#include "site/asking.h"
#include "specs/explain.h"

static int
decide(struct site *s, void *ctx, struct err *e)
{
	struct asking *a = ctx;
	AUTO_FREE char *why = NULL;
	int again;

	if (find_machine(s, a, &why, e) < 0)
		return -1;
	if (why)
		return turn_away(s, a, SITE_WAITS, why, e);
	again = answer_same_run(s, a, e);
	if (again != 0)
		return again < 0 ? -1 : 0;
	if (a->m.condition == CONDITION_INSTALLED && !a->m.reinstall)
		return send_to_disk(s, a, e);
	if (!a->site->state)
		return turn_away(s, a, SITE_WAITS, a->site->state_problem, e);
	if (a->m.profile && a->m.condition != CONDITION_RELEASED)
		return keep_profile(s, a, e);
	return choose_profile(s, a, e);
}

static void
try_profiles(struct asking *a)
{
	size_t i;

	a->match = base_array(a->site->len, sizeof(*a->match));
	for (i = 0; i < a->site->len; i++) {
		const struct profile *p = &a->site->profiles[i];

		a->match[i].outcome = MATCH_MISS;
		if (p->patterns && !p->problem)
			match_run(p->patterns, a->u->facts, 0, &a->match[i]);
	}
}

/* When nothing fits, people want to know why; that costs more than matching,
 * so it is found out here, where no lock is held. */
static void
explain_misses(struct asking *a)
{
	a->why = base_array(a->site->len + 1, sizeof(*a->why));
	for (size_t i = 0; i < a->site->len; i++)
		if (a->match[i].outcome == MATCH_HIT)
			return;
	for (size_t i = 0; i < a->site->len; i++) {
		const struct profile *p = &a->site->profiles[i];

		if (p->patterns && !p->problem &&
		    a->match[i].outcome == MATCH_MISS)
			a->why[i] = explain_line(p->patterns, a->u->facts);
	}
}

static void
asking_clear(struct asking *a)
{
	size_t i;

	for (i = 0; a->match && i < a->site->len; i++)
		match_clear(&a->match[i]);
	free(a->match);
	for (i = 0; a->why && i < a->site->len; i++)
		free(a->why[i]);
	free(a->why);
	identity_clear(&a->id);
	free(a->facts_json);
	store_machine_clear(&a->m);
	buf_clear(&a->detail);
}

int
site_upload(struct site *s, const struct site_upload *u, struct site_reply *out,
	    struct err *e)
{
	struct asking a = { .u = u, .out = out, .now_ms = clock_wall_ms() };
	AUTO_CLEAR(buf) json = { 0 };
	int failed;

	*out = (struct site_reply){ 0 };
	facts_to_json(u->facts, &json);
	hash_hex(json.at, json.len, a.facts_hash);
	a.facts_json = buf_take(&json);
	identify(u->facts, &a.id);
	a.site = site_look(s);
	try_profiles(&a);
	explain_misses(&a);
	failed = site_write(s, decide, &a, e);
	asking_clear(&a);
	site_let_go(s);
	return failed;
}

void
site_reply_clear(struct site_reply *r)
{
	free(r->memory);
	free(r->machine);
	free(r->run);
	free(r->token);
	free(r->profile);
	free(r->reason);
	free(r->detail);
	buf_clear(&r->script);
	*r = (struct site_reply){ 0 };
}
