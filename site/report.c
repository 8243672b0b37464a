/* A run reports: events, its log's place, the old agents' failures. */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "site/core.h"

#define KIND_MAX 32
#define BODY_MAX 65536

struct reporting {
	const char *run, *token;
	const struct value *events;
	int64_t *next;
	int64_t now_ms;
};

static int
refuse(struct err *e)
{
	return err_set(
		e, ERR_REFUSED,
		"no such run, or not its token, or not the machine's open "
		"run");
}

/* The run of these words; ERR_REFUSED when the token is not its own. */
static int
open_run(struct store *store, const char *id, const char *token,
	 struct store_run *r, struct err *e)
{
	bool found = false;

	if (store_run_get(store, id, r, &found, e) < 0)
		return -1;
	if (found && token && token_equal(r->token, token))
		return 0;
	store_run_clear(r);
	return refuse(e);
}

static void
set_text(char **slot, const char *text)
{
	char *copy = text ? base_strdup(text) : NULL;

	free(*slot);
	*slot = copy;
}

static int
check_event(const struct value *ev, struct err *e)
{
	const char *kind = value_get_str(ev, "kind");

	if (ev->kind != VALUE_DICT || value_get_int(ev, "n", 0) < 1)
		return err_set(e, ERR_INPUT,
			       "an event is {\"n\": 1, \"kind\": …}");
	if (!kind || strlen(kind) > KIND_MAX || !name_is_safe(kind))
		return err_set(e, ERR_INPUT,
			       "event %lld: its kind is 1 to 32 letters",
			       (long long)value_get_int(ev, "n", 0));
	return 0;
}

static int
keep_event(struct site *s, const struct store_run *r, const struct value *ev,
	   int64_t now_ms, struct err *e)
{
	AUTO_CLEAR(buf) body = { 0 };
	struct store_event row = { .run = r->id,
				   .machine = r->machine,
				   .number = value_get_int(ev, "n", 0),
				   .at_ms = now_ms,
				   .kind = (char *)(uintptr_t)value_get_str(
					   ev, "kind") };

	value_json(ev, 0, &body);
	if (body.len > BODY_MAX)
		return err_set(e, ERR_INPUT, "event %lld: larger than 64 KiB",
			       (long long)row.number);
	row.body = body.at;
	return store_event_add(s->writer, &row, e);
}

static char *
failure_text(const struct value *ev)
{
	const char *reason = value_get_str(ev, "reason");
	const char *command = value_get_str(ev, "command");
	const char *file = value_get_str(ev, "file");
	int64_t line = value_get_int(ev, "line", 0);

	if (!reason)
		reason = "failed without a reason";
	if (command && file && !strstr(reason, command))
		return base_printf("%s:%lld: %s: %s", file, (long long)line,
				   command, reason);
	return base_strdup(reason);
}

/* What an event means for the run and the machine. */
static void
take_event(struct store_run *r, struct store_machine *m, const struct value *ev,
	   int64_t now_ms)
{
	const char *kind = value_get_str(ev, "kind");

	if (str_eq(kind, "phase"))
		set_text(&r->phase, value_get_str(ev, "phase"));
	if (str_eq(kind, "done") || str_eq(kind, "failed")) {
		r->ended_ms = now_ms;
		r->outcome = *kind == 'd' ? RUN_DONE : RUN_FAILED;
	}
	if (r->outcome == RUN_FAILED && r->ended_ms == now_ms && !r->reason)
		r->reason = failure_text(ev);
	if (r->local)
		return; /* it stays installed, whatever booting says */
	if (r->outcome == RUN_DONE)
		m->condition = CONDITION_INSTALLED;
	else if (r->outcome == RUN_FAILED)
		m->condition = CONDITION_FAILED;
	else if (m->condition == CONDITION_ASSIGNED)
		m->condition = CONDITION_INSTALLING;
	if (r->outcome == RUN_FAILED)
		set_text(&m->reason, r->reason);
}

static int
take_events(struct site *s, struct reporting *p, struct store_run *r,
	    struct store_machine *m, struct err *e)
{
	size_t i;

	for (i = 0; i < p->events->list.len; i++) {
		const struct value *ev = p->events->list.at[i];
		int64_t n;

		if (check_event(ev, e) < 0)
			return -1;
		n = value_get_int(ev, "n", 0);
		if (n < r->next_event)
			continue;
		if (n > r->next_event)
			return err_set(e, ERR_INPUT,
				       "event %lld comes before %lld",
				       (long long)n, (long long)r->next_event);
		if (r->ended_ms || !str_eq(m->run, r->id))
			return refuse(e);
		if (keep_event(s, r, ev, p->now_ms, e) < 0)
			return -1;
		r->next_event = n + 1;
		take_event(r, m, ev, p->now_ms);
	}
	return 0;
}

