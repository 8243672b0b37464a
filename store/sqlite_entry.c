/* Entries of the profiles' CMDBs. */
#include "store/sqlite.h"

void
store_entry_clear(struct store_entry *t)
{
	free(t->profile);
	free(t->fields);
	free(t->origin);
	*t = (struct store_entry){ 0 };
}

static void
bind_entry(sqlite3_stmt *q, const struct store_entry *t)
{
	store_bind(q, "tiittbib", t->profile, t->position, t->gen, t->fields,
		   t->origin, (int)t->used, t->machine, (int)t->gone);
}

int
store_entry_add(struct store *s, struct store_entry *t, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_ADD, e);

	if (!q)
		return -1;
	bind_entry(q, t);
	if (store_do(s, q, e) < 0)
		return -1;
	t->id = sqlite3_last_insert_rowid(s->db);
	return 0;
}

int
store_entry_put(struct store *s, const struct store_entry *t, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_PUT, e);

	if (!q)
		return -1;
	bind_entry(q, t);
	sqlite3_bind_int64(q, 9, t->id);
	return store_do(s, q, e);
}

static void
read_entry(sqlite3_stmt *q, struct store_entry *t)
{
	*t = (struct store_entry){
		.id = sqlite3_column_int64(q, 0),
		.profile = store_text(q, 1),
		.position = sqlite3_column_int64(q, 2),
		.gen = sqlite3_column_int64(q, 3),
		.fields = store_text(q, 4),
		.origin = store_text(q, 5),
		.used = sqlite3_column_int(q, 6) != 0,
		.machine = sqlite3_column_int64(q, 7),
		.gone = sqlite3_column_int(q, 8) != 0,
	};
}

int
store_entry_get(struct store *s, int64_t id, struct store_entry *out,
		bool *found, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_GET, e);
	int row;

	*out = (struct store_entry){ 0 };
	if (!q)
		return -1;
	store_bind(q, "i", id);
	row = store_row(s, q, e);
	*found = row == 1;
	if (row == 1)
		read_entry(q, out);
	store_end(q);
	return row < 0 ? -1 : 0;
}

int
store_entries(struct store *s, const char *profile, store_each_entry *each,
	      void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRIES, e);
	int row, stop = 0;

	if (!q)
		return -1;
	store_bind(q, "t", profile);
	while (!stop && (row = store_row(s, q, e)) == 1) {
		struct store_entry t;

		read_entry(q, &t);
		stop = each(ctx, &t);
		store_entry_clear(&t);
	}
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}
