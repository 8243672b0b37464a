/* A machine asks what it shall become. Matching is done before, outside any
 * lock; what depends on quotas, entries and other machines is decided here,
 * inside one transaction on the writer thread. */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "site/core.h"

struct tried {
	struct match match;
	bool done;
};

/* One upload on its way to an answer. */
struct asking {
	const struct site_upload *u;
	struct site_reply *out;
	const struct snapshot *site;
	struct tried *tried; /* one for each profile */
	struct identity id;
	char facts_hash[HASH_HEX];
	char *facts_json;
	struct store_machine m;
	int64_t now_ms;
	struct buf detail;
};

/* ---- who is it ---- */

#define FINGERPRINT 3 /* identity kind of machines that wait: all they say */

struct known_list {
	struct identity_known *at;
	int64_t *ids;
	size_t len;
};

static int
add_known_value(void *ctx, int kind, const char *value)
{
	if (kind < FINGERPRINT)
		identity_add(ctx, (enum identity_kind)kind, value);
	return 0;
}

static int
consider(struct site *s, struct known_list *k, int kind, const char *value,
	 struct err *e)
{
	int64_t id = 0;
	size_t i;

	if (!value || store_identity_find(s->writer, kind, value, &id, e) < 0)
		return value ? -1 : 0;
	for (i = 0; i < k->len; i++)
		if (k->ids[i] == id)
			return 0;
	if (id == 0)
		return 0;
	k->at = base_resize(k->at, k->len + 1, sizeof(*k->at));
	k->ids = base_resize(k->ids, k->len + 1, sizeof(*k->ids));
	k->at[k->len] = (struct identity_known){ .machine = machine_name(id) };
	k->ids[k->len] = id;
	return store_identities(s->writer, id, add_known_value,
				&k->at[k->len++].id, e);
}

static void
known_list_clear(struct known_list *k)
{
	size_t i;

	for (i = 0; i < k->len; i++) {
		free((char *)(uintptr_t)k->at[i].machine);
		identity_clear(&k->at[i].id);
	}
	free(k->at);
	free(k->ids);
}

static int
find_known(struct site *s, const struct identity *id, struct known_list *k,
	   struct err *e)
{
	size_t i;

	if (consider(s, k, IDENTITY_UUID, id->uuid, e) < 0 ||
	    consider(s, k, IDENTITY_SERIAL, id->serial, e) < 0)
		return -1;
	for (i = 0; i < id->macs_len; i++)
		if (consider(s, k, IDENTITY_MAC, id->macs[i], e) < 0)
			return -1;
	return 0;
}

/* A changed UUID or serial takes the old one's place; MACs add up. */
static int
learn(struct site *s, int64_t machine, int kind, const char *value,
      const char *old, struct err *e)
{
	if (!value || str_eq(value, old))
		return 0;
	if (old && store_identity_drop(s->writer, machine, kind, old, e) < 0)
		return -1;
	return store_identity_add(s->writer, machine, kind, value, e);
}

static int
learn_all(struct site *s, const struct asking *a, const struct identity *old,
	  struct err *e)
{
	size_t i;

	if (learn(s, a->m.id, IDENTITY_UUID, a->id.uuid, old->uuid, e) < 0 ||
	    learn(s, a->m.id, IDENTITY_SERIAL, a->id.serial, old->serial, e) <
		    0)
		return -1;
	for (i = 0; i < a->id.macs_len; i++)
		if (store_identity_add(s->writer, a->m.id, IDENTITY_MAC,
				       a->id.macs[i], e) < 0)
			return -1;
	return 0;
}

static void
set_text(char **slot, const char *text)
{
	char *copy = text ? base_strdup(text) : NULL;

	free(*slot);
	*slot = copy;
}

/* What the last upload said, for tables and `show`. */
static void
take_look(struct asking *a)
{
	const struct facts *f = a->u->facts;

	set_text(&a->m.product, facts_find(f, "system", "product", "name"));
	set_text(&a->m.facts, a->facts_json);
	set_text(&a->m.peer, a->u->peer);
	a->m.last_seen_ms = a->now_ms;
}

