/* An operator's .cmdb file made known to the store. An entry of the file is
 * found again by its "# ID@GEN", or, without one, by its content. Edits win
 * over what the store did not change since; claims stay, and what the operator
 * wanted and did not get is told. */
#include <stdio.h>

#include "lib/json.h"
#include "site/core.h"
#include "site/sync.h"

/* The store's entries of one profile, and ways to find one. */
struct rows {
	struct store_entry *at; /* by position */
	size_t len;
	bool *matched;
	size_t *by_id, *by_origin;
	size_t *next; /* for the first of equal origins: look from here on */
};

struct sync {
	struct site *s;
	struct profile *p;
	const struct cmdb *file;
	bool ours; /* the marks in the file are this store's */
	struct rows r;
	struct conflicts *told;
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
	for (size_t i = 0; i < r->len; i++)
		store_entry_clear(&r->at[i]);
	free(r->at);
	free(r->matched);
	free(r->by_id);
	free(r->by_origin);
	free(r->next);
}

static int
compare_ids(const void *a, const void *b, void *rows)
{
	const struct store_entry *at = rows;
	int64_t x = at[*(const size_t *)a].id, y = at[*(const size_t *)b].id;

	return x < y ? -1 : x > y;
}

static int
compare_origins(const void *a, const void *b, void *rows)
{
	const struct store_entry *at = rows;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = strcmp(at[x].origin, at[y].origin);

	return order ? order : x < y ? -1 : x > y;
}

static int
rows_load(struct rows *r, struct store *store, const char *profile,
	  struct err *e)
{
	if (store_entries(store, profile, keep_row, r, e) < 0)
		return -1;
	r->matched = base_array(r->len + 1, sizeof(*r->matched));
	r->by_id = base_array(r->len + 1, sizeof(*r->by_id));
	r->by_origin = base_array(r->len + 1, sizeof(*r->by_origin));
	r->next = base_array(r->len + 1, sizeof(*r->next));
	for (size_t i = 0; i < r->len; i++)
		r->by_id[i] = r->by_origin[i] = i;
	qsort_r(r->by_id, r->len, sizeof(size_t), compare_ids, r->at);
	qsort_r(r->by_origin, r->len, sizeof(size_t), compare_origins, r->at);
	return 0;
}

static struct store_entry *
row_by_id(struct rows *r, int64_t id)
{
	size_t low = 0, high = r->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->at[r->by_id[mid]].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == r->len || r->at[r->by_id[low]].id != id)
		return NULL;
	return &r->at[r->by_id[low]];
}

/* The first of by_origin whose text is not before `json`. */
static size_t
first_of_origin(const struct rows *r, const char *json)
{
	size_t low = 0, high = r->len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(r->at[r->by_origin[mid]].origin, json) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* An unmatched row with this content. What stood at place `i` is looked at
 * first, so that equal entries keep theirs. */
static struct store_entry *
row_by_content(struct rows *r, const char *json, size_t i)
{
	size_t first = first_of_origin(r, json), k;

	if (i < r->len && !r->matched[i] && r->at[i].position == (int64_t)i &&
	    str_eq(r->at[i].origin, json))
		return &r->at[i];
	for (k = first + (first < r->len ? r->next[first] : 0);
	     k < r->len && str_eq(r->at[r->by_origin[k]].origin, json); k++) {
		r->next[first] = k - first;
		if (!r->matched[r->by_origin[k]])
			return &r->at[r->by_origin[k]];
	}
	return NULL;
}

static char *
json_of(const struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };

	value_json(v, 0, &text);
	return buf_take(&text);
}

/* ---- what the operator did not get ---- */

__attribute__((format(printf, 3, 4))) static void
tell(struct sync *y, unsigned line, const char *fmt, ...)
{
	struct conflicts *c = y->told;
	va_list ap;
	char text[300];

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->at = base_resize(c->at, c->len + 1, sizeof(*c->at));
	c->at[c->len++] = (struct conflict){ line, base_strdup(text) };
}

