/* A .cmdb file as text and entries. The text is kept, so that writing an entry
 * back touches its own bytes only. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "cmdb/entry.h"
#include "lib/literal.h"

#define STORE_LINE "# edeploy "
#define BOM "\xef\xbb\xbf"

struct cmdb {
	char *text;
	size_t len;
	struct value *list;
	struct cmdb_entry *entries;
	size_t *after; /* offset behind each entry and its comma */
	char *store_id;
};

static size_t
skip_blanks(const char *text, size_t at)
{
	while (text[at] == ' ' || text[at] == '\t')
		at++;
	return at;
}

/* "# 12@3" at `at`, followed by a blank or the line's end; returns the offset
 * behind it, or 0. */
static size_t
read_mark(const char *text, size_t at, int64_t *id, int64_t *gen)
{
	int used = 0;

	if (sscanf(text + at, "# %" SCNd64 "@%" SCNd64 "%n", id, gen, &used) !=
		    2 ||
	    *id <= 0 || *gen < 0)
		return 0;
	at += (size_t)used;
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
	c->after[i] = c->text[at] == ',' ? at + 1 : v->end;
	at = skip_blanks(c->text, c->after[i]);
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
	c->entries = base_array(n, sizeof(*c->entries));
	c->after = base_array(n, sizeof(*c->after));
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
	return c->list->list.len;
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

/* ---- writing back ---- */

/* The first line, then from which offset the old text goes on. */
static size_t
write_head(const struct cmdb *c, const char *store_id, struct buf *out)
{
	size_t from = str_starts(c->text, BOM) ? 3 : 0;
	const char *eol = strstr(c->text, "\r\n") ? "\r\n" : "\n";

	buf_add(out, c->text, from);
	buf_printf(out, STORE_LINE "%s", store_id);
	if (c->store_id)
		return from + strlen(STORE_LINE) + strlen(c->store_id);
	buf_str(out, eol);
	return from;
}

/* Behind the entry and its comma: the mark, then what was on that line. */
static size_t
write_mark(const struct cmdb *c, const struct cmdb_change *ch, struct buf *out)
{
	size_t after = c->after[ch->index], at = skip_blanks(c->text, after);
	int64_t id, gen;
	size_t behind = read_mark(c->text, at, &id, &gen);

	if (behind)
		buf_add(out, c->text + after, at - after);
	else
		buf_char(out, ' ');
	buf_printf(out, "# %" PRId64 "@%" PRId64, ch->id, ch->gen);
	if (behind)
		return behind;
	if (c->text[at] == '\0' || c->text[at] == '\n' || c->text[at] == '\r')
		return after;
	/* a comment of the operator goes on behind; anything else needs a
	 * line of its own, or it would become a comment */
	buf_char(out, c->text[at] == '#' ? ' ' : '\n');
	return at;
}

void
cmdb_rewrite(const struct cmdb *c, const char *store_id,
	     const struct cmdb_change *changes, size_t len, struct buf *out)
{
	size_t from = write_head(c, store_id, out), i;

	for (i = 0; i < len; i++) {
		const struct cmdb_change *ch = &changes[i];
		const struct value *old = c->entries[ch->index].fields;

		buf_add(out, c->text + from, old->start - from);
		value_literal(ch->fields, out);
		buf_add(out, c->text + old->end,
			c->after[ch->index] - old->end);
		from = write_mark(c, ch, out);
	}
	buf_add(out, c->text + from, c->len - from);
}

void
cmdb_free(struct cmdb *c)
{
	if (!c)
		return;
	value_free(c->list);
	free(c->text);
	free(c->entries);
	free(c->after);
	free(c->store_id);
	free(c);
}
