/* Why a machine gets what it gets: the decision once more, told step by step.
 * It asks the same functions as the decision does. */
#include <stdio.h>

#include "lib/json.h"
#include "site/core.h"
#include "specs/explain.h"

#define PASSED_MAX 20 /* entries that are told one by one */

struct telling {
	const struct snapshot *site;
	const struct facts *facts;
	struct store *store;    /* NULL: files alone */
	struct store_machine m; /* id 0: a machine that is not known */
	bool settled; /* a profile is chosen, or the search must stop */
};

/* ---- patterns ---- */

static struct value *
fact_value(const struct fact *f)
{
	struct value *v = value_list();

	for (int w = 0; w < FACT_WORDS; w++)
		value_push(v, value_str(f->word[w]));
	return v;
}

static struct value *
tell_patterns(const struct telling *t, const struct profile *p,
	      const struct explanation *x)
{
	struct value *list = value_list();

	for (size_t i = 0; i < x->len; i++) {
		const struct explain_row *row = &x->rows[i];
		struct value *v = value_dict();

		value_set_int(v, "line", patterns_line(p->patterns, i));
		value_set_str(v, "text", patterns_text(p->patterns, i));
		value_set_str(v, "status", explain_status_name(row->status));
		value_set(v, "fact",
			  row->fact == SIZE_MAX
				  ? value_none()
				  : fact_value(facts_at(t->facts, row->fact)));
		value_set_str(v, "why", row->why);
		value_push(list, v);
	}
	return list;
}

/* ---- entries ---- */

struct entries {
	struct cmdb_candidate *at;
	int64_t *ids;
	size_t len;
};

static int
add_entry(struct entries *all, struct value *fields, bool used, char *owner,
	  int64_t id)
{
	if ((all->len & (all->len - 1)) == 0) {
		size_t room = all->len ? 2 * all->len : 1;

		all->at = base_resize(all->at, room, sizeof(*all->at));
		all->ids = base_resize(all->ids, room, sizeof(*all->ids));
	}
	all->at[all->len] = (struct cmdb_candidate){ fields, used, owner };
	all->ids[all->len++] = id;
	return 0;
}

static int
add_stored(void *ctx, const struct store_entry *t)
{
	struct value *fields = NULL;
	struct err e = { 0 };

	if (json_parse(&fields, t->fields, strlen(t->fields), &e) < 0)
		return 0;
	return add_entry(ctx, fields, t->used,
			 t->machine ? machine_name(t->machine) : NULL, t->id);
}

static void
entries_clear(struct entries *all)
{
	for (size_t i = 0; i < all->len; i++) {
		value_free((struct value *)(uintptr_t)all->at[i].fields);
		free((char *)(uintptr_t)all->at[i].owner);
	}
	free(all->at);
	free(all->ids);
}

static int
read_entries(const struct telling *t, const struct profile *p,
	     struct entries *all, struct err *e)
{
	if (t->store)
		return store_entries(t->store, p->name, add_stored, all, e);
	for (size_t i = 0; p->cmdb && i < cmdb_len(p->cmdb); i++) {
		const struct cmdb_entry *entry = cmdb_at(p->cmdb, i);

		add_entry(all, value_copy(entry->fields), entry->used, NULL,
			  (int64_t)i + 1);
	}
	return 0;
}

static struct value *
tell_entry(const struct entries *all, size_t i, char *why)
{
	struct value *v = value_dict();

	value_set_int(v, "entry", all->ids[i]);
	value_set(v, "fields", value_copy(all->at[i].fields));
	value_set_str(v, "why", why);
	free(why);
	return v;
}

/* Those before the chosen one, or all when none is. */
static void
tell_passed(struct value *v, const struct entries *all, size_t until,
	    const struct cmdb_var *vars, size_t vars_len, const char *me)
{
	struct value *passed = value_list();

	for (size_t i = 0; i < until && i < PASSED_MAX; i++)
		value_push(passed, tell_entry(all, i,
					      cmdb_tell(&all->at[i], vars,
							vars_len, me, false)));
	value_set(v, "passed", passed);
	value_set_int(v, "passed_over", (int64_t)until);
}