void
conflicts_clear(struct conflicts *c)
{
	for (size_t i = 0; i < c->len; i++)
		free(c->at[i].text);
	free(c->at);
	*c = (struct conflicts){ 0 };
}

/* ---- merging ---- */

static int
add_row(struct sync *y, size_t i, const char *json, struct err *e)
{
	const struct cmdb_entry *entry = cmdb_at(y->file, i);
	struct store_entry t = { .profile = y->p->name,
				 .position = (int64_t)i,
				 .fields = (char *)(uintptr_t)json,
				 .origin = (char *)(uintptr_t)json,
				 .used = entry->used };

	return store_entry_add(y->s->writer, &t, e);
}

/* The machine that had the entry has none any more. */
static int
leave_entry(struct site *s, int64_t machine, int64_t entry, struct err *e)
{
	struct store_machine m = { 0 };
	bool found = false;
	int failed = 0;

	if (store_machine_get(s->writer, machine, &m, &found, e) < 0)
		return -1;
	if (found && m.entry == entry) {
		m.entry = 0;
		failed = store_machine_put(s->writer, &m, e) < 0 ||
					 note_event(s, machine, "entry",
						    "its entry was released "
						    "in the file",
						    e) < 0
				 ? -1
				 : 0;
	}
	store_machine_clear(&m);
	return failed;
}

/* What the entry is without its machine's words, after an edit. */
static char *
edited_origin(const struct store_entry *row, const struct value *edited)
{
	__attribute__((cleanup(value_freep))) struct value *origin = NULL;
	__attribute__((cleanup(value_freep))) struct value *fields = NULL;
	__attribute__((cleanup(value_freep))) struct value *fresh = NULL;
	struct err e = { 0 };

	if (json_parse(&origin, row->origin, strlen(row->origin), &e) < 0 ||
	    json_parse(&fields, row->fields, strlen(row->fields), &e) < 0)
		return json_of(edited);
	fresh = cmdb_origin(origin, fields, edited);
	return json_of(fresh);
}

static int
take_edit(struct sync *y, struct store_entry *row,
	  const struct cmdb_entry *entry, const char *json, struct err *e)
{
	int64_t owner = row->machine;
	char *origin =
		owner ? edited_origin(row, entry->fields) : base_strdup(json);

	free(row->fields);
	free(row->origin);
	row->fields = base_strdup(json);
	row->origin = origin;
	row->used = entry->used;
	if (owner && !entry->used)
		row->machine = 0;
	if (store_entry_put(y->s->writer, row, e) < 0)
		return -1;
	return owner && !entry->used ? leave_entry(y->s, owner, row->id, e) : 0;
}

/* An entry that has a row: the edit wins where the store changed nothing since
 * the mark was written; else the claim stays. */
static int
merge_row(struct sync *y, struct store_entry *row, size_t i, const char *json,
	  struct err *e)
{
	const struct cmdb_entry *entry = cmdb_at(y->file, i);
	bool marked = entry->id == row->id && y->ours;
	bool differs = !str_eq(row->fields, json);
	bool moved = row->position != (int64_t)i;

	row->position = (int64_t)i;
	if (differs && (marked ? entry->gen == row->gen : row->machine == 0))
		return take_edit(y, row, entry, json, e);
	if (differs && marked && !str_eq(row->origin, json))
		tell(y, entry->fields->line,
		     "entry %lld was edited, but m%lld has changed it since "
		     "the file was read: the edit is not taken, repeat it",
		     (long long)row->id, (long long)row->machine);
	return moved ? store_entry_put(y->s->writer, row, e) : 0;
}

