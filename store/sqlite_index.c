/* Choosing asks which entries hold a text: that of a key or an identity of the
 * machine. Entries hold many more, an address and a host name above all, that
 * nobody asks for; an index of those would be most of what a decision writes.
 * So a name is indexed once it was asked for, and ever after.
 *
 * A row is a hash over profile, name and text, whose last bit tells whether the
 * entry has an owner: the two are neighbours, and a claim changes one page. */
#include "lib/hash.h"
#include "store/sqlite_index.h"

#define NO_HASH (-1)

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* FNV-1a: nobody but the operator chooses these names. */
static uint64_t
mix(uint64_t h, const char *name)
{
	do
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	while (*name++);
	return h;
}

char *
index_shape(const struct store_entry *t, const struct value *fields)
{
	AUTO_FREE const char **names =
		base_array(fields->dict.len + 1, sizeof(char *));
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	if (t->used || t->machine)
		return base_strdup("");
	for (size_t i = 0; i < fields->dict.len; i++)
		names[i] = fields->dict.at[i].key;
	qsort(names, fields->dict.len, sizeof(char *), compare_names);
	for (size_t i = 0; i < fields->dict.len; i++)
		h = mix(h, names[i]);
	return base_printf("#%llx", (unsigned long long)h);
}

int64_t
index_hash(const char *profile, const char *name, const char *value, bool owned)
{
	AUTO_CLEAR(buf) text = { 0 };

	buf_add(&text, profile, strlen(profile) + 1);
	buf_add(&text, name, strlen(name) + 1);
	buf_str(&text, value);
	return (hash_short(text.at, text.len) & ~(int64_t)1) | owned;
}

static int64_t
hash_of(const struct store_entry *t, const struct value *fields,
	const char *name)
{
	const char *text = value_get_str(fields, name);

	return text ? index_hash(t->profile, name, text, t->machine != 0)
		    : NO_HASH;
}

static int
run_with(struct store *s, enum statement which, int64_t hash, int64_t entry,
	 struct err *e)
{
	sqlite3_stmt *q;

	if (hash == NO_HASH)
		return 0;
	q = store_statement(s, which, e);
	if (!q)
		return -1;
	store_bind(q, "ii", hash, entry);
	return store_do(s, q, e);
}

int
index_change(struct store *s, const struct store_entry *old,
	     const struct store_entry *now, const struct value *fields,
	     struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *before = NULL;
	sqlite3_stmt *q = store_statement(s, S_ASKED_OF, e);
	int row = 0, failed = 0;

	if (!q)
		return -1;
	store_bind(q, "t", now->profile);
	while (failed == 0 && (row = store_row(s, q, e)) == 1) {
		const char *name = (const char *)sqlite3_column_text(q, 0);
		int64_t was = NO_HASH, is = hash_of(now, fields, name);

		if (old && !before)
			failed = store_entry_fields(s, old, &before, e);
		if (before)
			was = hash_of(old, before, name);
		if (failed == 0 && was != is)
			failed = run_with(s, S_ENTRY_VALUE_DROP, was, now->id,
					  e) < 0 ||
						 run_with(s, S_ENTRY_VALUE_ADD,
							  is, now->id, e) < 0
					 ? -1
					 : 0;
	}
	store_end(q);
	return failed < 0 || row < 0 ? -1 : 0;
}

/* ---- a name that is new ---- */

static int
add_entry(struct store *s, const struct store_entry *t, const char *name,
	  struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *fields = NULL;

	if (store_entry_fields(s, t, &fields, e) < 0)
		return -1;
	return run_with(s, S_ENTRY_VALUE_ADD, hash_of(t, fields, name), t->id,
			e);
}

/* `name` as it stands in the fields' JSON: most entries of a large CMDB lack
 * it, and need not be parsed to know that. */
static char *
spelling_of(const char *name)
{
	__attribute__((cleanup(value_freep))) struct value *v = value_str(name);
	AUTO_CLEAR(buf) text = { 0 };

	value_json(v, 0, &text);
	return buf_take(&text);
}

/* All entries of the profile, also those that are gone: they may return. */
static int
add_name(struct store *s, const char *profile, const char *name, struct err *e)
{
	AUTO_FREE char *spelt = spelling_of(name);
	sqlite3_stmt *q = store_statement(s, S_ENTRY_TEXTS, e);
	int row = 0, failed = 0;

	if (!q)
		return -1;
	store_bind(q, "t", profile);
	while (failed == 0 && (row = store_row(s, q, e)) == 1) {
		const struct store_entry t = {
			.id = sqlite3_column_int64(q, 0),
			.profile = (char *)(uintptr_t)profile,
			.machine = sqlite3_column_int64(q, 1),
			.fields = (char *)(uintptr_t)sqlite3_column_text(q, 2)
		};

		if (strstr(t.fields, spelt))
			failed = add_entry(s, &t, name, e);
	}
	store_end(q);
	return failed < 0 || row < 0 ? -1 : 0;
}

int
index_ask(struct store *s, const char *profile, const char *name, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ASKED, e);
	int row;

	if (!q)
		return -1;
	store_bind(q, "tt", profile, name);
	row = store_row(s, q, e);
	store_end(q);
	if (row != 0)
		return row < 0 ? -1 : 0;
	q = store_statement(s, S_ASKED_ADD, e);
	if (!q)
		return -1;
	store_bind(q, "tt", profile, name);
	if (store_do(s, q, e) < 0)
		return -1;
	return add_name(s, profile, name, e);
}

/* ---- a store of an older schema ---- */

static int
put_shape(struct store *s, int64_t id, const char *shape, struct err *e)
{
	sqlite3_stmt *q = store_statement(s, S_ENTRY_SHAPE, e);

	if (!q)
		return -1;
	store_bind(q, "ti", shape, id);
	return store_do(s, q, e);
}

/* The free entry behind *id: 1, 0 when there is none, -1 failed. */
static int
shape_next(struct store *s, int64_t *id, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *fields = NULL;
	sqlite3_stmt *q = store_statement(s, S_ENTRY_NEXT, e);
	struct store_entry t = { 0 };
	AUTO_FREE char *shape = NULL;
	int row;

	if (!q)
		return -1;
	store_bind(q, "i", *id);
	row = store_row(s, q, e);
	if (row == 1) {
		*id = t.id = sqlite3_column_int64(q, 0);
		t.fields = store_text(q, 1);
	}
	store_end(q);
	if (row == 1 && store_entry_fields(s, &t, &fields, e) < 0)
		row = -1;
	if (row == 1)
		shape = index_shape(&t, fields);
	store_entry_clear(&t);
	if (row != 1)
		return row;
	return put_shape(s, *id, shape, e) < 0 ? -1 : 1;
}

int
store_entries_shape(struct store *s, struct err *e)
{
	int64_t id = 0;
	int row = 1;

	while (row == 1)
		row = shape_next(s, &id, e);
	return row;
}