static struct value *
tell_choice(const struct entries *all, const struct cmdb_var *vars, size_t len,
	    const char *me)
{
	struct value *v = value_dict();
	size_t at = 0;
	enum cmdb_choice c = cmdb_choose(all->at, all->len, vars, len, me, &at);
	bool chosen = c == CMDB_CHOSEN;

	value_set(v, "chosen",
		  chosen ? tell_entry(
				   all, at,
				   cmdb_tell(&all->at[at], vars, len, me, true))
			 : value_none());
	value_set_str(v, "why_none",
		      chosen           ? NULL
		      : c == CMDB_FULL ? "no entry is free for this machine"
		      : c == CMDB_NONE
			      ? "no entry holds its $$ variables"
			      : "its entry belongs to another machine");
	tell_passed(v, all, chosen ? at : all->len, vars, len, me);
	return v;
}

static int
tell_entries(const struct telling *t, const struct profile *p,
	     const struct bindings *b, struct value *row, struct err *e)
{
	AUTO_FREE struct cmdb_var *vars = cmdb_vars(b);
	AUTO_FREE char *me = t->m.id ? machine_name(t->m.id) : NULL;
	struct entries all = { 0 };

	if (!p->has_cmdb)
		return 0;
	if (read_entries(t, p, &all, e) < 0) {
		entries_clear(&all);
		return -1;
	}
	value_set(row, "cmdb", tell_choice(&all, vars, b->len, me));
	entries_clear(&all);
	return 0;
}

/* ---- profiles ---- */

/* Units used, -1 when only the store would know. */
static int
units_used(const struct telling *t, const struct profile *p, int64_t *used,
	   struct err *e)
{
	uint64_t live = 0;

	*used = -1;
	if (!t->store)
		return 0;
	if (store_live(t->store, p->name, &live, e) < 0)
		return -1;
	*used = (int64_t)live;
	return 0;
}

static bool
counts_already(const struct telling *t, const struct profile *p)
{
	return str_eq(t->m.profile, p->name) &&
	       (t->m.condition == CONDITION_ASSIGNED ||
		t->m.condition == CONDITION_INSTALLING ||
		t->m.condition == CONDITION_INSTALLED);
}

/* A machine that has a profile keeps it, and no other is tried. */
static bool
is_open_to(const struct telling *t, const struct profile *p)
{
	if (t->m.profile && t->m.condition != CONDITION_RELEASED)
		return str_eq(t->m.profile, p->name);
	return true;
}

static const char *
judge(struct telling *t, const struct profile *p, const struct explanation *x,
      uint64_t total, int64_t used)
{
	if (total == 0)
		return "closed";
	if (p->problem)
		return "wrong";
	if (!p->patterns)
		return "no specs";
	if (x->outcome == MATCH_MISS)
		return "misses";
	if (x->outcome == MATCH_GAVE_UP)
		return "too many ways";
	if (total != STATE_UNLIMITED && used >= 0 && (uint64_t)used >= total &&
	    !counts_already(t, p))
		return "no unit left";
	return "fits";
}

static void
set_quota(struct value *row, uint64_t total, int64_t used)
{
	value_set(row, "total",
		  total == STATE_UNLIMITED ? value_str("*")
					   : value_int((int64_t)total));
	value_set(row, "used", used < 0 ? value_none() : value_int(used));
}

static void
set_bindings(struct value *row, const struct bindings *b)
{
	struct value *vars = value_dict();

	for (size_t i = 0; i < b->len; i++)
		value_set_str(vars, b->at[i].name, b->at[i].value);
	value_set(row, "vars", vars);
}

/* Whether this outcome ends the search, and gives the profile. */
static void
settle(struct telling *t, const struct profile *p, const char *outcome,
       struct value *out)
{
	if (t->settled || !is_open_to(t, p))
		return;
	if (str_eq(outcome, "fits")) {
		value_set_str(out, "profile", p->name);
		t->settled = true;
	} else if (str_eq(outcome, "wrong") ||
		   str_eq(outcome, "too many ways")) {
		value_set_str(out, "stopped_at", p->name);
		t->settled = true;
	}
}