static int
merge_entry(struct sync *y, size_t i, struct err *e)
{
	const struct cmdb_entry *entry = cmdb_at(y->file, i);
	AUTO_FREE char *json = json_of(entry->fields);
	struct store_entry *row = NULL;

	if (entry->id && y->ours)
		row = row_by_id(&y->r, entry->id);
	if (row && y->r.matched[row - y->r.at]) {
		tell(y, entry->fields->line,
		     "a second entry with the mark %lld: taken as a new one; "
		     "remove the mark",
		     (long long)entry->id);
		return add_row(y, i, json, e);
	}
	if (!row)
		row = row_by_content(&y->r, json, i);
	if (!row)
		return add_row(y, i, json, e);
	y->r.matched[row - y->r.at] = true;
	return merge_row(y, row, i, json, e);
}

/* Rows that the file no longer has: nobody's are forgotten, a machine's stays
 * until it is released. */
static int
forget_rest(struct sync *y, struct err *e)
{
	for (size_t k = 0; k < y->r.len; k++) {
		struct store_entry *row = &y->r.at[k];

		if (y->r.matched[k])
			continue;
		if (row->machine)
			tell(y, 0,
			     "entry %lld of m%lld was deleted: it stays with "
			     "the machine until `edeployctl release m%lld`",
			     (long long)row->id, (long long)row->machine,
			     (long long)row->machine);
		row->gone = row->machine == 0;
		row->position = -1;
		if (store_entry_put(y->s->writer, row, e) < 0)
			return -1;
	}
	return 0;
}

/* The file knows of a change that the store does not. An entry that the
 * operator deleted and put back again has its old row. */
static int
is_ahead(struct sync *y, const struct cmdb_entry *entry, bool *ahead,
	 struct err *e)
{
	const struct store_entry *row = row_by_id(&y->r, entry->id);
	struct store_entry gone = { 0 };
	bool found = row != NULL;

	if (!row &&
	    store_entry_get(y->s->writer, entry->id, &gone, &found, e) < 0)
		return -1;
	*ahead = found ? entry->gen > (row ? row->gen : gone.gen) : entry->used;
	store_entry_clear(&gone);
	return 0;
}

/* A file that knows more than the store must not be merged into it: entries
 * that are given out would be given again. *refusal stays NULL when it may. */
static int
find_refusal(struct sync *y, char **refusal, struct err *e)
{
	const char *of = cmdb_store_id(y->file);

	if (of && !y->ours && y->r.len > 0)
		*refusal = base_printf(
			"%s.cmdb belongs to another store (%s; this one is "
			"%s): put the file of this store back, or, to take "
			"this one's entries as they stand, delete its line 1",
			y->p->name, of, store_id(y->s->writer));
	for (size_t i = 0; y->ours && i < cmdb_len(y->file); i++) {
		const struct cmdb_entry *entry = cmdb_at(y->file, i);
		bool ahead = false;

		if (entry->id && is_ahead(y, entry, &ahead, e) < 0)
			return -1;
		if (!ahead)
			continue;
		*refusal = base_printf(
			"%s.cmdb:%u: the store is older than the file (entry "
			"%lld@%lld): was it restored from a backup? Delete "
			"line 1 to take the file's entries as they stand",
			y->p->name, entry->fields->line, (long long)entry->id,
			(long long)entry->gen);
		break;
	}
	return 0;
}

static int
merge(struct sync *y, char **refusal, struct err *e)
{
	if (rows_load(&y->r, y->s->writer, y->p->name, e) < 0)
		return -1;
	if (find_refusal(y, refusal, e) < 0)
		return -1;
	if (*refusal)
		return 0;
	for (size_t i = 0; i < cmdb_len(y->file); i++)
		if (merge_entry(y, i, e) < 0)
			return -1;
	return forget_rest(y, e);
}

int
entries_sync(struct site *s, struct profile *p, struct conflicts *told,
	     char **refusal, struct err *e)
{
	struct sync y = { .s = s,
			  .p = p,
			  .file = p->cmdb,
			  .told = told,
			  .ours = str_eq(cmdb_store_id(p->cmdb),
					 store_id(s->writer)) };
	int failed;

	*refusal = NULL;
	failed = merge(&y, refusal, e);
	rows_clear(&y.r);
	return failed;
}
