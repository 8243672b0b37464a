/* One entry's text brought up to date. An entry may be written over several
 * lines, with remarks of the operator's in it and with text that the store
 * does not keep as it stands (tuples, quotes, escapes): so only the members
 * that differ are touched. */
#include "cmdb/parsed.h"
#include "lib/literal.h"

struct edit {
	const char *text;
	size_t len;
	const struct value *old, *now;
	struct buf *out;
	size_t from; /* up to here `text` is written or left out */
	size_t last; /* of the members that stay */
};

static void
copy_until(struct edit *d, size_t until)
{
	buf_add(d->out, d->text + d->from, until - d->from);
	d->from = until;
}

/* The same to the store, which has no tuples. */
static bool
is_same(const struct value *a, const struct value *b)
{
	AUTO_CLEAR(buf) x = { 0 };
	AUTO_CLEAR(buf) y = { 0 };

	value_json(a, 0, &x);
	value_json(b, 0, &y);
	return str_eq(buf_text(&x), buf_text(&y));
}

static void
write_member(struct edit *d, const struct member *m)
{
	__attribute__((cleanup(value_freep))) struct value *key =
		value_str(m->key);

	value_literal(key, d->out);
	buf_str(d->out, ": ");
	value_literal(m->value, d->out);
}

/* What stands before a member that begins its line: the break and the blanks;
 * what stands before one that does not: one blank. */
static struct buf
gap_before(const struct edit *d, const struct member *m)
{
	size_t at = m->start;
	struct buf gap = { 0 };

	while (at > 0 && (d->text[at - 1] == ' ' || d->text[at - 1] == '\t'))
		at--;
	if (at == 0 || d->text[at - 1] != '\n') {
		buf_char(&gap, ' ');
		return gap;
	}
	at -= at > 1 && d->text[at - 2] == '\r' ? 2 : 1;
	buf_add(&gap, d->text + at, m->start - at);
	return gap;
}

/* Behind the last member that stays, each on a line of its own if that one is;
 * a comma that stood there now stands behind the last new one. */
static void
write_new(struct edit *d)
{
	AUTO_CLEAR(buf) gap = gap_before(d, &d->old->dict.at[d->last]);

	for (size_t i = 0; i < d->now->dict.len; i++) {
		const struct member *m = &d->now->dict.at[i];

		if (value_get(d->old, m->key))
			continue;
		buf_char(d->out, ',');
		buf_add(d->out, gap.at, gap.len);
		write_member(d, m);
	}
}

/* Members that are gone go with the text up to the next one; the last ones
 * with the text from the last that stays on. */
static void
write_old(struct edit *d)
{
	const struct value *old = d->old;

	for (size_t i = 0; i <= d->last; i++) {
		const struct member *m = &old->dict.at[i];
		const struct value *now = value_get(d->now, m->key);

		if (!now) {
			copy_until(d, m->start);
			d->from = m[1].start;
			continue;
		}
		if (!is_same(m->value, now)) {
			copy_until(d, m->value->start);
			value_literal(now, d->out);
			d->from = m->value->end;
		}
	}
	copy_until(d, old->dict.at[d->last].value->end);
	write_new(d);
	d->from = old->dict.at[old->dict.len - 1].value->end;
	copy_until(d, d->len);
}

void
cmdb_edit_entry(struct buf *out, const char *text, size_t len,
		const struct value *now)
{
	const struct literal_opts opts = { .max_bytes = CMDB_MAX_BYTES,
					   .max_nodes = 40000000 };
	__attribute__((cleanup(value_freep))) struct value *old = NULL;
	struct edit d = { .text = text, .len = len, .now = now, .out = out };
	struct err e = { 0 };
	bool any = false; /* member that stays */

	if (literal_parse(&old, text, len, &opts, &e) == 0)
		for (size_t i = 0; i < old->dict.len; i++)
			if (value_get(now, old->dict.at[i].key)) {
				d.last = i;
				any = true;
			}
	if (!any) {
		if (old && old->dict.len == 0 && now->dict.len == 0)
			buf_add(out, text, len);
		else
			value_literal(now, out);
		return;
	}
	d.old = old;
	write_old(&d);
}
