/* A .cmdb file as text and entries. The text is kept, so that writing an entry
 * back touches its own bytes only. */
#include <ctype.h>
#include <math.h>

#include "cmdb/generate.h"
#include "cmdb/parsed.h"
#include "lib/literal.h"

#define OPTS(of)                                                               \
	{                                                                      \
		.path = (of), .max_bytes = CMDB_MAX_BYTES,                     \
		.max_nodes = 40000000, .call = "generate"                      \
	}

size_t
cmdb_skip_blanks(const char *text, size_t at)
{
	while (text[at] == ' ' || text[at] == '\t')
		at++;
	return at;
}

/* A number of at most 18 digits; its length, 0 when there is none. */
static size_t
read_number(const char *text, int64_t *out)
{
	size_t n = 0;

	for (*out = 0; n < 18 && isdigit((unsigned char)text[n]); n++)
		*out = 10 * *out + (text[n] - '0');
	return isdigit((unsigned char)text[n]) ? 0 : n;
}

size_t
cmdb_read_mark(const char *text, size_t at, int64_t *id, int64_t *gen)
{
	size_t n;

	if (text[at] != '#' || text[at + 1] != ' ')
		return 0;
	at += 2;
	n = read_number(text + at, id);
	if (n == 0 || *id == 0 || text[at + n] != '@')
		return 0;
	at += n + 1;
	n = read_number(text + at, gen);
	at += n;
	if (n == 0 || (text[at] && !isspace((unsigned char)text[at])))
		return 0;
	return at;
}

static void
read_store_id(struct cmdb *c)
{
	const char *at = c->text + (str_starts(c->text, CMDB_BOM) ? 3 : 0);
	size_t n;

	if (!str_starts(at, CMDB_STORE_LINE))
		return;
	at += strlen(CMDB_STORE_LINE);
	n = strspn(at, "0123456789abcdef");
	if (n == 16 && (at[n] == '\0' || isspace((unsigned char)at[n])))
		c->store_id = base_strndup(at, n);
}

/* What the store can keep: it holds entries as JSON. */
static const struct value *
find_unfit(const struct value *v)
{
	const struct value *bad = NULL;
	size_t i;

	if (v->kind == VALUE_REAL && !isfinite(v->real))
		return v;
	if (v->kind == VALUE_LIST || v->kind == VALUE_TUPLE)
		for (i = 0; i < v->list.len && !bad; i++)
			bad = find_unfit(v->list.at[i]);
	if (v->kind == VALUE_DICT)
		for (i = 0; i < v->dict.len && !bad; i++)
			bad = find_unfit(v->dict.at[i].value);
	return bad;
}

static int
refuse(const struct value *v, const char *path, const char *what, struct err *e)
{
	return err_set(e, ERR_INPUT, "%s:%u:%u: %s", path, v->line, v->column,
		       what);
}

static int
take_entry(struct cmdb *c, size_t i, const char *path, struct err *e)
{
	struct value *v = c->list->list.at[i];
	const struct value *bad = find_unfit(v);
	struct cmdb_entry *entry = &c->entries[i];
	size_t at;

	if (v->kind != VALUE_DICT)
		return refuse(v, path,
			      "an entry is a dict: {'name': value, ...}", e);
	if (bad)
		return refuse(bad, path, "a number that is too large", e);
	entry->fields = v;
	entry->used = value_get(v, "used") != NULL;
	at = cmdb_skip_blanks(c->text, v->end);
	c->places[i] = (struct place){ v->start, v->end,
				       c->text[at] == ',' ? at + 1 : v->end };
	at = cmdb_skip_blanks(c->text, c->places[i].after);
	if (!cmdb_read_mark(c->text, at, &entry->id, &entry->gen))
		entry->id = entry->gen = 0;
	return 0;
}

static int
take_entries(struct cmdb *c, const char *path, struct err *e)
{
	if (c->list->kind != VALUE_LIST && c->list->kind != VALUE_TUPLE)
		return refuse(c->list, path,
			      "a .cmdb file is a list of entries, or "
			      "generate({...})",
			      e);
	if (c->list->list.len > CMDB_MAX_ENTRIES)
		return err_set(e, ERR_INPUT, "%s: more than %d entries", path,
			       CMDB_MAX_ENTRIES);
	c->n = c->list->list.len;
	c->entries = base_array(c->n, sizeof(*c->entries));
	c->places = base_array(c->n, sizeof(*c->places));
	read_store_id(c);
	for (size_t i = 0; i < c->n; i++)
		if (take_entry(c, i, path, e) < 0)
			return -1;
	return 0;
}

/* One line of the operator's became many entries, which are read as if they
 * stood in the file. */
static int
expand(struct cmdb *c, const char *path, struct err *e)
{
	const struct literal_opts opts = OPTS(path);
	const struct generate_opts how = {
		.path = path,
		.eol = strstr(c->text, "\r\n") ? "\r\n" : "\n",
		.max = CMDB_MAX_ENTRIES,
		/* entries grow by what machines write into them */
		.max_bytes = CMDB_MAX_BYTES / 2,
	};
	const struct value call = *c->list;
	AUTO_CLEAR(buf) text = { 0 };

	buf_add(&text, c->text, call.start);
	if (generate_write(&call, &how, &text, &c->remark, e) < 0)
		return -1;
	buf_str(&text, c->text + call.end);
	value_free(c->list);
	c->list = NULL;
	c->model = c->text;
	c->len = text.len;
	c->text = buf_take(&text);
	if (literal_parse(&c->list, c->text, c->len, &opts, e) < 0)
		return -1;
	for (size_t i = 0; i < c->list->list.len; i++)
		c->list->list.at[i]->line = call.line;
	return 0;
}

int
cmdb_parse(struct cmdb **out, const char *path, const char *text, size_t len,
	   struct err *e)
{
	const struct literal_opts opts = OPTS(path);
	AUTO(cmdb) c = base_alloc(sizeof(*c));

	if (literal_parse(&c->list, text, len, &opts, e) < 0)
		return -1;
	c->text = base_strndup(text, len);
	c->len = len;
	if (c->list->kind == VALUE_CALL && expand(c, path, e) < 0)
		return -1;
	if (take_entries(c, path, e) < 0)
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

const char *
cmdb_model(const struct cmdb *c)
{
	return c->model;
}

const char *
cmdb_remark(const struct cmdb *c)
{
	return c->remark;
}

void
cmdb_forget(struct cmdb *c)
{
	value_free(c->list);
	c->list = NULL;
	for (size_t i = 0; i < c->n; i++)
		c->entries[i].fields = NULL;
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
	free(c->model);
	free(c->remark);
	free(c);
}
