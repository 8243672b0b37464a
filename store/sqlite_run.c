/* Runs and their events. */
#include "store/sqlite.h"

void
store_run_clear(struct store_run *r)
{
	free(r->id);
	free(r->token);
	free(r->facts_hash);
	free(r->profile);
	free(r->answer);
	free(r->reason);
	free(r->phase);
	*r = (struct store_run){ 0 };
}

int
store_run_add(struct store *s, const struct store_run *r, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_RUN_ADD, e);

	if (!q)
		return -1;
	store_bind(q, "ttiiiibbbttttti", r->id, r->token, r->machine,
		   r->started_ms, r->heard_ms, r->ended_ms, (int)r->outcome,
		   (int)r->old_agent, (int)r->local, r->facts_hash, r->profile,
		   r->answer, r->reason, r->phase, r->next_event);
	return store_do(s, q, e);
}

int
store_run_put(struct store *s, const struct store_run *r, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_RUN_PUT, e);

	if (!q)
		return -1;
	store_bind(q, "tiiiibbbtttttit", r->token, r->machine, r->started_ms,
		   r->heard_ms, r->ended_ms, (int)r->outcome, (int)r->old_agent,
		   (int)r->local, r->facts_hash, r->profile, r->answer,
		   r->reason, r->phase, r->next_event, r->id);
	return store_do(s, q, e);
}

static void
read_run(sqlite3_stmt *q, struct store_run *r)
{
	*r = (struct store_run){
		.id = store_text(q, 0),
		.token = store_text(q, 1),
		.machine = sqlite3_column_int64(q, 2),
		.started_ms = sqlite3_column_int64(q, 3),
		.heard_ms = sqlite3_column_int64(q, 4),
		.ended_ms = sqlite3_column_int64(q, 5),
		.outcome = (enum run_outcome)sqlite3_column_int(q, 6),
		.old_agent = sqlite3_column_int(q, 7) != 0,
		.local = sqlite3_column_int(q, 8) != 0,
		.facts_hash = store_text(q, 9),
		.profile = store_text(q, 10),
		.answer = store_text(q, 11),
		.reason = store_text(q, 12),
		.phase = store_text(q, 13),
		.next_event = sqlite3_column_int64(q, 14),
	};
}

int
store_run_get(struct store *s, const char *id, struct store_run *out,
	      bool *found, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_RUN_GET, e);
	int row;

	*out = (struct store_run){ 0 };
	if (!q)
		return -1;
	store_bind(q, "t", id);
	row = store_row(s, q, e);
	*found = row == 1;
	if (row == 1)
		read_run(q, out);
	store_end(q);
	return row < 0 ? -1 : 0;
}

int
store_runs(struct store *s, int64_t machine, store_each_run *each, void *ctx,
	   struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_RUNS, e);
	int row, stop = 0;

	if (!q)
		return -1;
	store_bind(q, "i", machine);
	while (!stop && (row = store_row(s, q, e)) == 1) {
		struct store_run r;

		read_run(q, &r);
		stop = each(ctx, &r);
		store_run_clear(&r);
	}
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}

/* ---- events ---- */

int
store_event_add(struct store *s, const struct store_event *ev, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_EVENT_ADD, e);

	if (!q)
		return -1;
	store_bind(q, "tiiitt", ev->run, ev->machine, ev->number, ev->at_ms,
		   ev->kind, ev->body);
	return store_do(s, q, e);
}

static int
each_event(struct store *s, sqlite3_stmt *q, store_each_event *each, void *ctx,
	   struct err *e)
{
	int row, stop = 0;

	while (!stop && (row = store_row(s, q, e)) == 1) {
		struct store_event ev = {
			.seq = sqlite3_column_int64(q, 0),
			.run = store_text(q, 1),
			.machine = sqlite3_column_int64(q, 2),
			.number = sqlite3_column_int64(q, 3),
			.at_ms = sqlite3_column_int64(q, 4),
			.kind = store_text(q, 5),
			.body = store_text(q, 6),
		};

		stop = each(ctx, &ev);
		free(ev.run);
		free(ev.kind);
		free(ev.body);
	}
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}

int
store_events_after(struct store *s, int64_t seq, size_t limit,
		   store_each_event *each, void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_EVENTS_AFTER, e);

	if (!q)
		return -1;
	store_bind(q, "ii", seq, (int64_t)limit);
	return each_event(s, q, each, ctx, e);
}

int
store_event_last(struct store *s, int64_t *seq, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_EVENT_LAST, e);
	int row = q ? store_row(s, q, e) : -1;

	if (row == 1)
		*seq = sqlite3_column_int64(q, 0);
	if (q)
		store_end(q);
	return row == 1 ? 0 : -1;
}

int
store_events_of_run(struct store *s, const char *run, store_each_event *each,
		    void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_EVENTS_OF_RUN, e);

	if (!q)
		return -1;
	store_bind(q, "t", run);
	return each_event(s, q, each, ctx, e);
}
