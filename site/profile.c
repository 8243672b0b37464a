/* Which profile a machine gets: the one it has, or the first in order that fits
 * and has a unit left. A profile that cannot be judged (its file is wrong, its
 * search ended early) stops the search: a later one must not take its machines.
 */
#include "site/asking.h"

static int
assign(struct site *s, struct asking *a, const struct profile *p,
       const struct bindings *b, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *entry = NULL;
	int r = claim_entry(s, a, p, b, &entry, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	return answer_script(s, a, p, b, entry, e);
}

static int
units_left(struct site *s, const struct quota *q, bool *left, struct err *e)
{
	uint64_t live = 0;

	if (q->total != STATE_UNLIMITED &&
	    store_live(s->writer, q->profile, &live, e) < 0)
		return -1;
	*left = q->total == STATE_UNLIMITED || live < q->total;
	return 0;
}

static void
tell_miss(struct asking *a, const struct profile *p)
{
	size_t i = (size_t)(p - a->site->profiles);
	const struct match *m = &a->match[i];

	if (m->outcome != MATCH_MISS || !p->patterns)
		return;
	if (a->why[i])
		buf_printf(&a->detail, "%s: %s\n", p->name, a->why[i]);
	else
		buf_printf(&a->detail, "%s: no fact fits %s (line %u)\n",
			   p->name, patterns_text(p->patterns, m->failed),
			   patterns_line(p->patterns, m->failed));
}

static int
wait_for_profile(struct site *s, struct asking *a, const struct profile *p,
		 const char *why, struct err *e)
{
	AUTO_FREE char *reason = base_printf("profile %s: %s", p->name, why);

	buf_printf(&a->detail, "%s: %s\n", p->name, why);
	return turn_away(s, a, SITE_WAITS, reason, e);
}

#define TOO_MANY                                                               \
	"too many ways to try; add a pattern that tells the disks apart"

int
keep_profile(struct site *s, struct asking *a, struct err *e)
{
	const struct profile *p = snapshot_profile(a->site, a->m.profile);
	const struct profile gone = { .name = a->m.profile };
	const struct match *m;
	bool left = true;

	if (!p)
		return wait_for_profile(
			s, a, &gone,
			"no longer in the state file; put it back or release "
			"this machine",
			e);
	if (p->problem)
		return wait_for_profile(s, a, p, p->problem, e);
	m = &a->match[p - a->site->profiles];
	if (m->outcome == MATCH_GAVE_UP)
		return wait_for_profile(s, a, p, TOO_MANY, e);
	if (m->outcome == MATCH_MISS) {
		tell_miss(a, p);
		return wait_for_profile(
			s, a, p,
			"no longer fits this machine; release it to choose "
			"anew",
			e);
	}
	if (a->m.condition == CONDITION_FAILED) {
		size_t row = (size_t)(p - a->site->profiles);

		if (units_left(s, state_at(a->site->state, row), &left, e) < 0)
			return -1;
	}
	if (!left)
		return wait_for_profile(
			s, a, p, "all its units are taken by other machines",
			e);
	return assign(s, a, p, m->bindings, e);
}

#define NO_MATCH                                                               \
	"Unable to match requirements on the following available roles in "
#define NO_ROLE "No more role available in "

bool
tells_no_match(const char *reason)
{
	return reason &&
	       (str_starts(reason, NO_MATCH) || str_starts(reason, NO_ROLE));
}

/* The names of the profiles that were open to the machine. */
static char *
no_match_text(const struct asking *a, const struct conf *conf)
{
	AUTO_CLEAR(buf) text = { 0 };
	size_t i, n = 0;

	buf_printf(&text, NO_MATCH "%s/: ", conf->configdir);
	for (i = 0; i < a->site->len; i++)
		if (state_at(a->site->state, i)->total > 0)
			buf_printf(&text, "%s%s", n++ ? ", " : "",
				   a->site->profiles[i].name);
	return buf_take(&text);
}

int
choose_profile(struct site *s, struct asking *a, struct err *e)
{
	AUTO_FREE char *none = NULL;
	size_t i, open = 0, full = 0;

	for (i = 0; i < a->site->len; i++) {
		const struct profile *p = &a->site->profiles[i];
		const struct match *m = &a->match[i];
		bool left = false;

		if (state_at(a->site->state, i)->total == 0)
			continue;
		open++;
		if (p->problem)
			return wait_for_profile(s, a, p, p->problem, e);
		if (m->outcome == MATCH_GAVE_UP)
			return wait_for_profile(s, a, p, TOO_MANY, e);
		tell_miss(a, p);
		if (!p->patterns)
			buf_printf(&a->detail, "%s: has no .specs file\n",
				   p->name);
		if (m->outcome != MATCH_HIT)
			continue;
		if (units_left(s, state_at(a->site->state, i), &left, e) < 0)
			return -1;
		if (left)
			return assign(s, a, p, m->bindings, e);
		full++;
		buf_printf(&a->detail,
			   "%s: fits, but all its units are "
			   "taken\n",
			   p->name);
	}
	if (full > 0)
		return turn_away(
			s, a, SITE_WAITS,
			"every profile that fits has all its units taken; "
			"raise its total in the state file or release a "
			"machine",
			e);
	none = open ? no_match_text(a, s->conf)
		    : base_printf(NO_ROLE "%s/state", s->conf->configdir);
	return turn_away(s, a, SITE_NO_MATCH, none, e);
}