static int
report(struct site *s, void *ctx, struct err *e)
{
	struct reporting *p = ctx;
	struct store_machine m = { 0 };
	struct store_run r = { 0 };
	bool found = false;
	int failed = -1;

	if (open_run(s->writer, p->run, p->token, &r, e) < 0)
		return -1;
	if (store_machine_get(s->writer, r.machine, &m, &found, e) == 0)
		failed = take_events(s, p, &r, &m, e);
	if (failed == 0) {
		r.heard_ms = m.last_seen_ms = p->now_ms;
		*p->next = r.next_event;
		failed = store_run_put(s->writer, &r, e) < 0 ||
					 store_machine_put(s->writer, &m, e) < 0
				 ? -1
				 : 0;
	}
	store_run_clear(&r);
	store_machine_clear(&m);
	return failed;
}

int
site_events(struct site *s, const char *run, const char *token,
	    const struct value *events, int64_t *next, struct err *e)
{
	struct reporting p = { run, token, events, next, clock_wall_ms() };

	if (!events || events->kind != VALUE_LIST)
		return err_set(e, ERR_INPUT, "\"events\" is a list");
	return site_write(s, report, &p, e);
}

int
site_log_path(struct site *s, const char *run, const char *token, char **path,
	      struct err *e)
{
	struct store_run r;
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = open_run(s->reader, run, token, &r, e);
	pthread_mutex_unlock(&s->reader_lock);
	if (failed < 0)
		return -1;
	/* the store's spelling of the id: 32 hex digits, never a path */
	*path = base_printf("%s/%s.log", s->conf->logdir, r.id);
	store_run_clear(&r);
	return 0;
}

/* ---- the first eDeploy's failure report ---- */

struct old_failure {
	const struct facts *facts;
	const char *profile;
};

/* The machine by the values that only it has. */
static int
machine_of(struct site *s, const struct facts *f, int64_t *machine,
	   struct err *e)
{
	struct identity id = { 0 };
	int failed = 0;
	size_t i;

	*machine = 0;
	identify(f, &id);
	if (id.uuid)
		failed = store_identity_find(s->writer, IDENTITY_UUID, id.uuid,
					     machine, e);
	if (failed == 0 && !*machine && id.serial)
		failed = store_identity_find(s->writer, IDENTITY_SERIAL,
					     id.serial, machine, e);
	for (i = 0; failed == 0 && !*machine && i < id.macs_len; i++)
		failed = store_identity_find(s->writer, IDENTITY_MAC,
					     id.macs[i], machine, e);
	identity_clear(&id);
	return failed;
}

static bool
is_the_run(const struct old_failure *f, const struct store_run *r)
{
	AUTO_CLEAR(buf) json = { 0 };
	char hash[HASH_HEX];

	facts_to_json(f->facts, &json);
	hash_hex(json.at, json.len, hash);
	return r->old_agent && !r->ended_ms && str_eq(r->facts_hash, hash) &&
	       str_eq(r->profile, f->profile);
}

static int
end_old_run(struct site *s, void *ctx, struct err *e)
{
	const struct old_failure *f = ctx;
	struct store_machine m = { 0 };
	struct store_run r = { 0 };
	bool found = false;
	int64_t id;
	int failed = 0;

	if (machine_of(s, f->facts, &id, e) < 0 ||
	    (id && store_machine_get(s->writer, id, &m, &found, e) < 0) ||
	    (found && m.run &&
	     store_run_get(s->writer, m.run, &r, &found, e) < 0))
		return -1;
	if (r.id && is_the_run(f, &r)) {
		r.ended_ms = m.last_seen_ms = clock_wall_ms();
		r.outcome = RUN_FAILED;
		set_text(&r.reason, "the agent reported a failure");
		set_text(&m.reason, r.reason);
		m.condition = CONDITION_FAILED;
		failed = store_run_put(s->writer, &r, e) < 0 ||
					 store_machine_put(s->writer, &m, e) <
						 0 ||
					 note_event(s, m.id, "failed", r.reason,
						    e) < 0
				 ? -1
				 : 0;
	}
	store_run_clear(&r);
	store_machine_clear(&m);
	return failed;
}

int
site_old_failure(struct site *s, const struct facts *f, const char *profile,
		 struct err *e)
{
	struct old_failure failure = { f, profile };

	return site_write(s, end_old_run, &failure, e);
}