static int
add_machine(struct site *s, struct asking *a, struct err *e)
{
	a->m = (struct store_machine){ .condition = CONDITION_WAITING,
				       .first_seen_ms = a->now_ms };
	take_look(a);
	return store_machine_add(s->writer, &a->m, e);
}

/* A machine that cannot be told from others, or from nothing, is still shown:
 * as one row for each set of values that it says. */
static int
find_stranger(struct site *s, struct asking *a, struct err *e)
{
	AUTO_CLEAR(buf) says = { 0 };
	char mark[HASH_HEX];
	bool found = false;
	int64_t id;
	size_t i;

	buf_printf(&says, "%s|%s", a->id.uuid ? a->id.uuid : "",
		   a->id.serial ? a->id.serial : "");
	for (i = 0; i < a->id.macs_len; i++)
		buf_printf(&says, "|%s", a->id.macs[i]);
	if (!a->id.uuid && !a->id.serial && !a->id.macs_len)
		buf_str(&says, a->facts_hash);
	hash_hex(says.at, says.len, mark);
	if (store_identity_find(s->writer, FINGERPRINT, mark, &id, e) < 0)
		return -1;
	if (id && store_machine_get(s->writer, id, &a->m, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (add_machine(s, a, e) < 0)
		return -1;
	return store_identity_add(s->writer, a->m.id, FINGERPRINT, mark, e);
}

/* Fills a->m. *why is empty when the machine may go on. */
static int
find_machine(struct site *s, struct asking *a, char why[200], struct err *e)
{
	__attribute__((cleanup(known_list_clear))) struct known_list k = { 0 };
	const struct identity nobody = { 0 };
	size_t at = 0;
	bool found;

	if (find_known(s, &a->id, &k, e) < 0)
		return -1;
	switch (identity_judge(&a->id, k.at, k.len, &at, why)) {
	case IDENTITY_NEW:
		if (add_machine(s, a, e) < 0)
			return -1;
		return learn_all(s, a, &nobody, e);
	case IDENTITY_KNOWN:
		if (store_machine_get(s->writer, k.ids[at], &a->m, &found, e) <
		    0)
			return -1;
		return learn_all(s, a, &k.at[at].id, e);
	default:
		return find_stranger(s, a, e);
	}
}

/* ---- the answer ---- */

static int
save(struct site *s, struct asking *a, enum condition c, const char *reason,
     struct err *e)
{
	a->m.condition = c;
	set_text(&a->m.reason, reason);
	take_look(a);
	return store_machine_put(s->writer, &a->m, e);
}

/* It waits, or fits nothing: shown with the reason, no unit, no run. */
static int
turn_away(struct site *s, struct asking *a, enum site_outcome outcome,
	  const char *reason, struct err *e)
{
	bool news = !str_eq(a->m.reason, reason);

	a->out->outcome = outcome;
	set_text(&a->out->machine, NULL);
	a->out->machine = machine_name(a->m.id);
	set_text(&a->out->reason, reason);
	if (a->detail.len > 0)
		set_text(&a->out->detail, a->detail.at);
	if (save(s, a,
		 a->m.condition == CONDITION_FAILED ? CONDITION_FAILED
						    : CONDITION_WAITING,
		 reason, e) < 0)
		return -1;
	return news ? note_event(s, a->m.id, "waits", reason, e) : 0;
}

static struct value *
vars_of(const struct profile *p, const struct bindings *b,
	const struct value *entry, const struct conf *conf)
{
	struct value *vars = entry ? value_copy(entry) : value_dict();
	size_t i;

	for (i = 0; i < b->len; i++)
		value_set_str(vars, b->at[i].name, b->at[i].value);
	value_set_str(vars, "edeploy-profile", p->name);
	if (conf->metadataurl)
		value_set_str(vars, "metadata_url", conf->metadataurl);
	return vars;
}

static void
write_script(const struct profile *p, const struct value *vars, struct buf *out)
{
	buf_printf(out, "-- EDEPLOY_PROFILE = %s\nvar = ", p->name);
	value_lua(vars, out);
	buf_printf(out, "\n-- EDEPLOY_CONFIGURE = %s.configure\n%s", p->name,
		   p->configure);
}

/* The open run before this one, if any, is over. */
static int
close_old_run(struct site *s, struct asking *a, struct err *e)
{
	struct store_run r;
	bool found = false;
	int failed;

	if (!a->m.run)
		return 0;
	if (store_run_get(s->writer, a->m.run, &r, &found, e) < 0)
		return -1;
	if (!found || r.ended_ms) {
		store_run_clear(&r);
		return 0;
	}
	r.ended_ms = a->now_ms;
	r.outcome = RUN_REPLACED;
	failed = store_run_put(s->writer, &r, e);
	store_run_clear(&r);
	return failed;
}

static int
start_run(struct site *s, struct asking *a, const char *profile, struct err *e)
{
	char run[TOKEN_HEX], token[TOKEN_HEX];
	struct store_run r = { .machine = a->m.id,
			       .started_ms = a->now_ms,
			       .heard_ms = a->now_ms,
			       .old_agent = a->u->run == NULL,
			       .local = a->out->outcome == SITE_BOOT_LOCAL,
			       .facts_hash = a->facts_hash,
			       .profile = (char *)(uintptr_t)profile,
			       .answer = a->out->script.at,
			       .next_event = 1 };

	if (close_old_run(s, a, e) < 0)
		return -1;
	token_make(run);
	token_make(token);
	r.id = a->u->run ? (char *)(uintptr_t)a->u->run : run;
	r.token = token;
	if (store_run_add(s->writer, &r, e) < 0)
		return -1;
	set_text(&a->m.run, r.id);
	set_text(&a->out->run, r.id);
	set_text(&a->out->token, token);
	set_text(&a->out->profile, profile);
	free(a->out->machine);
	a->out->machine = machine_name(a->m.id);
	return 0;
}

static int
send_to_disk(struct site *s, struct asking *a, struct err *e)
{
	a->out->outcome = SITE_BOOT_LOCAL;
	buf_str(&a->out->script, "boot_local()\n");
	set_text(&a->out->reason, "installed already: it boots its own disk; "
				  "edeployctl reinstall installs it again");
	if (start_run(s, a, NULL, e) < 0)
		return -1;
	return save(s, a, CONDITION_INSTALLED, NULL, e);
}

/* ---- an entry ---- */

struct offer {
	struct cmdb_candidate *at;
	struct store_entry *rows;
	size_t len;
};

static int
offer_row(void *ctx, const struct store_entry *t)
{
	struct offer *o = ctx;
	struct value *fields = NULL;
	struct err e = { 0 };

	if (json_parse(&fields, t->fields, strlen(t->fields), &e) < 0)
		return 0;
	if ((o->len & (o->len - 1)) == 0) {
		size_t room = o->len ? 2 * o->len : 1;

		o->at = base_resize(o->at, room, sizeof(*o->at));
		o->rows = base_resize(o->rows, room, sizeof(*o->rows));
	}
	o->at[o->len] = (struct cmdb_candidate){
		fields, t->used, t->machine ? machine_name(t->machine) : NULL
	};
	o->rows[o->len] = *t;
	o->rows[o->len].profile = base_strdup(t->profile);
	o->rows[o->len].fields = NULL;
	o->rows[o->len++].origin = base_strdup(t->origin);
	return 0;
}

static void
offer_clear(struct offer *o)
{
	size_t i;

	for (i = 0; i < o->len; i++) {
		value_free((struct value *)(uintptr_t)o->at[i].fields);
		free((char *)(uintptr_t)o->at[i].owner);
		store_entry_clear(&o->rows[i]);
	}
	free(o->at);
	free(o->rows);
}

static struct cmdb_var *
cmdb_vars(const struct bindings *b)
{
	struct cmdb_var *v = base_array(b->len, sizeof(*v));
	size_t i;

	for (i = 0; i < b->len; i++)
		v[i] = (struct cmdb_var){ b->at[i].name, b->at[i].value,
					  b->at[i].key,
					  is_identity(&b->at[i]) };
	return v;
}

/* Claim row `at`: *entry gets its fields with the machine's words in them. */
static int
claim(struct site *s, struct asking *a, struct offer *o, size_t at,
      const struct cmdb_var *vars, size_t vars_len, struct value **entry,
      struct err *e)
{
	struct store_entry *row = &o->rows[at];
	AUTO_CLEAR(buf) json = { 0 };
	int64_t before = row->machine;

	*entry = cmdb_claim(o->at[at].fields, vars, vars_len);
	value_json(*entry, 0, &json);
	if (before == a->m.id && value_eq(*entry, o->at[at].fields)) {
		a->m.entry = row->id;
		return 0;
	}
	row->fields = buf_take(&json);
	row->used = true;
	row->machine = a->m.id;
	row->gen++;
	a->m.entry = row->id;
	entries_dirty(s, row->profile);
	return store_entry_put(s->writer, row, e);
}

/* 0: goes on (with or without an entry), 1: turned away. */
static int
find_entry(struct site *s, struct asking *a, const struct profile *p,
	   const struct bindings *b, struct value **entry, struct err *e)
{
	__attribute__((cleanup(offer_clear))) struct offer o = { 0 };
	AUTO_FREE struct cmdb_var *vars = cmdb_vars(b);
	AUTO_FREE char *me = machine_name(a->m.id);
	AUTO_FREE char *taken = NULL;
	const char *why = "No more entry in the CMDB, aborting.";
	size_t at = 0;

	if (!p->cmdb_text)
		return 0;
	if (store_entries(s->writer, p->name, offer_row, &o, e) < 0)
		return -1;
	switch (cmdb_choose(o.at, o.len, vars, b->len, me, &at)) {
	case CMDB_CHOSEN:
		return claim(s, a, &o, at, vars, b->len, entry, e);
	case CMDB_NONE:
		why = "No entry matched in the CMDB, aborting.";
		break;
	case CMDB_FULL:
		break;
	case CMDB_TAKEN:
		taken = base_printf("its entry in %s.cmdb belongs to machine "
				    "%s; this is %s",
				    p->name, o.at[at].owner, me);
		why = taken;
	}
	buf_printf(&a->detail, "%s: %s\n", p->name, why);
	return turn_away(s, a, SITE_WAITS, why, e) < 0 ? -1 : 1;
}

/* Everything fits: unit, entry, variables, script, run. */
static int
assign(struct site *s, struct asking *a, const struct profile *p,
       const struct bindings *b, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *entry = NULL;
	__attribute__((cleanup(value_freep))) struct value *vars = NULL;
	AUTO_CLEAR(buf) json = { 0 };
	int r = find_entry(s, a, p, b, &entry, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	vars = vars_of(p, b, entry, s->conf);
	a->out->outcome = SITE_ASSIGNED;
	write_script(p, vars, &a->out->script);
	value_json(vars, 0, &json);
	set_text(&a->m.vars, json.at);
	set_text(&a->m.profile, p->name);
	a->m.reinstall = false;
	if (start_run(s, a, p->name, e) < 0 ||
	    note_event(s, a->m.id, "assigned", p->name, e) < 0)
		return -1;
	return save(s, a, CONDITION_ASSIGNED, NULL, e);
}

/* ---- which profile ---- */

static int
units_left(struct site *s, const struct quota *q, bool *left, struct err *e)
{
	uint64_t live = 0;

	if (store_live(s->writer, q->profile, &live, e) < 0)
		return -1;
	*left = q->total == STATE_UNLIMITED || live < q->total;
	return 0;
}

static void
tell_miss(struct asking *a, const struct profile *p, const struct match *m)
{
	if (m->outcome == MATCH_MISS && p->patterns)
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

/* A machine that has a profile keeps it and binds its variables anew. */
static int
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
	m = &a->tried[p - a->site->profiles].match;
	if (m->outcome == MATCH_GAVE_UP)
		return wait_for_profile(s, a, p, TOO_MANY, e);
	if (m->outcome == MATCH_MISS) {
		tell_miss(a, p, m);
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

/* The names of the profiles that were open to the machine. */
static char *
no_match_text(const struct asking *a, const struct conf *conf)
{
	AUTO_CLEAR(buf) text = { 0 };
	size_t i, n = 0;

	buf_printf(&text,
		   "Unable to match requirements on the following available "
		   "roles in %s/: ",
		   conf->configdir);
	for (i = 0; i < a->site->len; i++)
		if (state_at(a->site->state, i)->total > 0)
			buf_printf(&text, "%s%s", n++ ? ", " : "",
				   a->site->profiles[i].name);
	return buf_take(&text);
}

static int
choose_profile(struct site *s, struct asking *a, struct err *e)
{
	AUTO_FREE char *none = NULL;
	size_t i, open = 0, full = 0;

	for (i = 0; i < a->site->len; i++) {
		const struct profile *p = &a->site->profiles[i];
		const struct match *m = &a->tried[i].match;
		bool left = false;

		if (state_at(a->site->state, i)->total == 0)
			continue;
		open++;
		if (p->problem)
			return wait_for_profile(s, a, p, p->problem, e);
		if (m->outcome == MATCH_GAVE_UP)
			return wait_for_profile(s, a, p, TOO_MANY, e);
		tell_miss(a, p, m);
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
		    : base_printf("No more role available in %s/state",
				  s->conf->configdir);
	return turn_away(s, a, SITE_NO_MATCH, none, e);
}

/* ---- the transaction ---- */

static int
answer_again(struct asking *a, struct store_run *r)
{
	a->out->outcome = r->local ? SITE_BOOT_LOCAL : SITE_ASSIGNED;
	a->out->machine = machine_name(r->machine);
	a->out->run = STEAL(r->id);
	a->out->token = STEAL(r->token);
	a->out->profile = STEAL(r->profile);
	buf_str(&a->out->script, r->answer ? r->answer : "");
	return 0;
}

/* 1: the run was answered before, and is again. */
static int
same_run(struct site *s, struct asking *a, struct err *e)
{
	const char *id = a->u->run ? a->u->run : a->m.run;
	struct store_run r;
	bool found = false, again;

	if (!id)
		return 0;
	if (store_run_get(s->writer, id, &r, &found, e) < 0)
		return -1;
	again = found && r.machine == a->m.id &&
		(a->u->run || (r.old_agent && !r.ended_ms &&
			       str_eq(r.facts_hash, a->facts_hash)));
	if (found && a->u->run && r.machine != a->m.id) {
		store_run_clear(&r);
		return err_set(e, ERR_REFUSED,
			       "this run id was used by another machine");
	}
	if (again)
		answer_again(a, &r);
	store_run_clear(&r);
	return again;
}

static int
decide(struct site *s, void *ctx, struct err *e)
{
	struct asking *a = ctx;
	char why[200] = "";
	int again;

	if (find_machine(s, a, why, e) < 0)
		return -1;
	if (*why)
		return turn_away(s, a, SITE_WAITS, why, e);
	again = same_run(s, a, e);
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

	a->tried = base_array(a->site->len, sizeof(*a->tried));
	for (i = 0; i < a->site->len; i++) {
		const struct profile *p = &a->site->profiles[i];

		a->tried[i].match.outcome = MATCH_MISS;
		if (p->patterns && !p->problem)
			match_run(p->patterns, a->u->facts, 0,
				  &a->tried[i].match);
	}
}

static void
asking_clear(struct asking *a)
{
	size_t i;

	for (i = 0; a->tried && i < a->site->len; i++)
		match_clear(&a->tried[i].match);
	free(a->tried);
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
	failed = site_write(s, decide, &a, e);
	asking_clear(&a);
	site_let_go(s);
	return failed;
}

void
site_reply_clear(struct site_reply *r)
{
	free(r->machine);
	free(r->run);
	free(r->token);
	free(r->profile);
	free(r->reason);
	free(r->detail);
	buf_clear(&r->script);
	*r = (struct site_reply){ 0 };
}
