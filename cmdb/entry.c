/* A .cmdb file as text and entries. The text is kept, so that writing an entry
 * back touches its own bytes only. */
#include <ctype.h>
#include <inttypes.h>

#include "cmdb/entry.h"
#include "lib/literal.h"

#define STORE_LINE "# edeploy "
#define BOM "\xef\xbb\xbf"

/* Offsets of an entry: its first byte, behind its last, behind its comma. */
struct place {
	size_t start, end, after;
};

struct cmdb {
	char *text;
	size_t len;
	struct value *list; /* NULL when forgotten */
	struct cmdb_entry *entries;
	struct place *places; /* of the entries */
	size_t n;
	char *store_id;
};

static size_t
skip_blanks(const char *text, size_t at)
{
	while (text[at] == ' ' || text[at] == '\t')
		at++;
	return at;
}

/* A number of at most 18 digits at *at, which is moved behind it; -1 for what
 * is none. */
static int64_t
read_digits(const char *text, size_t *at)
{
	int64_t n = 0;
	size_t len = strspn(text + *at, "0123456789");

	if (len < 1 || len > 18)
		return -1;
	for (; len > 0; len--)
		n = 10 * n + (text[(*at)++] - '0');
	return n;
}

/* "# 12@3" at `at`, followed by a blank or the line's end; returns the offset
 * behind it, or 0. */
static size_t
read_mark(const char *text, size_t at, int64_t *id, int64_t *gen)
{
	if (text[at] != '#' || text[at + 1] != ' ')
		return 0;
	at += 2;
	*id = read_digits(text, &at);
	if (*id <= 0 || text[at++] != '@')
		return 0;
	*gen = read_digits(text, &at);
	if (*gen < 0)
		return 0;
	return text[at] == '\0' || isspace((unsigned char)text[at]) ? at : 0;
}

static void
read_store_id(struct cmdb *c)
{
	const char *at = c->text + (str_starts(c->text, BOM) ? 3 : 0);
	size_t n;

	if (!str_starts(at, STORE_LINE))
		return;
	at += strlen(STORE_LINE);
	n = strspn(at, "0123456789abcdef");
	if (n == 16 && (at[n] == '\0' || isspace((unsigned char)at[n])))
		c->store_id = base_strndup(at, n);
}

static int
take_entry(struct cmdb *c, size_t i, const char *path, struct err *e)
{
	struct value *v = c->list->list.at[i];
	struct cmdb_entry *entry = &c->entries[i];
	size_t at;

	if (v->kind != VALUE_DICT)
		return err_set(
			e, ERR_INPUT,
			"%s:%u:%u: an entry is a dict: {'name': value, ...}",
			path, v->line, v->column);
	entry->fields = v;
	entry->used = value_get(v, "used") != NULL;
	at = skip_blanks(c->text, v->end);
	c->places[i] = (struct place){ v->start, v->end,
				       c->text[at] == ',' ? at + 1 : v->end };
	at = skip_blanks(c->text, c->places[i].after);
	if (!read_mark(c->text, at, &entry->id, &entry->gen))
		entry->id = entry->gen = 0;
	return 0;
}

int
cmdb_parse(struct cmdb **out, const char *path, const char *text, size_t len,
	   struct err *e)
{
	const struct literal_opts opts = { .path = path,
					   .max_bytes = CMDB_MAX_BYTES,
					   .max_nodes = 40000000 };
	AUTO(cmdb) c = base_alloc(sizeof(*c));
	size_t i, n;

	if (literal_parse(&c->list, text, len, &opts, e) < 0)
		return -1;
	c->text = base_strndup(text, len);
	c->len = len;
	if (c->list->kind != VALUE_LIST && c->list->kind != VALUE_TUPLE)
		return err_set(e, ERR_INPUT,
			       "%s:%u:%u: a .cmdb file is a list of entries",
			       path, c->list->line, c->list->column);
	n = c->list->list.len;
	if (n > CMDB_MAX_ENTRIES)
		return err_set(e, ERR_INPUT, "%s: more than %d entries", path,
			       CMDB_MAX_ENTRIES);
	c->n = n;
	c->entries = base_array(n, sizeof(*c->entries));
	c->places = base_array(n, sizeof(*c->places));
	read_store_id(c);
	for (i = 0; i < n; i++)
		if (take_entry(c, i, path, e) < 0)
			return -1;
	*out = STEAL(c);
	return 0;
}

size_t
cmdb_len(const struct cmdb *c)
{
	return c->n;
}

const struct cmdb_entry *
cmdb_at(const struct cmdb *c, size_t i)
{
	return &c->entries[i];
}

const char *
cmdb_store_id(const struct cmdb *c)
{
	return c->store_id;
}

const char *
cmdb_text(const struct cmdb *c, size_t *len)
{
	*len = c->len;
	return c->text;
}

void
cmdb_forget(struct cmdb *c)
{
	value_free(c->list);
	c->list = NULL;
	for (size_t i = 0; i < c->n; i++)
		c->entries[i].fields = NULL;
}

/* ---- writing back ---- */

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

	copy_until(r, str_starts(c->text, BOM) ? 3 : 0);
	buf_printf(&r->out, STORE_LINE "%s", store_id);
	if (c->store_id)
		r->from += strlen(STORE_LINE) + strlen(c->store_id);
	else
		buf_str(&r->out, eol);
}

static bool
ends_line(char c)
{
	return c == '\0' || c == '\n' || c == '\r';
}

/* Behind the entry and its comma: the mark, then what was on that line. */
static void
write_mark(struct rewrite *r, const struct cmdb_change *ch)
{
	const char *text = r->old->text;
	size_t at = skip_blanks(text, r->from);
	int64_t id, gen;
	size_t behind = read_mark(text, at, &id, &gen);

	if (behind)
		copy_until(r, at);
	else
		buf_char(&r->out, ' ');
	buf_printf(&r->out, "# %" PRId64 "@%" PRId64, ch->id, ch->gen);
	if (behind) {
		r->from = behind;
		return;
	}
	if (ends_line(text[at]))
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
	size_t at = skip_blanks(text, r->from), rest;
	int64_t id, gen;
	size_t behind = read_mark(text, at, &id, &gen);

	if (!behind)
		return;
	r->fresh->entries[i].id = r->fresh->entries[i].gen = 0;
	rest = skip_blanks(text, behind);
	if (!ends_line(text[rest])) {
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
		value_literal(ch->fields, &r->out);
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

void
cmdb_free(struct cmdb *c)
{
	if (!c)
		return;
	value_free(c->list);
	free(c->text);
	free(c->entries);
	free(c->places);
	free(c->store_id);
	free(c);
}
