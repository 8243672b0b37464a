/* Entries of the profiles' CMDBs, and the index by which choosing finds the few
 * that matter: one row for each text that an entry holds, as a hash over
 * profile, name, text and whether it has an owner; and for free entries the set
 * of their names, their shape. */
#include "lib/hash.h"
#include "lib/json.h"
#include "store/sqlite.h"

void
store_entry_clear(struct store_entry *t)
{
	free(t->profile);
	free(t->fields);
	free(t->origin);
	*t = (struct store_entry){ 0 };
}

/* ---- the index: what an entry holds, and which names ---- */

static int64_t
hash_of(const struct store_entry *t, const char *name, const char *value,
	bool owned)
{
	AUTO_CLEAR(buf) text = { 0 };

	buf_add(&text, t->profile, strlen(t->profile) + 1);
	buf_add(&text, name, strlen(name) + 1);
	buf_add(&text, value, strlen(value) + 1);
	buf_char(&text, owned ? '+' : '-');
	return hash_short(text.at, text.len);
}

/* Run `which` for each text that the entry holds. */
static int
each_value(struct store *s, enum statement which, const struct store_entry *t,
	   const struct value *fields, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, which, e);

	if (!q)
		return -1;
	for (size_t i = 0; i < fields->dict.len; i++) {
		const struct member *m = &fields->dict.at[i];

		if (m->value->kind != VALUE_STR)
			continue;
		store_bind(
			q, "ii",
			hash_of(t, m->key, m->value->str.at, t->machine != 0),
			t->id);
		if (store_do(s, q, e) < 0)
			return -1;
	}
	return 0;
}

/* An entry's fields as a value; anything but an object is a bug of ours or a
 * damaged store. */
static int
read_fields(struct store *s, const struct store_entry *t, struct value **out,
	    struct err *e)
{
	if (json_parse(out, t->fields, strlen(t->fields), e) < 0)
		return err_add(e, "%.120s: entry %lld", s->path,
			       (long long)t->id);
	if ((*out)->kind == VALUE_DICT)
		return 0;
	value_free(*out);
	return err_set(e, ERR_SYS, "%.120s: entry %lld is no object", s->path,
		       (long long)t->id);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of its fields, in order; never "". */
static char *
shape_of(const struct value *fields)
{
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_FREE const char **names =
		base_array(fields->dict.len + 1, sizeof(char *));

	for (size_t i = 0; i < fields->dict.len; i++)
		names[i] = fields->dict.at[i].key;
	qsort(names, fields->dict.len, sizeof(char *), compare_names);
	buf_char(&text, '#');
	for (size_t i = 0; i < fields->dict.len; i++)
		buf_printf(&text, "%s\n", names[i]);
	return buf_take(&text);
}

/* *same_owner: `t` has the machine that it had. */
static int
drop_old_values(struct store *s, const struct store_entry *t, bool *same_owner,
		struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *fields = NULL;
	struct store_entry old = { 0 };
	bool found = false;
	int failed = 0;

	if (store_entry_get(s, t->id, &old, &found, e) < 0)
		return -1;
	*same_owner = found && old.machine == t->machine;
	if (found)
		failed = read_fields(s, &old, &fields, e) < 0 ||
					 each_value(s, S_ENTRY_VALUE_DROP, &old,
						    fields, e) < 0
				 ? -1
				 : 0;
	store_entry_clear(&old);
	return failed;
}

/* ---- rows ---- */

static void
bind_entry(sqlite3_stmt *q, const struct store_entry *t, const char *shape)
{
	store_bind(q, "tiittbibt", t->profile, t->position, t->gen, t->fields,
		   t->origin, (int)t->used, t->machine, (int)t->gone, shape);
}

int
store_entry_add(struct store *s, struct store_entry *t, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *fields = NULL;
	sqlite3_stmt *q = store_statement(s, S_ENTRY_ADD, e);
	AUTO_FREE char *shape = NULL;

	if (!q || read_fields(s, t, &fields, e) < 0)
		return -1;
	shape = shape_of(fields);
	bind_entry(q, t, shape);
	if (store_do(s, q, e) < 0)
		return -1;
	t->id = sqlite3_last_insert_rowid(s->db);
	return each_value(s, S_ENTRY_VALUE_ADD, t, fields, e);
}

int
store_entry_put(struct store *s, const struct store_entry *t, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *fields = NULL;
	AUTO_FREE char *shape = NULL;
	bool same_owner = false;
	sqlite3_stmt *q;

	if (read_fields(s, t, &fields, e) < 0 ||
	    drop_old_values(s, t, &same_owner, e) < 0)
		return -1;
	/* A column that is unique or refers has SQLite keep what it would have
	 * to undo, and throw it away behind each statement in a time that grows
	 * with all that the transaction did. */
	q = store_statement(s, same_owner ? S_ENTRY_EDIT : S_ENTRY_PUT, e);
	if (!q)
		return -1;
	shape = shape_of(fields);
	bind_entry(q, t, shape);
	sqlite3_bind_int64(q, 10, t->id);
	if (store_do(s, q, e) < 0)
		return -1;
	return each_value(s, S_ENTRY_VALUE_ADD, t, fields, e);
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
	sqlite3_stmt *q = store_statement(s, S_ENTRIES_HOLDING, e);
	const struct store_entry of = { .profile = (char *)(uintptr_t)profile };

	if (!q)
		return -1;
	store_bind(q, "it", hash_of(&of, name, value, owned), profile);
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

/* ---- a store of an older schema ---- */

/* The entry behind *id: 1, 0 when there is none, -1 failed. */
static int
next_id(struct store *s, int64_t *id, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_NEXT, e);
	int row;

	if (!q)
		return -1;
	store_bind(q, "i", *id);
	row = store_row(s, q, e);
	if (row == 1)
		*id = sqlite3_column_int64(q, 0);
	store_end(q);
	return row;
}

int
store_entries_index(struct store *s, struct err *e)
{
	int64_t id = 0;
	int row = 1;

	while (row == 1) {
		struct store_entry t = { 0 };
		bool found = false;
		int failed = 0;

		row = next_id(s, &id, e);
		if (row == 1)
			failed = store_entry_get(s, id, &t, &found, e) < 0 ||
						 store_entry_put(s, &t, e) < 0
					 ? -1
					 : 0;
		store_entry_clear(&t);
		if (failed < 0)
			return -1;
	}
	return row;
}
