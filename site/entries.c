/* The entries of a profile in two places: the operator's file and the store.
 * Reading the file (sync) and writing claims back. An entry in the file is
 * found again by its "# ID@GEN", or, without one, by its content. */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "site/core.h"

#define LOCK_WAIT_MS 2000

struct rows {
	struct store_entry *at;
	size_t len;
	bool *matched;
};

static int
keep_row(void *ctx, const struct store_entry *t)
{
	struct rows *r = ctx;

	if ((r->len & (r->len - 1)) == 0)
		r->at = base_resize(r->at, r->len ? 2 * r->len : 1,
				    sizeof(*r->at));
	r->at[r->len] = *t;
	r->at[r->len].profile = base_strdup(t->profile);
	r->at[r->len].fields = base_strdup(t->fields);
	r->at[r->len++].origin = base_strdup(t->origin);
	return 0;
}

static void
rows_clear(struct rows *r)
{
	size_t i;

	for (i = 0; i < r->len; i++)
		store_entry_clear(&r->at[i]);
	free(r->at);
	free(r->matched);
}

static int
rows_load(struct rows *r, struct store *store, const char *profile,
	  struct err *e)
{
	if (store_entries(store, profile, keep_row, r, e) < 0)
		return -1;
	r->matched = base_array(r->len + 1, sizeof(*r->matched));
	return 0;
}

static char *
json_of(const struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };

	value_json(v, 0, &text);
	return buf_take(&text);
}

/* The row of file entry `i`, or NULL. Marks count only when the file is this
 * store's. Equal content is looked for at its old place first. */
static struct store_entry *
row_of(struct rows *r, const struct cmdb_entry *entry, size_t i, bool ours)
{
	AUTO_FREE char *json = NULL;
	size_t k, j;

	if (entry->id && ours)
		for (k = 0; k < r->len; k++) {
			if (r->at[k].id != entry->id || r->matched[k])
				continue;
			r->matched[k] = true;
			return &r->at[k];
		}
	json = json_of(entry->fields);
	for (k = 0; k < r->len; k++) {
		j = (k + i) % r->len;
		if (r->matched[j] || !str_eq(r->at[j].origin, json))
			continue;
		r->matched[j] = true;
		return &r->at[j];
	}
	return NULL;
}

static bool
is_ours(const struct cmdb *c, struct site *s)
{
	return str_eq(cmdb_store_id(c), store_id(s->writer));
}

static int
add_row(struct site *s, const char *profile, const struct cmdb_entry *entry,
	size_t i, struct err *e)
{
	AUTO_FREE char *json = json_of(entry->fields);
	struct store_entry t = { .profile = (char *)(uintptr_t)profile,
				 .position = (int64_t)i,
				 .fields = json,
				 .origin = json,
				 .used = entry->used };

	return store_entry_add(s->writer, &t, e);
}

/* An edit of an entry that the server did not change since wins; one that the
 * server claimed meanwhile keeps the claim. */
static int
merge_row(struct site *s, struct store_entry *row,
	  const struct cmdb_entry *entry, size_t i, struct err *e)
{
	AUTO_FREE char *json = json_of(entry->fields);
	bool moved = row->position != (int64_t)i;
	bool edited = !str_eq(row->fields, json) &&
		      (entry->id ? entry->gen == row->gen : row->machine == 0);

	if (!moved && !edited)
		return 0;
	row->position = (int64_t)i;
	if (edited) {
		free(row->fields);
		free(row->origin);
		row->fields = base_strdup(json);
		row->origin = base_strdup(json);
		if (row->used && !entry->used)
			row->machine = 0;
		row->used = entry->used;
	}
	return store_entry_put(s->writer, row, e);
}

/* Rows that the file no longer has: nobody's are forgotten, claimed ones stay
 * and are written nowhere until their machine is released. */
static int
forget_rest(struct site *s, struct rows *r, struct err *e)
{
	size_t k;

	for (k = 0; k < r->len; k++) {
		if (r->matched[k] || r->at[k].machine)
			continue;
		r->at[k].gone = true;
		if (store_entry_put(s->writer, &r->at[k], e) < 0)
			return -1;
	}
	return 0;
}

int
entries_sync(struct site *s, const struct profile *p, struct err *e)
{
	__attribute__((cleanup(rows_clear))) struct rows r = { 0 };
	AUTO(cmdb) c = NULL;
	size_t i;

	if (rows_load(&r, s->writer, p->name, e) < 0 ||
	    cmdb_parse(&c, p->name, p->cmdb_text, strlen(p->cmdb_text), e) < 0)
		return -1;
	if (cmdb_store_id(c) && !is_ours(c, s) && r.len > 0) {
		log_line(LOG_ERROR,
			 "%s.cmdb was written by another store (%s); its "
			 "entries are left alone: restored from a backup?",
			 p->name, cmdb_store_id(c));
		return 0;
	}
	for (i = 0; i < cmdb_len(c); i++) {
		struct store_entry *row =
			row_of(&r, cmdb_at(c, i), i, is_ours(c, s));

		if ((row ? merge_row(s, row, cmdb_at(c, i), i, e)
			 : add_row(s, p->name, cmdb_at(c, i), i, e)) < 0)
			return -1;
	}
	return forget_rest(s, &r, e);
}

