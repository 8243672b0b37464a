/* What an operator and a boot loader ask about machines. Reading goes through
 * the reader's handle, changes through the writer. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/num.h"
#include "site/core.h"

#define EVENTS_AT_ONCE 500

/* ---- finding a machine by what a person calls it ---- */

struct by_hostname {
	const char *name;
	int64_t id;
	size_t hits;
};

static char *
var_of(const struct store_machine *m, const char *name)
{
	struct value *vars = NULL;
	struct err e = { 0 };
	const char *text;
	char *copy;

	if (!m->vars || json_parse(&vars, m->vars, strlen(m->vars), &e) < 0)
		return NULL;
	text = value_get_str(vars, name);
	copy = text ? base_strdup(text) : NULL;
	value_free(vars);
	return copy;
}

static int
has_hostname(void *ctx, const struct store_machine *m)
{
	struct by_hostname *b = ctx;
	AUTO_FREE char *host = var_of(m, "hostname");

	if (m->profile && str_eq(host, b->name)) {
		b->id = m->id;
		b->hits++;
	}
	return 0;
}

/* An identity value as people type it. */
static int
find_by_value(struct store *store, const char *name, int64_t *id, struct err *e)
{
	struct identity as = { 0 };
	int failed = 0;

	identity_add(&as, IDENTITY_UUID, name);
	identity_add(&as, IDENTITY_MAC, name);
	if (as.uuid)
		failed = store_identity_find(store, IDENTITY_UUID, as.uuid, id,
					     e);
	if (failed == 0 && !*id && as.uuid)
		failed = store_identity_find(store, IDENTITY_SERIAL, as.uuid,
					     id, e);
	if (failed == 0 && !*id && as.macs_len)
		failed = store_identity_find(store, IDENTITY_MAC, as.macs[0],
					     id, e);
	identity_clear(&as);
	return failed;
}

static int
find_machine(struct store *store, const char *name, struct store_machine *m,
	     struct err *e)
{
	struct by_hostname b = { name, 0, 0 };
	struct err ignored = { 0 };
	bool found = false;
	uint64_t id = 0;

