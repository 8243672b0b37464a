/* Machines as values, for tables, `show` and pages. */
#include "lib/clock.h"
#include "lib/json.h"
#include "site/core.h"

/* ---- a machine as a value ---- */

static void
set_time(struct value *v, const char *key, int64_t ms)
{
	if (ms)
		value_set_int(v, key, ms);
	else
		value_set(v, key, value_none());
}

static int
first_mac(void *ctx, int kind, const char *value)
{
	char **mac = ctx;

	if (kind == IDENTITY_MAC && !*mac)
		*mac = base_strdup(value);
	return 0;
}

static int
last_progress(void *ctx, const struct store_event *ev)
{
	struct value **last = ctx;
	struct value *body = NULL;
	struct err e = { 0 };

	if (!str_eq(ev->kind, "progress") ||
	    json_parse(&body, ev->body, strlen(ev->body), &e) < 0)
		return 0;
	value_free(*last);
	*last = body;
	return 0;
}

static void
copy_member(struct value *to, const struct value *from, const char *key)
{
	const struct value *v = value_get(from, key);

	value_set(to, key, v ? value_copy(v) : value_none());
}

static int
add_run(struct store *store, struct value *v, const struct store_machine *m,
	struct err *e)
{
	struct value *progress = NULL;
	struct store_run r = { 0 };
	bool found = false;
	int failed = 0;

	if (m->run && store_run_get(store, m->run, &r, &found, e) < 0)
		return -1;
	if (found && !r.ended_ms && clock_wall_ms() - r.heard_ms > SILENT_MS &&
	    (m->condition == CONDITION_ASSIGNED ||
	     m->condition == CONDITION_INSTALLING))
		value_set_str(v, "condition", condition_name(CONDITION_SILENT));
	value_set_str(v, "run", found ? r.id : NULL);
	value_set_str(v, "phase", found ? r.phase : NULL);
	if (found && !r.ended_ms)
		failed = store_events_of_run(store, r.id, last_progress,
					     &progress, e);
	copy_member(v, progress, "percent");
	copy_member(v, progress, "bytes_per_s");
	copy_member(v, progress, "eta_s");
	value_free(progress);
	store_run_clear(&r);
	return failed;
}

static int
describe(struct store *store, const struct store_machine *m, struct value **out,
	 struct err *e)
{
	struct value *v = value_dict();
	AUTO_FREE char *name = machine_name(m->id);
	AUTO_FREE char *host = machine_var(m, "hostname");
	AUTO_FREE char *mac = NULL;

	value_set_str(v, "id", name);
	value_set_str(v, "condition", condition_name(m->condition));
	value_set_str(v, "reason", m->reason);
	value_set_str(v, "profile", m->profile);
	value_set_str(v, "hostname", host);
	value_set_str(v, "product", m->product);
	value_set_str(v, "address", m->peer);
	set_time(v, "first_seen", m->first_seen_ms);
	set_time(v, "last_seen", m->last_seen_ms);
	value_set(v, "reinstall", value_bool(m->reinstall));
	*out = v;
	if (store_identities(store, m->id, first_mac, &mac, e) < 0)
		return -1;
	value_set_str(v, "mac", mac);
	return add_run(store, v, m, e);
}

/* ---- lists ---- */

struct ids {
	int64_t *at;
	size_t len;
};

static int
keep_id(void *ctx, const struct store_machine *m)
{
	struct ids *ids = ctx;

	ids->at = base_resize(ids->at, ids->len + 1, sizeof(*ids->at));
	ids->at[ids->len++] = m->id;
	return 0;
}

static int
describe_id(struct store *store, int64_t id, struct value **out, struct err *e)
{
	struct store_machine m = { 0 };
	bool found = false;
	int failed = 0;

	if (store_machine_get(store, id, &m, &found, e) < 0)
		return -1;
	if (found)
		failed = describe(store, &m, out, e);
	store_machine_clear(&m);
	return failed;
}

