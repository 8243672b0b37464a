/* A .cmdb file from anywhere: refused with a place, or written back byte for
 * byte but for what changed. */
#include <assert.h>

#include "cmdb/generate.h"
#include "cmdb/parsed.h"
#include "lib/json.h"
#include "lib/literal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define ANY __attribute__((cleanup(value_freep))) struct value *
#define STORE "0123456789abcdef"
#define NEW_ID 77
#define NEW_GEN 5

/* As the store gives it back: without tuples. */
static struct value *
stored(const struct value *v)
{
	AUTO_CLEAR(buf) text = { 0 };
	struct value *back = NULL;
	struct err e = { 0 };

	value_json(v, 0, &text);
	assert(json_parse(&back, text.at, text.len, &e) == 0);
	return back;
}

static void
same_json(const struct value *a, const struct value *b)
{
	AUTO_CLEAR(buf) x = { 0 };
	AUTO_CLEAR(buf) y = { 0 };
	ANY b_stored = stored(b);

	/* members may stand in another order: the file has its own */
	if (a->kind == VALUE_DICT) {
		assert(b->kind == VALUE_DICT && a->dict.len == b->dict.len);
		for (size_t i = 0; i < a->dict.len; i++)
			same_json(a->dict.at[i].value,
				  value_get(b, a->dict.at[i].key));
		return;
	}
	value_json(a, 0, &x);
	value_json(b_stored, 0, &y);
	assert(x.len == y.len && memcmp(x.at, y.at, x.len) == 0);
}

/* The first byte behind line 1's own words. */
static size_t
head_end(const struct cmdb *c)
{
	size_t at = str_starts(c->text, CMDB_BOM) ? 3 : 0;

	if (!c->store_id)
		return at;
	return at + strlen(CMDB_STORE_LINE) + strlen(c->store_id);
}

/* The first byte behind entry `i`, its comma and its mark. */
static size_t
behind(const struct cmdb *c, size_t i)
{
	size_t at = cmdb_skip_blanks(c->text, c->places[i].after);
	int64_t id, gen;
	size_t mark = cmdb_read_mark(c->text, at, &id, &gen);

	return mark ? mark : c->places[i].after;
}

static void
same_bytes(const struct cmdb *a, size_t from, size_t to, const struct cmdb *b,
	   size_t b_from)
{
	assert(b_from + (to - from) <= b->len);
	assert(memcmp(a->text + from, b->text + b_from, to - from) == 0);
}

/* What comes behind the changed entry is what came there, on its line or on
 * one of its own. */
static void
check_rest(const struct cmdb *old, const struct cmdb *now, size_t i)
{
	size_t a = cmdb_skip_blanks(old->text, behind(old, i));
	size_t b = cmdb_skip_blanks(now->text, behind(now, i));

	if (now->text[b] == '\n' && old->text[a] != '\n')
		b++;
	assert(old->len - a == now->len - b);
	same_bytes(old, a, old->len, now, b);
}

static void
check_entries(const struct cmdb *old, const struct cmdb *now, size_t i,
	      const struct value *fields)
{
	assert(cmdb_len(old) == cmdb_len(now));
	for (size_t k = 0; k < cmdb_len(now); k++) {
		const struct cmdb_entry *a = cmdb_at(old, k);
		const struct cmdb_entry *b = cmdb_at(now, k);

		if (k == i) {
			same_json(fields, b->fields);
			assert(b->id == NEW_ID && b->gen == NEW_GEN);
		} else {
			assert(value_eq(a->fields, b->fields));
			assert(a->id == b->id && a->gen == b->gen);
		}
	}
}

/* A machine's words into it, another out of it, one changed. */
static void
change_some(struct value *fields, size_t seed)
{
	size_t n = fields->dict.len;

	if (n > 1 && seed % 2)
		value_unset(fields, fields->dict.at[seed % n].key);
	if (n > 2 && seed % 3)
		value_set_str(fields, fields->dict.at[seed % (n - 1)].key,
			      "it's \"new\"\n");
	if (seed % 5)
		value_set_int(fields, "used", 1);
}

static void
check_change(const struct cmdb *c, size_t i, const char *id, size_t seed)
{
	ANY fields = stored(cmdb_at(c, i)->fields);
	const struct cmdb_change change = { i, fields, NEW_ID, NEW_GEN };
	AUTO(cmdb) out = NULL;
	AUTO(cmdb) now = NULL;
	size_t before = head_end(c), len;
	struct err e = { 0 };
	const char *text;

	change_some(fields, seed);
	out = cmdb_changed(c, id, &change, 1);
	text = cmdb_text(out, &len);
	assert(cmdb_parse(&now, "cmdb", text, len, &e) == 0);
	assert(str_eq(now->store_id, id));
	check_entries(c, now, i, fields);
	if (c->store_id)
		same_bytes(c, before, c->places[i].start, now, before);
	check_rest(c, now, i);
	assert(now->places[i].start == out->places[i].start &&
	       now->places[i].end == out->places[i].end);
}

/* An entry that did not change is not touched, tuples in it neither. */
static void
check_unchanged(const struct cmdb *c, const char *id)
{
	AUTO(cmdb) out = cmdb_changed(c, id, NULL, 0);

	for (size_t i = 0; i < cmdb_len(c) && i < 20; i++) {
		ANY fields = stored(cmdb_at(c, i)->fields);
		const struct place *p = &c->places[i];
		AUTO_CLEAR(buf) text = { 0 };

		cmdb_edit_entry(&text, c->text + p->start, p->end - p->start,
				fields);
		assert(text.len == p->end - p->start);
		assert(memcmp(text.at, c->text + p->start, text.len) == 0);
	}
	if (c->store_id)
		assert(out->len == c->len &&
		       memcmp(out->text, c->text, c->len) == 0);
}

/* A model of more entries than are worth the time: the target `generate` has
 * large ones. */
static bool
is_large(const char *text, size_t len)
{
	const struct literal_opts opts = { .path = "t", .call = "generate" };
	const struct generate_opts how = { "t", "\n", 1000, 1 << 20 };
	AUTO_CLEAR(buf) out = { 0 };
	AUTO_FREE char *remark = NULL;
	ANY v = NULL;
	struct err e = { 0 };

	return literal_parse(&v, text, len, &opts, &e) == 0 &&
	       v->kind == VALUE_CALL &&
	       generate_write(v, &how, &out, &remark, &e) < 0 &&
	       strstr(e.text, "more than") != NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(cmdb) c = NULL;
	struct err e = { 0 };
	const char *id;
	size_t seed = len;

	if (is_large((const char *)bytes, len))
		return 0;
	if (cmdb_parse(&c, "cmdb", (const char *)bytes, len, &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "cmdb:"));
		return 0;
	}
	id = c->store_id ? c->store_id : STORE;
	if (!cmdb_model(c))
		assert(c->len == len && memcmp(c->text, bytes, len) == 0);
	check_unchanged(c, id);
	for (size_t i = 0; i < len; i++)
		seed = 31 * seed + bytes[i];
	/* without a name on line 1 the marks are another store's, and go */
	for (size_t i = 0; i < cmdb_len(c) && !c->store_id; i++)
		if (cmdb_at(c, i)->id)
			return 0;
	if (cmdb_len(c) > 0)
		check_change(c, seed % cmdb_len(c), id, seed);
	return 0;
}
