/* Machines and what they are known by. */
#include "store/sqlite.h"

const char *
condition_name(enum condition c)
{
	static const char *const names[] = { "waiting",    "assigned",
					     "installing", "installed",
					     "silent",     "failed",
					     "released" };

	return names[c];
}

void
store_machine_clear(struct store_machine *m)
{
	free(m->reason);
	free(m->product);
	free(m->facts);
	free(m->peer);
	free(m->profile);
	free(m->vars);
	free(m->run);
	*m = (struct store_machine){ 0 };
}

static void
bind_machine(sqlite3_stmt *q, const struct store_machine *m)
{
	store_bind(q, "bttttiibtitt", (int)m->condition, m->reason, m->product,
		   m->facts, m->peer, m->first_seen_ms, m->last_seen_ms,
		   (int)m->reinstall, m->profile, m->entry, m->vars, m->run);
}

int
store_machine_add(struct store *s, struct store_machine *m, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_MACHINE_ADD, e);

	if (!q)
		return -1;
	bind_machine(q, m);
	if (store_do(s, q, e) < 0)
		return -1;
	m->id = sqlite3_last_insert_rowid(s->db);
	return 0;
}

int
store_machine_put(struct store *s, const struct store_machine *m, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_MACHINE_PUT, e);

	if (!q)
		return -1;
	bind_machine(q, m);
	sqlite3_bind_int64(q, 13, m->id);
	return store_do(s, q, e);
}

static void
read_machine(sqlite3_stmt *q, struct store_machine *m)
{
	*m = (struct store_machine){
		.id = sqlite3_column_int64(q, 0),
		.condition = (enum condition)sqlite3_column_int(q, 1),
		.reason = store_text(q, 2),
		.product = store_text(q, 3),
		.facts = store_text(q, 4),
		.peer = store_text(q, 5),
		.first_seen_ms = sqlite3_column_int64(q, 6),
		.last_seen_ms = sqlite3_column_int64(q, 7),
		.reinstall = sqlite3_column_int(q, 8) != 0,
		.profile = store_text(q, 9),
		.entry = sqlite3_column_int64(q, 10),
		.vars = store_text(q, 11),
		.run = store_text(q, 12),
	};
}

int
store_machine_get(struct store *s, int64_t id, struct store_machine *out,
		  bool *found, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_MACHINE_GET, e);
	int row;

	*out = (struct store_machine){ 0 };
	if (!q)
		return -1;
	store_bind(q, "i", id);
	row = store_row(s, q, e);
	*found = row == 1;
	if (row == 1)
		read_machine(q, out);
	store_end(q);
	return row < 0 ? -1 : 0;
}

int
store_machines(struct store *s, store_each_machine *each, void *ctx,
	       struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_MACHINES, e);
	int row, stop = 0;

	if (!q)
		return -1;
	while (!stop && (row = store_row(s, q, e)) == 1) {
		struct store_machine m;

		read_machine(q, &m);
		stop = each(ctx, &m);
		store_machine_clear(&m);
	}
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}

static int
do_with(struct store *s, enum statement which, const char *kinds, int64_t a,
	int64_t b, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, which, e);

	if (!q)
		return -1;
	store_bind(q, kinds, a, b);
	return store_do(s, q, e);
}

int
store_machine_move(struct store *s, int64_t from, int64_t to, struct err *e)
{
	if (do_with(s, S_MACHINE_EVENTS_MOVE, "ii", to, from, e) < 0)
		return -1;
	return do_with(s, S_MACHINE_RUNS_MOVE, "ii", to, from, e);
}

int
store_machine_drop(struct store *s, int64_t id, struct err *e)
{
	static const enum statement order[] = { S_MACHINE_EVENTS_DROP,
						S_MACHINE_RUNS_DROP,
						S_MACHINE_IDENTITIES_DROP,
						S_MACHINE_DROP };

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (do_with(s, order[i], "i", id, 0, e) < 0)
			return -1;
	return 0;
}

int
store_live(struct store *s, const char *profile, uint64_t *out, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_LIVE, e);
	int row;

	if (!q)
		return -1;
	store_bind(q, "t", profile);
	row = store_row(s, q, e);
	*out = row == 1 ? (uint64_t)sqlite3_column_int64(q, 0) : 0;
	store_end(q);
	return row < 0 ? -1 : 0;
}

/* ---- identities ---- */

int
store_identity_add(struct store *s, int64_t machine, int kind,
		   const char *value, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_IDENTITY_ADD, e);
	int64_t owner = machine;

	if (!q)
		return -1;
	store_bind(q, "bti", kind, value, machine);
	if (store_do(s, q, e) < 0)
		return -1;
	if (sqlite3_changes(s->db) == 0 &&
	    store_identity_find(s, kind, value, &owner, e) < 0)
		return -1;
	if (owner != machine)
		return err_set(e, ERR_REFUSED,
			       "\"%.80s\" belongs to another machine", value);
	return 0;
}

int
store_identity_drop(struct store *s, int64_t machine, int kind,
		    const char *value, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_IDENTITY_DROP, e);

	if (!q)
		return -1;
	store_bind(q, "bti", kind, value, machine);
	return store_do(s, q, e);
}

int
store_identity_find(struct store *s, int kind, const char *value,
		    int64_t *machine, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_IDENTITY_FIND, e);
	int row;

	if (!q)
		return -1;
	store_bind(q, "bt", kind, value);
	row = store_row(s, q, e);
	*machine = row == 1 ? sqlite3_column_int64(q, 0) : 0;
	store_end(q);
	return row < 0 ? -1 : 0;
}

int
store_identities(struct store *s, int64_t machine, store_each_identity *each,
		 void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_IDENTITIES, e);
	int row, stop = 0;

	if (!q)
		return -1;
	store_bind(q, "i", machine);
	while (!stop && (row = store_row(s, q, e)) == 1)
		stop = each(ctx, sqlite3_column_int(q, 0),
			    (const char *)sqlite3_column_text(q, 1));
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}

int
store_shared_put(struct store *s, int kind, const char *value, bool shared,
		 struct err *e)
{
	sqlite3_stmt *q =
		store_statement(s, shared ? S_SHARED_ADD : S_SHARED_DROP, e);

	if (!q)
		return -1;
	store_bind(q, "bt", kind, value);
	return store_do(s, q, e);
}

/* Is there a row? For a statement that is bound already. */
static int
is_there(struct store *s, sqlite3_stmt *q, bool *out, struct err *e)
{
	int row = store_row(s, q, e);

	*out = row == 1;
	store_end(q);
	return row < 0 ? -1 : 0;
}

int
store_shared(struct store *s, int kind, const char *value, bool *out,
	     struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_SHARED_FIND, e);

	if (!q)
		return -1;
	store_bind(q, "bt", kind, value);
	return is_there(s, q, out, e);
}

int
store_shared_any(struct store *s, bool *out, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_SHARED_ANY, e);

	return q ? is_there(s, q, out, e) : -1;
}
