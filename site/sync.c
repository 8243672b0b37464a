/* An operator's .cmdb file made known to the store. An entry of the file is
 * found again by its "# ID@GEN", or, without one, by its content. Edits win
 * over what the store did not change since; claims stay, and what the operator
 * wanted and did not get is told. */
#include <stdio.h>

#include "lib/json.h"
#include "site/core.h"
#include "site/rows.h"
#include "site/sync.h"

struct sync {
	struct site *s;
	struct profile *p;
	const struct cmdb *file;
	bool ours; /* the marks in the file are this store's */
	struct rows r;
	struct entry_text {
		char *json;
		struct store_entry *row; /* NULL: new */
	} * texts;                       /* of the file's entries */
	struct conflicts *told;
};

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
				 .used = entry->used,
				 .value = entry->fields };

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

/* Without `used` it is free, as after `release`: the words of its machine go,
 * or they would keep it reserved. */
static int
take_release(struct sync *y, struct store_entry *row, struct err *e)
{
	int64_t owner = row->machine;

	free(row->fields);
	row->fields = base_strdup(row->origin);
	row->machine = 0;
	row->gen++;
	entry_changed(y->s, row->profile, row->id);
	if (store_entry_put(y->s->writer, row, e) < 0)
		return -1;
	return leave_entry(y->s, owner, row->id, e);
}

static int
take_edit(struct sync *y, struct store_entry *row,
	  const struct cmdb_entry *entry, const char *json, struct err *e)
{
	char *origin = row->machine ? edited_origin(row, entry->fields)
				    : base_strdup(json);

	free(row->fields);
	free(row->origin);
	row->fields = base_strdup(json);
	row->origin = origin;
	row->used = entry->used;
	if (row->machine && !entry->used)
		return take_release(y, row, e);
	row->value = entry->fields;
	return store_entry_put(y->s->writer, row, e);
}

static bool
is_word_of_machine(const struct sync *y, const char *key)
{
	const char *const *names =
		y->p->patterns ? patterns_variables(y->p->patterns) : NULL;

	for (; names && *names; names++)
		if (str_eq(*names, key))
			return true;
	return str_eq(key, "used");
}

/* Every member of `a` that is no machine's word stands in `b`, too. */
static bool
has_words(const struct sync *y, const struct value *a, const struct value *b)
{
	for (size_t i = 0; i < a->dict.len; i++) {
		const struct member *m = &a->dict.at[i];
		const struct value *other = value_get(b, m->key);

		if (!is_word_of_machine(y, m->key) &&
		    (!other || !value_eq(m->value, other)))
			return false;
	}
	return true;
}

/* The file has the operator's words as the store has them, and does not free
 * what is somebody's: it was saved late, and no edit is lost. */
static bool
is_only_late(const struct sync *y, const struct store_entry *row,
	     const struct cmdb_entry *entry, const char *json)
{
	__attribute__((cleanup(value_freep))) struct value *origin = NULL;
	__attribute__((cleanup(value_freep))) struct value *now = NULL;
	struct err e = { 0 };

	if (rows_same(row->origin, json))
		return true;
	if (row->used && !entry->used)
		return false;
	return json_parse(&origin, row->origin, strlen(row->origin), &e) == 0 &&
	       json_parse(&now, json, strlen(json), &e) == 0 &&
	       has_words(y, origin, now) && has_words(y, now, origin);
}

static void
tell_changed(struct sync *y, const struct store_entry *row, unsigned line)
{
	AUTO_FREE char *now = row->machine
				      ? base_printf("it is m%lld's now",
						    (long long)row->machine)
				      : base_strdup("nobody has it now");

	tell(y, line,
	     "entry %lld was changed by the server while the file was edited "
	     "(%s): what the file says of it is not taken; edit it again",
	     (long long)row->id, now);
}

/* An entry that has a row: the edit wins where the store changed nothing since
 * the mark was written; else the claim stays. */
static int
merge_row(struct sync *y, struct store_entry *row, size_t i, const char *json,
	  struct err *e)
{
	const struct cmdb_entry *entry = cmdb_at(y->file, i);
	bool marked = entry->id == row->id && y->ours;
	bool differs = !rows_same(row->fields, json);
	bool moved = row->position != (int64_t)i;

	row->position = (int64_t)i;
	if (differs && (marked ? entry->gen == row->gen : row->machine == 0))
		return take_edit(y, row, entry, json, e);
	if (differs && marked && !is_only_late(y, row, entry, json))
		tell_changed(y, row, entry->fields->line);
	return moved ? store_entry_move(y->s->writer, row->id, row->position, e)
		     : 0;
}

/* Marks come first: a copy of an entry that stands before it, its mark removed,
 * is not that entry. */
static void
match_marks(struct sync *y)
{
	for (size_t i = 0; y->ours && i < cmdb_len(y->file); i++) {
		const struct cmdb_entry *entry = cmdb_at(y->file, i);
		struct store_entry *row =
			entry->id ? rows_by_id(&y->r, entry->id) : NULL;

		if (!row)
			continue;
		if (rows_is_matched(&y->r, row)) {
			tell(y, entry->fields->line,
			     "a second entry with the mark %lld: taken as a "
			     "new one; remove the mark",
			     (long long)entry->id);
			continue;
		}
		rows_match(&y->r, row);
		y->texts[i].row = row;
	}
}

static void
match_contents(struct sync *y, bool meaning)
{
	for (size_t i = 0; i < cmdb_len(y->file); i++) {
		struct entry_text *t = &y->texts[i];

		if (t->row)
			continue;
		t->row = meaning ? rows_by_meaning(&y->r, t->json)
				 : rows_by_content(&y->r, t->json, i);
		if (t->row)
			rows_match(&y->r, t->row);
	}
}

static int
merge_entries(struct sync *y, struct err *e)
{
	size_t n = cmdb_len(y->file);

	y->texts = base_array(n + 1, sizeof(*y->texts));
	for (size_t i = 0; i < n; i++)
		y->texts[i].json = json_of(cmdb_at(y->file, i)->fields);
	match_marks(y);
	match_contents(y, false);
	match_contents(y, true);
	for (size_t i = 0; i < n; i++) {
		struct entry_text *t = &y->texts[i];

		if ((t->row ? merge_row(y, t->row, i, t->json, e)
			    : add_row(y, i, t->json, e)) < 0)
			return -1;
	}
	return 0;
}

static void
sync_clear(struct sync *y)
{
	for (size_t i = 0; y->texts && i < cmdb_len(y->file); i++)
		free(y->texts[i].json);
	free(y->texts);
	rows_clear(&y->r);
}

/* Rows that the file no longer has: nobody's are forgotten, a machine's stays
 * until it is released. */
static int
forget_rest(struct sync *y, struct err *e)
{
	for (size_t k = 0; k < y->r.len; k++) {
		struct store_entry *row = &y->r.at[k];

		if (rows_is_matched(&y->r, row))
			continue;
		if (row->machine)
			tell(y, 0,
			     "entry %lld of m%lld was deleted: it stays with "
			     "the machine until `edeployctl release m%lld`",
			     (long long)row->id, (long long)row->machine,
			     (long long)row->machine);
		if ((row->machine
			     ? store_entry_move(y->s->writer, row->id, -1, e)
			     : store_entry_gone(y->s->writer, row->id, e)) < 0)
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
	const struct store_entry *row = rows_by_id(&y->r, entry->id);
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
	if (merge_entries(y, e) < 0)
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
	sync_clear(&y);
	return failed;
}
