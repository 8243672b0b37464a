/* Entries written back into a file that belongs to its operator: the bytes of
 * those that changed, their marks and line 1; nothing else. */
#include <inttypes.h>
#include <stdio.h>

#include "cmdb/parsed.h"

/* The old file, being copied into the new one. */
struct rewrite {
	const struct cmdb *old;
	size_t from; /* up to here the old text is written or left out */
	bool ours;   /* the marks in the old text are this store's */
	struct buf out;
	struct cmdb *fresh;
};

static void
copy_until(struct rewrite *r, size_t until)
{
	buf_add(&r->out, r->old->text + r->from, until - r->from);
	r->from = until;
}

static void
write_head(struct rewrite *r, const char *store_id)
{
	const struct cmdb *c = r->old;
	const char *eol = strstr(c->text, "\r\n") ? "\r\n" : "\n";

	copy_until(r, str_starts(c->text, CMDB_BOM) ? 3 : 0);
	buf_printf(&r->out, CMDB_STORE_LINE "%s", store_id);
	if (c->store_id)
		r->from += strlen(CMDB_STORE_LINE) + strlen(c->store_id);
	else
		buf_str(&r->out, eol);
}

/* A carriage return alone is a blank: a comment goes on behind it. */
static bool
ends_line(const char *at)
{
	return *at == '\0' || *at == '\n' || str_starts(at, "\r\n");
}

/* Behind the entry and its comma: the mark, then what was on that line. */
static void
write_mark(struct rewrite *r, const struct cmdb_change *ch)
{
	const char *text = r->old->text;
	size_t at = cmdb_skip_blanks(text, r->from);
	int64_t id, gen;
	size_t behind = cmdb_read_mark(text, at, &id, &gen);

	if (behind)
		copy_until(r, at);
	else
		buf_char(&r->out, ' ');
	buf_printf(&r->out, "# %" PRId64 "@%" PRId64, ch->id, ch->gen);
	if (behind) {
		r->from = behind;
		return;
	}
	if (ends_line(text + at))
		return;
	/* a comment of the operator goes on behind; anything else needs a
	 * line of its own, or it would become a comment */
	buf_char(&r->out, text[at] == '#' ? ' ' : '\n');
	r->from = at;
}

/* Behind an entry that stays: the mark of another store would be taken for one
 * of this store, once line 1 names this one. */
static void
drop_mark(struct rewrite *r, size_t i)
{
	const char *text = r->old->text;
	size_t at = cmdb_skip_blanks(text, r->from), rest;
	int64_t id, gen;
	size_t behind = cmdb_read_mark(text, at, &id, &gen);

	if (!behind)
		return;
	r->fresh->entries[i].id = r->fresh->entries[i].gen = 0;
	rest = cmdb_skip_blanks(text, behind);
	if (!ends_line(text + rest)) {
		copy_until(r, at);
		buf_str(&r->out, text[rest] == '#' ? "" : "# ");
	}
	r->from = rest;
}

/* Entry `i`, as it was or as `ch` has it (NULL: unchanged). */
static void
write_entry(struct rewrite *r, size_t i, const struct cmdb_change *ch)
{
	const struct place *old = &r->old->places[i];
	struct place *fresh = &r->fresh->places[i];

	r->fresh->entries[i] = r->old->entries[i];
	r->fresh->entries[i].fields = NULL;
	copy_until(r, old->start);
	fresh->start = r->out.len;
	if (ch) {
		cmdb_edit_entry(&r->out, r->old->text + old->start,
				old->end - old->start, ch->fields);
		r->from = old->end;
		r->fresh->entries[i].id = ch->id;
		r->fresh->entries[i].gen = ch->gen;
		r->fresh->entries[i].used =
			value_get(ch->fields, "used") != NULL;
	} else {
		copy_until(r, old->end);
	}
	fresh->end = r->out.len;
	copy_until(r, old->after);
	fresh->after = r->out.len;
	if (ch)
		write_mark(r, ch);
	else if (!r->ours)
		drop_mark(r, i);
}

struct cmdb *
cmdb_changed(const struct cmdb *c, const char *store_id,
	     const struct cmdb_change *changes, size_t len)
{
	struct cmdb *fresh = base_alloc(sizeof(*fresh));
	struct rewrite r = { .old = c,
			     .fresh = fresh,
			     .ours = str_eq(c->store_id, store_id) };
	size_t k = 0;

	fresh->n = c->n;
	fresh->entries = base_array(c->n, sizeof(*fresh->entries));
	fresh->places = base_array(c->n, sizeof(*fresh->places));
	fresh->store_id = base_strdup(store_id);
	write_head(&r, store_id);
	for (size_t i = 0; i < c->n; i++) {
		bool changed = k < len && changes[k].index == i;

		write_entry(&r, i, changed ? &changes[k] : NULL);
		k += changed;
	}
	copy_until(&r, c->len);
	fresh->len = r.out.len;
	fresh->text = buf_take(&r.out);
	return fresh;
}