/* The profile is the machine's, but it has no entry for it: the machine waits
 * for one, and is given no other profile. */
static void
check_entry(const struct value *row, struct value *out)
{
	const struct value *cmdb = value_get(row, "cmdb");
	const struct value *chosen = cmdb ? value_get(cmdb, "chosen") : NULL;
	const char *profile = value_get_str(out, "profile");

	if (!profile || !chosen || chosen->kind != VALUE_NONE)
		return;
	value_set_str(out, "stopped_at", profile);
	value_set_str(out, "profile", NULL);
}

static int
tell_profile(struct telling *t, size_t i, struct value *out,
	     struct value *profiles, struct err *e)
{
	const struct profile *p = &t->site->profiles[i];
	uint64_t total = state_at(t->site->state, i)->total;
	struct value *row = value_dict();
	struct explanation x = { 0 };
	const char *outcome;
	bool before = t->settled;
	int64_t used;
	int failed = 0;

	value_push(profiles, row);
	if (units_used(t, p, &used, e) < 0)
		return -1;
	if (p->patterns && !p->problem)
		explain_run(p->patterns, t->facts, 0, &x);
	outcome = judge(t, p, &x, total, used);
	value_set_str(row, "profile", p->name);
	value_set_str(row, "outcome", outcome);
	value_set_str(row, "reason", p->problem);
	set_quota(row, total, used);
	if (x.rows)
		value_set(row, "patterns", tell_patterns(t, p, &x));
	settle(t, p, outcome, out);
	value_set(row, "chosen",
		  value_bool(!before && t->settled && str_eq(outcome, "fits")));
	if (x.bindings) {
		set_bindings(row, x.bindings);
		failed = tell_entries(t, p, x.bindings, row, e);
	}
	if (!before && t->settled)
		check_entry(row, out);
	explanation_clear(&x);
	return failed;
}

static int
tell_all(struct telling *t, struct value **out, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *v = value_dict();
	struct value *profiles = value_list();
	AUTO_FREE char *me = t->m.id ? machine_name(t->m.id) : NULL;

	value_set_str(v, "machine", me);
	value_set_str(v, "keeps",
		      t->m.condition == CONDITION_RELEASED ? NULL
							   : t->m.profile);
	value_set_str(v, "profile", NULL);
	value_set_str(v, "stopped_at", NULL);
	value_set(v, "profiles", profiles);
	if (!t->site->state)
		return err_set(e, ERR_REFUSED, "%s", t->site->state_problem);
	for (size_t i = 0; i < t->site->len; i++)
		if (tell_profile(t, i, v, profiles, e) < 0)
			return -1;
	*out = STEAL(v);
	return 0;
}

/* The facts of a machine's last upload. */
static int
last_facts(struct telling *t, const char *name, struct facts **out,
	   struct err *e)
{
	if (machine_by_name(t->store, name, &t->m, e) < 0)
		return -1;
	if (!t->m.facts)
		return err_set(e, ERR_REFUSED, "m%lld has sent no facts yet",
			       (long long)t->m.id);
	if (facts_from_json(out, t->m.facts, strlen(t->m.facts), e) < 0)
		return -1;
	t->facts = *out;
	return 0;
}

int
site_explain(struct site *s, const char *name, const struct facts *f,
	     struct value **out, struct err *e)
{
	struct telling t = { .facts = f };
	AUTO(facts) own = NULL;
	int failed = 0;

	t.site = site_look(s);
	pthread_mutex_lock(&s->reader_lock);
	t.store = s->reader;
	if (name)
		failed = last_facts(&t, name, &own, e);
	if (failed == 0)
		failed = tell_all(&t, out, e);
	pthread_mutex_unlock(&s->reader_lock);
	site_let_go(s);
	store_machine_clear(&t.m);
	return failed;
}

int
site_explain_files(const struct conf *c, const struct facts *f,
		   struct value **out, struct err *e)
{
	AUTO(snapshot) site = snapshot_read(c->configdir, NULL);
	struct telling t = { .site = site, .facts = f };

	return tell_all(&t, out, e);
}
