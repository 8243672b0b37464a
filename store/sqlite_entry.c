/* Entries of the profiles' CMDBs. */
#include "lib/json.h"
#include "store/sqlite_index.h"

void
store_entry_clear(struct store_entry *t)
{
	free(t->profile);
	free(t->fields);
	free(t->origin);
	*t = (struct store_entry){ 0 };
}

/* ---- rows ---- */

int
store_entry_fields(struct store *s, const struct store_entry *t,
		   struct value **out, struct err *e)
{
	if (json_parse(out, t->fields, strlen(t->fields), e) < 0)
		return err_add(e, "%.120s: entry %lld", s->path,
			       (long long)t->id);
	if ((*out)->kind == VALUE_DICT)
		return 0;
	value_free(*out);
	*out = NULL;
	return err_set(e, ERR_SYS, "%.120s: entry %lld is no object", s->path,
		       (long long)t->id);
}

/* ---- one row ---- */

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

/* A row as it is, and its shape. */
struct old_row {
	struct store_entry t;
	char *shape;
};

static int
get_row(struct store *s, int64_t id, struct old_row *out, bool *found,
	struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_GET, e);
	int row;

	if (!q)
		return -1;
	store_bind(q, "i", id);
	row = store_row(s, q, e);
	*found = row == 1;
	if (row == 1) {
		read_entry(q, &out->t);
		out->shape = store_text(q, 9);
	}
	store_end(q);
	return row < 0 ? -1 : 0;
}

int
store_entry_get(struct store *s, int64_t id, struct store_entry *out,
		bool *found, struct err *e)
{
	struct old_row row = { 0 };
	int failed = get_row(s, id, &row, found, e);

	*out = row.t;
	free(row.shape);
	return failed;
}

/* What `t` holds: the loan, or *parsed. NULL on failure. */
static const struct value *
fields_of(struct store *s, const struct store_entry *t, struct value **parsed,
	  struct err *e)
{
	if (t->value)
		return t->value;
	store_entry_fields(s, t, parsed, e);
	return *parsed;
}

int
store_entry_add(struct store *s, struct store_entry *t, struct err *e)
{
	AUTO(value) parsed = NULL;
	const struct value *fields = fields_of(s, t, &parsed, e);
	sqlite3_stmt *q = store_statement(s, S_ENTRY_ADD, e);
	AUTO_FREE char *shape = NULL;

	if (!q || !fields)
		return -1;
	shape = index_shape(t, fields);
	store_bind(q, "tiittbibt", t->profile, t->position, t->gen, t->fields,
		   t->origin, (int)t->used, t->machine, (int)t->gone, shape);
	if (store_do(s, q, e) < 0)
		return -1;
	t->id = sqlite3_last_insert_rowid(s->db);
	return index_change(s, NULL, t, fields, e);
}

/* What a claim changes: neither its place nor what the operator wrote, so that
 * the indexes of those stay as they are. */
static int
put_claim(struct store *s, const struct store_entry *t, const char *shape,
	  struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_CLAIM, e);

	if (!q)
		return -1;
	store_bind(q, "itbibti", t->gen, t->fields, (int)t->used, t->machine,
		   (int)t->gone, shape, t->id);
	return store_do(s, q, e);
}

/* All but the owner. A column that is unique or refers has SQLite keep what it
 * would have to undo, and throw it away behind each statement in a time that
 * grows with all that the transaction did. */
static int
put_edit(struct store *s, const struct store_entry *t, const char *shape,
	 struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_EDIT, e);

	if (!q)
		return -1;
	store_bind(q, "iittbbti", t->position, t->gen, t->fields, t->origin,
		   (int)t->used, (int)t->gone, shape, t->id);
	return store_do(s, q, e);
}

/* What an editor changes most: no index knows of it. */
static int
put_words(struct store *s, const struct store_entry *t, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_WORDS, e);

	if (!q)
		return -1;
	store_bind(q, "itti", t->gen, t->fields, t->origin, t->id);
	return store_do(s, q, e);
}