static int
list_machines(struct store *store, struct value *list, struct err *e)
{
	struct ids ids = { 0 };
	int failed = store_machines(store, keep_id, &ids, e);
	size_t i;

	for (i = 0; failed == 0 && i < ids.len; i++) {
		struct value *v = NULL;

		failed = describe_id(store, ids.at[i], &v, e);
		if (v)
			value_push(list, v);
	}
	free(ids.at);
	return failed;
}

int
site_machines(struct site *s, struct value **out, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *list = value_list();
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = list_machines(s->reader, list, e);
	pthread_mutex_unlock(&s->reader_lock);
	if (failed == 0)
		*out = STEAL(list);
	return failed;
}

/* ---- one machine, whole ---- */

static int
push_identity(void *ctx, int kind, const char *value)
{
	static const char *const kinds[] = { "uuid", "serial", "mac" };
	struct value *pair;

	if (kind > IDENTITY_MAC)
		return 0;
	pair = value_dict();
	value_set_str(pair, "kind", kinds[kind]);
	value_set_str(pair, "value", value);
	value_push(ctx, pair);
	return 0;
}

static int
push_run(void *ctx, const struct store_run *r)
{
	static const char *const outcomes[] = { "open", "done", "failed",
						"replaced" };
	struct value *v = value_dict();

	value_set_str(v, "id", r->id);
	value_set_str(v, "outcome", outcomes[r->outcome]);
	value_set_str(v, "profile", r->profile);
	value_set_str(v, "reason", r->reason);
	value_set_str(v, "phase", r->phase);
	value_set(v, "local", value_bool(r->local));
	set_time(v, "started", r->started_ms);
	set_time(v, "heard", r->heard_ms);
	set_time(v, "ended", r->ended_ms);
	value_push(ctx, v);
	return 0;
}

struct value *
event_value(const struct store_event *ev)
{
	AUTO_FREE char *name = machine_name(ev->machine);
	struct value *v = NULL;
	struct err e = { 0 };

	if (json_parse(&v, ev->body, strlen(ev->body), &e) < 0)
		v = value_dict();
	value_set_int(v, "seq", ev->seq);
	value_set_str(v, "machine", name);
	value_set_str(v, "run", str_eq(ev->run, "-") ? NULL : ev->run);
	value_set_str(v, "kind", ev->kind);
	value_set_int(v, "time", ev->at_ms);
	return v;
}

static int
push_event(void *ctx, const struct store_event *ev)
{
	value_push(ctx, event_value(ev));
	return 0;
}

static void
set_json(struct value *v, const char *key, const char *json)
{
	struct value *member = NULL;
	struct err e = { 0 };

	if (!json || json_parse(&member, json, strlen(json), &e) < 0)
		member = value_none();
	value_set(v, key, member);
}

static int
describe_whole(struct store *store, const char *name, struct value **out,
	       struct err *e)
{
	struct value *ids = value_list(), *runs = value_list();
	struct value *events = value_list();
	struct store_machine m = { 0 };
	int failed = machine_by_name(store, name, &m, e);

	if (failed == 0)
		failed = describe(store, &m, out, e);
	if (failed == 0)
		failed = store_identities(store, m.id, push_identity, ids, e);
	if (failed == 0)
		failed = store_runs(store, m.id, push_run, runs, e);
	if (failed == 0 && m.run)
		failed = store_events_of_run(store, m.run, push_event, events,
					     e);
	if (failed < 0) {
		value_free(ids);
		value_free(runs);
		value_free(events);
		store_machine_clear(&m);
		return -1;
	}
	value_set(*out, "identity", ids);
	value_set(*out, "runs", runs);
	value_set(*out, "events", events);
	set_json(*out, "vars", m.vars);
	set_json(*out, "facts", m.facts);
	store_machine_clear(&m);
	return 0;
}

int
site_machine(struct site *s, const char *name, struct value **out,
	     struct err *e)
{
	struct value *v = NULL;
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = describe_whole(s->reader, name, &v, e);
	pthread_mutex_unlock(&s->reader_lock);
	if (failed == 0)
		*out = v;
	else
		value_free(v);
	return failed;
}