	if (*name == 'm' &&
	    num_u64(name + 1, 1, INT64_MAX, &id, "id", &ignored) == 0) {
		if (store_machine_get(store, (int64_t)id, m, &found, e) < 0)
			return -1;
		if (found)
			return 0;
	}
	if (find_by_value(store, name, &b.id, e) < 0)
		return -1;
	if (!b.id && store_machines(store, has_hostname, &b, e) < 0)
		return -1;
	if (b.hits > 1)
		return err_set(e, ERR_REFUSED,
			       "%zu machines are called \"%.80s\"; use an id",
			       b.hits, name);
	if (b.id && store_machine_get(store, b.id, m, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_REFUSED, "no machine is called \"%.80s\"",
			       name);
	return 0;
}

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
	AUTO_FREE char *host = var_of(m, "hostname");
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

static struct value *
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
	int failed = find_machine(store, name, &m, e);

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

/* ---- watching ---- */

static int
read_feed(struct site *s, int64_t after, struct value *list, struct err *e)
{
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = store_events_after(s->reader, after, EVENTS_AT_ONCE,
				    push_event, list, e);
	pthread_mutex_unlock(&s->reader_lock);
	return failed;
}

/* Wait until something was committed after `seen`, or `until`. */
static bool
wait_for_news(struct site *s, uint64_t seen, const struct timespec *until)
{
	bool news;

	pthread_mutex_lock(&s->news_lock);
	while (s->news == seen && !s->no_more_news &&
	       pthread_cond_timedwait(&s->news_come, &s->news_lock, until) == 0)
		;
	news = s->news != seen && !s->no_more_news;
	pthread_mutex_unlock(&s->news_lock);
	return news;
}

int
site_feed(struct site *s, int64_t after, int wait_ms, struct value **out,
	  struct err *e)
{
	struct value *list = value_list(), *feed;
	struct timespec until;
	uint64_t seen;
	int64_t next = after;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_ms / 1000;
	do {
		pthread_mutex_lock(&s->news_lock);
		seen = s->news;
		pthread_mutex_unlock(&s->news_lock);
		if (read_feed(s, after, list, e) < 0) {
			value_free(list);
			return -1;
		}
	} while (list->list.len == 0 && wait_ms > 0 &&
		 wait_for_news(s, seen, &until));
	if (list->list.len > 0)
		next = value_get_int(list->list.at[list->list.len - 1], "seq",
				     after);
	feed = value_dict();
	value_set(feed, "events", list);
	value_set_int(feed, "next", next);
	*out = feed;
	return 0;
}

/* ---- changes ---- */

static int
ask_reinstall(struct site *s, void *ctx, struct err *e)
{
	struct store_machine m = { 0 };
	int failed = find_machine(s->writer, ctx, &m, e);

	if (failed == 0 && !m.profile)
		failed = err_set(
			e, ERR_REFUSED,
			"m%lld has no profile: it will be asked for at its "
			"next boot anyway",
			(long long)m.id);
	if (failed == 0) {
		m.reinstall = true;
		failed = store_machine_put(s->writer, &m, e) < 0 ||
					 note_event(s, m.id, "reinstall",
						    "its next run installs",
						    e) < 0
				 ? -1
				 : 0;
	}
	store_machine_clear(&m);
	return failed;
}

int
site_reinstall(struct site *s, const char *name, struct err *e)
{
	return site_write(s, ask_reinstall, (void *)(uintptr_t)name, e);
}

static int
end_run(struct site *s, const char *id, struct err *e)
{
	struct store_run r = { 0 };
	bool found = false;
	int failed = 0;

	if (id && store_run_get(s->writer, id, &r, &found, e) < 0)
		return -1;
	if (found && !r.ended_ms) {
		r.ended_ms = clock_wall_ms();
		r.outcome = RUN_REPLACED;
		failed = store_run_put(s->writer, &r, e);
	}
	store_run_clear(&r);
	return failed;
}

static int
release_machine(struct site *s, struct store_machine *m, struct err *e)
{
	if (end_run(s, m->run, e) < 0)
		return -1;
	if (m->entry && entry_release(s, m->entry, e) < 0)
		return -1;
	m->condition = CONDITION_RELEASED;
	m->entry = 0;
	m->reinstall = false;
	free(m->reason);
	m->reason = NULL;
	free(m->profile);
	m->profile = NULL;
	free(m->vars);
	m->vars = NULL;
	if (store_machine_put(s->writer, m, e) < 0)
		return -1;
	return note_event(s, m->id, "released", "unit and entry are free", e);
}

static int
release(struct site *s, void *ctx, struct err *e)
{
	struct store_machine m = { 0 };
	int failed = find_machine(s->writer, ctx, &m, e);

	if (failed == 0)
		failed = release_machine(s, &m, e);
	store_machine_clear(&m);
	return failed;
}

int
site_release(struct site *s, const char *name, struct err *e)
{
	return site_write(s, release, (void *)(uintptr_t)name, e);
}

/* ---- a boot loader ---- */

static int
find_booting(struct store *store, const struct site_boot_ask *ask,
	     struct store_machine *m, bool *found, struct err *e)
{
	const struct {
		enum identity_kind kind;
		const char *value;
	} says[] = { { IDENTITY_UUID, ask->uuid },
		     { IDENTITY_SERIAL, ask->serial },
		     { IDENTITY_MAC, ask->mac } };
	int64_t id = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(says) && !id; i++) {
		struct identity as = { 0 };
		const char *value;
		int failed = 0;

		if (says[i].value)
			identity_add(&as, says[i].kind, says[i].value);
		value = as.uuid       ? as.uuid
			: as.serial   ? as.serial
			: as.macs_len ? as.macs[0]
				      : NULL;
		if (value)
			failed = store_identity_find(store, (int)says[i].kind,
						     value, &id, e);
		identity_clear(&as);
		if (failed < 0)
			return -1;
	}
	*found = false;
	return id ? store_machine_get(store, id, m, found, e) : 0;
}

int
site_boot(struct site *s, const struct site_boot_ask *ask, enum site_boot *out,
	  struct err *e)
{
	struct store_machine m = { 0 };
	bool found = false;
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = find_booting(s->reader, ask, &m, &found, e);
	pthread_mutex_unlock(&s->reader_lock);
	*out = found && m.condition == CONDITION_INSTALLED && !m.reinstall
		       ? SITE_BOOT_DISK
		       : SITE_BOOT_INSTALL;
	store_machine_clear(&m);
	return failed;
}