static int
put_row(struct store *s, const struct old_row *old, const struct store_entry *t,
	const char *shape, struct err *e)
{
	bool same_owner = old->t.machine == t->machine;
	bool same_place = old->t.position == t->position;

	if (same_owner && same_place && old->t.used == t->used &&
	    old->t.gone == t->gone && str_eq(old->shape, shape))
		return put_words(s, t, e);
	if (!same_owner && put_claim(s, t, shape, e) < 0)
		return -1;
	if (same_owner || !same_place || !str_eq(old->t.origin, t->origin))
		return put_edit(s, t, shape, e);
	return 0;
}

static int
put_over(struct store *s, const struct old_row *old,
	 const struct store_entry *t, struct err *e)
{
	AUTO(value) parsed = NULL;
	const struct value *fields = fields_of(s, t, &parsed, e);
	AUTO_FREE char *shape = NULL;

	if (!fields)
		return -1;
	shape = index_shape(t, fields);
	if (put_row(s, old, t, shape, e) < 0)
		return -1;
	return index_change(s, &old->t, t, fields, e);
}

int
store_entry_put(struct store *s, const struct store_entry *t, struct err *e)
{
	struct old_row old = { 0 };
	bool found = false;
	int failed;

	if (get_row(s, t->id, &old, &found, e) < 0)
		return -1;
	failed = found ? put_over(s, &old, t, e)
		       : err_set(e, ERR_SYS, "%.120s: there is no entry %lld",
				 s->path, (long long)t->id);
	store_entry_clear(&old.t);
	free(old.shape);
	return failed;
}

int
store_entry_move(struct store *s, int64_t id, int64_t position, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_MOVE, e);

	if (!q)
		return -1;
	store_bind(q, "ii", position, id);
	return store_do(s, q, e);
}

int
store_entry_gone(struct store *s, int64_t id, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_GONE, e);

	if (!q)
		return -1;
	store_bind(q, "i", id);
	return store_do(s, q, e);
}

/* Hand out the rows of `q`, which is bound, and reset it. */
static int
each_entry(struct store *s, sqlite3_stmt *q, store_each_entry *each, void *ctx,
	   struct err *e)
{
	int row, stop = 0;

	while (!stop && (row = store_row(s, q, e)) == 1) {
		struct store_entry t;

		read_entry(q, &t);
		stop = each(ctx, &t);
		store_entry_clear(&t);
	}
	store_end(q);
	return !stop && row < 0 ? -1 : 0;
}

int
store_entries(struct store *s, const char *profile, store_each_entry *each,
	      void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRIES, e);

	if (!q)
		return -1;
	store_bind(q, "t", profile);
	return each_entry(s, q, each, ctx, e);
}

int
store_entries_owned(struct store *s, const char *profile, int64_t machine,
		    store_each_entry *each, void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRIES_OWNED, e);

	if (!q)
		return -1;
	store_bind(q, "it", machine, profile);
	return each_entry(s, q, each, ctx, e);
}

int
store_entries_holding(struct store *s, const char *profile, const char *name,
		      const char *value, bool owned, store_each_entry *each,
		      void *ctx, struct err *e)
{
	int64_t hash = index_hash(profile, name, value, false);
	sqlite3_stmt *q = store_statement(s, S_ENTRIES_HOLDING, e);

	if (!q || index_ask(s, profile, name, e) < 0)
		return -1;
	store_bind(q, "iit", hash,
		   owned ? index_hash(profile, name, value, true) : hash,
		   profile);
	return each_entry(s, q, each, ctx, e);
}

int
store_entries_free(struct store *s, const char *profile, store_each_entry *each,
		   void *ctx, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_FREE, e);
	AUTO_FREE char *shape = base_strdup("");
	int row = 1, stop = 0;

	if (!q)
		return -1;
	while (!stop && row == 1) {
		struct store_entry t = { 0 };
		char *next = NULL;

		store_bind(q, "tt", profile, shape);
		row = store_row(s, q, e);
		if (row == 1) {
			next = store_text(q, 9);
			read_entry(q, &t);
		}
		store_end(q);
		if (row == 1) {
			free(shape);
			shape = next;
			stop = each(ctx, &t);
		}
		store_entry_clear(&t);
	}
	return row < 0 ? -1 : 0;
}