void
entries_dirty(struct site *s, const char *profile)
{
	size_t i;

	for (i = 0; i < s->dirty_len; i++)
		if (str_eq(s->dirty[i], profile))
			return;
	s->dirty = base_resize(s->dirty, s->dirty_len + 1, sizeof(*s->dirty));
	s->dirty[s->dirty_len++] = base_strdup(profile);
}

/* The changes between file and store, in order of the file. */
static size_t
find_changes(struct site *s, const struct cmdb *c, struct rows *r,
	     struct cmdb_change *changes, struct value **fields)
{
	size_t i, len = 0;

	for (i = 0; i < cmdb_len(c); i++) {
		const struct cmdb_entry *entry = cmdb_at(c, i);
		struct store_entry *row = row_of(r, entry, i, is_ours(c, s));
		struct err e = { 0 };

		if (!row || row->gen == 0 ||
		    (entry->id == row->id && entry->gen >= row->gen))
			continue;
		if (json_parse(&fields[len], row->fields, strlen(row->fields),
			       &e) < 0)
			continue;
		changes[len] = (struct cmdb_change){ i, fields[len], row->id,
						     row->gen };
		len++;
	}
	return len;
}

static int
write_file(struct site *s, const char *path, const char *profile, struct err *e)
{
	__attribute__((cleanup(rows_clear))) struct rows r = { 0 };
	AUTO_FREE struct cmdb_change *changes = NULL;
	AUTO_FREE struct value **fields = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_CLEAR(buf) out = { 0 };
	AUTO(cmdb) c = NULL;
	size_t i, len;
	int failed = 0;

	if (file_read(path, CMDB_MAX_BYTES, &text, NULL, e) < 0 ||
	    cmdb_parse(&c, path, text, strlen(text), e) < 0 ||
	    rows_load(&r, s->writer, profile, e) < 0)
		return -1;
	changes = base_array(cmdb_len(c), sizeof(*changes));
	fields = base_array(cmdb_len(c), sizeof(*fields));
	len = find_changes(s, c, &r, changes, fields);
	if (len > 0) {
		cmdb_rewrite(c, store_id(s->writer), changes, len, &out);
		failed = file_replace(path, out.at, out.len, 0640, e);
	}
	for (i = 0; i < len; i++)
		value_free(fields[i]);
	return failed;
}

/* What cannot be written now stays dirty and is tried with the next group:
 * the store is what counts, the file follows. */
void
entries_write_back(struct site *s)
{
	struct lock lock = LOCK_NONE;
	struct err e = { 0 };
	size_t i, left = 0;

	if (s->dirty_len == 0)
		return;
	if (lock_take(&lock, s->conf->lockfile, LOCK_WAIT_MS, &e) < 0) {
		log_line(LOG_WARNING, "CMDB files wait: %s", e.text);
		return;
	}
	for (i = 0; i < s->dirty_len; i++) {
		AUTO_FREE char *path = base_printf(
			"%s/%s.cmdb", s->conf->configdir, s->dirty[i]);

		if (write_file(s, path, s->dirty[i], &e) == 0) {
			free(s->dirty[i]);
			continue;
		}
		log_line(LOG_WARNING, "%s is not written back: %s", path,
			 e.text);
		s->dirty[left++] = s->dirty[i];
	}
	s->dirty_len = left;
	lock_clear(&lock);
}

int
entry_release(struct site *s, int64_t id, struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *v = NULL;
	struct store_entry t = { 0 };
	bool found = false;
	int failed;

	if (store_entry_get(s->writer, id, &t, &found, e) < 0)
		return -1;
	if (!found)
		return 0;
	/* as it stood before it was claimed: the machine's own words, its MAC
	 * above all, would keep it reserved */
	failed = json_parse(&v, t.origin, strlen(t.origin), e);
	if (failed == 0) {
		value_unset(v, "used");
		free(t.fields);
		t.fields = json_of(v);
		t.used = false;
		t.machine = 0;
		t.gen++;
		failed = store_entry_put(s->writer, &t, e);
		entries_dirty(s, t.profile);
	}
	store_entry_clear(&t);
	return failed;
}

int
note_event(struct site *s, int64_t machine, const char *kind, const char *text,
	   struct err *e)
{
	struct value *body = value_dict();
	AUTO_FREE char *json = NULL;
	struct store_event ev = { .run = (char *)(uintptr_t) "-",
				  .machine = machine,
				  .number = ++s->own_number,
				  .at_ms = clock_wall_ms(),
				  .kind = (char *)(uintptr_t)kind };

	value_set_str(body, "text", text);
	json = json_of(body);
	value_free(body);
	ev.body = json;
	return store_event_add(s->writer, &ev, e);
}
