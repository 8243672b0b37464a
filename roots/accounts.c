/* Accounts by line, by field, and members one by one: three sides each time,
 * and the same rule at every level. */
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "roots/accounts.h"

#define FIELDS_MAX 9

/* Which field is a number that must not be shared or differ (0: none), and
 * which hold a set of names. */
static const struct kind {
	const char *path;
	size_t fields, number, set[2];
} kinds[] = {
	{ "etc/passwd", 7, 2, { 0, 0 } },
	{ "etc/group", 4, 2, { 3, 0 } },
	{ "etc/shadow", 9, 0, { 0, 0 } },
	{ "etc/gshadow", 4, 0, { 2, 3 } },
	/* ranges: a user may have several, so a line is its own name */
	{ "etc/subuid", 0, 0, { 0, 0 } },
	{ "etc/subgid", 0, 0, { 0, 0 } },
};

static const struct kind *
kind_of(const char *path)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(kinds[i].path, path))
			return &kinds[i];
	return NULL;
}

bool
accounts_known(const char *path)
{
	return kind_of(path) != NULL;
}

const char *
accounts_path(size_t i)
{
	return i < ARRAY_LEN(kinds) ? kinds[i].path : NULL;
}

/* ---- lines ---- */

struct line {
	const char *text; /* whole */
	size_t key;       /* length of the name in it */
	bool account;
	bool done;
};

struct lines {
	struct line *at;
	size_t len;
	char *text;
};

static void
lines_clear(struct lines *l)
{
	free(l->at);
	free(l->text);
}

static size_t
count_fields(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ':';
	return n;
}

static void
lines_read(struct lines *out, const struct kind *k, const char *text)
{
	char *at = out->text = base_strdup(text);
	size_t room = 1;
	const char *c;

	for (c = text; *c; c++)
		room += *c == '\n';
	out->at = base_array(room, sizeof(*out->at));
	while (at && *at) {
		struct line l = { .text = strsep(&at, "\n") };

		l.account = *l.text && !strchr("#+-", *l.text) &&
			    (!k->fields || count_fields(l.text) == k->fields);
		l.key = l.account && k->fields ? strcspn(l.text, ":")
					       : strlen(l.text);
		out->at[out->len++] = l;
	}
}

static struct line *
line_of(const struct lines *l, const struct line *like)
{
	size_t i;

	for (i = 0; i < l->len; i++)
		if (l->at[i].account == like->account &&
		    l->at[i].key == like->key &&
		    strncmp(l->at[i].text, like->text, like->key) == 0)
			return &l->at[i];
	return NULL;
}

/* ---- sets of names: "a,b,c" ---- */

static bool
has_member(const char *set, const char *name, size_t len)
{
	const char *at = set;

	while (*at) {
		size_t n = strcspn(at, ",");

		if (n == len && strncmp(at, name, len) == 0)
			return true;
		at += n;
		at += *at == ',';
	}
	return false;
}

/* Those of `from` that belong into the result: in both, or added by `from`. */
static void
add_members(const char *from, const char *other, const char *base,
	    struct buf *out)
{
	const char *at = from;

	while (*at) {
		size_t n = strcspn(at, ",");
		bool there = n == 0 || has_member(buf_text(out), at, n);

		if (!there &&
		    (has_member(other, at, n) || !has_member(base, at, n)))
			buf_printf(out, "%s%.*s", out->len ? "," : "", (int)n,
				   at);
		at += n;
		at += *at == ',';
	}
}

static char *
merge_members(const char *base, const char *ours, const char *theirs)
{
	AUTO_CLEAR(buf) out = { 0 };

	add_members(ours, theirs, base, &out);
	add_members(theirs, ours, base, &out);
	return buf_take(&out);
}

/* ---- fields ---- */

static size_t
split(char *text, char *field[FIELDS_MAX])
{
	size_t n = 0;

	while (text && n < FIELDS_MAX)
		field[n++] = strsep(&text, ":");
	return n;
}

struct merging {
	const struct kind *kind;
	struct buf out;
	struct err *e;
};

/* One field of a line that both sides changed. */
static int
merge_field(struct merging *m, const char *name, size_t i, const char *base,
	    const char *ours, const char *theirs)
{
	const struct kind *k = m->kind;

	if (i && (i == k->set[0] || i == k->set[1])) {
		AUTO_FREE char *set = merge_members(base, ours, theirs);

		buf_str(&m->out, set);
		return 0;
	}
	if (str_eq(ours, base) || str_eq(ours, theirs)) {
		buf_str(&m->out, theirs);
		return 0;
	}
	if (k->number && i == k->number && !str_eq(theirs, base))
		return err_set(m->e, ERR_REFUSED,
			       "/%s: %s is %.20s on this host and %.20s in the "
			       "new version: give it one number, with all of "
			       "its files",
			       k->path, name, ours, theirs);
	buf_str(&m->out, ours);
	return 0;
}

static int
merge_fields(struct merging *m, const char *base, const char *ours,
	     const char *theirs)
{
	AUTO_FREE char *b = base_strdup(base);
	AUTO_FREE char *o = base_strdup(ours);
	AUTO_FREE char *t = base_strdup(theirs);
	char *bf[FIELDS_MAX], *of[FIELDS_MAX], *tf[FIELDS_MAX];
	size_t nb = split(b, bf), i, n = m->kind->fields;

	split(o, of);
	split(t, tf);
	for (i = 0; i < n; i++) {
		if (i)
			buf_char(&m->out, ':');
		if (merge_field(m, of[0], i, nb == n ? bf[i] : "", of[i],
				tf[i]) < 0)
			return -1;
	}
	buf_char(&m->out, '\n');
	return 0;
}

/* ---- a line's three sides ---- */

static const char *
text_of(const struct line *l)
{
	return l ? l->text : NULL;
}

static int
merge_line(struct merging *m, const struct line *base, const struct line *ours,
	   const struct line *theirs)
{
	const char *b = text_of(base), *o = text_of(ours), *t = text_of(theirs);
	const char *take;

	if (str_eq(o, t) || str_eq(t, b))
		take = o;
	else if (str_eq(o, b))
		take = t;
	else if (o && t && ours->account && m->kind->fields)
		return merge_fields(m, b ? b : "", o, t);
	else
		take = o; /* an account that was changed here stays; one that
			     was removed here stays away */
	if (take)
		buf_printf(&m->out, "%s\n", take);
	return 0;
}

/* ---- numbers ---- */

/* The name that has the same number as line `i` further up; NULL: none. */
static const struct line *
same_number(const struct kind *k, const struct lines *l, size_t i)
{
	AUTO_FREE char *mine = base_strdup(l->at[i].text);
	char *field[FIELDS_MAX];
	size_t j;

	split(mine, field);
	for (j = 0; j < i; j++) {
		AUTO_FREE char *other = NULL;
		char *others[FIELDS_MAX];

		if (!l->at[j].account)
			continue;
		other = base_strdup(l->at[j].text);
		split(other, others);
		if (str_eq(others[k->number], field[k->number]))
			return &l->at[j];
	}
	return NULL;
}

/* Both names stand in this text: who shares a number there shares it on
 * purpose. */
static bool
has_both(const struct kind *k, const char *text, const struct line *a,
	 const struct line *b)
{
	struct lines l = { 0 };
	bool both;

	lines_read(&l, k, text);
	both = line_of(&l, a) && line_of(&l, b);
	lines_clear(&l);
	return both;
}

static int
check_numbers(const struct kind *k, const char *text, const char *ours,
	      const char *theirs, struct err *e)
{
	struct lines l = { 0 };
	int bad = 0;
	size_t i;

	lines_read(&l, k, text);
	for (i = 0; i < l.len && !bad; i++) {
		const struct line *a = &l.at[i], *b;

		if (!a->account || !(b = same_number(k, &l, i)) ||
		    has_both(k, ours, a, b) || has_both(k, theirs, a, b))
			continue;
		bad = err_set(
			e, ERR_REFUSED,
			"/%s: %.*s and %.*s would have one number: one is "
			"this host's, the other the new version's; "
			"renumber one with all of its files",
			k->path, (int)a->key, a->text, (int)b->key, b->text);
	}
	lines_clear(&l);
	return bad;
}

/* ---- the whole ---- */

static int
merge_lines(struct merging *m, struct lines *base, struct lines *ours,
	    struct lines *theirs)
{
	size_t i, j;

	for (i = 0; i < ours->len; i++) {
		struct line *o = &ours->at[i];
		struct line *t = line_of(theirs, o);

		/* what the version adds goes before NIS, which ends a file */
		for (j = 0; j < theirs->len && *o->text == '+'; j++) {
			struct line *n = &theirs->at[j];

			if (n->done || line_of(ours, n) || !n->account)
				continue;
			n->done = true;
			if (merge_line(m, line_of(base, n), NULL, n) < 0)
				return -1;
		}
		if (t)
			t->done = true;
		if (!o->account)
			buf_printf(&m->out, "%s\n", o->text);
		else if (merge_line(m, line_of(base, o), o, t) < 0)
			return -1;
	}
	for (j = 0; j < theirs->len; j++) {
		struct line *n = &theirs->at[j];

		if (!n->done && n->account && !line_of(ours, n) &&
		    merge_line(m, line_of(base, n), NULL, n) < 0)
			return -1;
	}
	return 0;
}

int
accounts_merge(const char *path, const char *base, const char *ours,
	       const char *theirs, char **out, struct err *e)
{
	struct merging m = { .kind = kind_of(path), .e = e };
	struct lines b = { 0 }, o = { 0 }, t = { 0 };
	int bad;

	if (!m.kind)
		return err_set(e, ERR_INPUT, "/%s holds no accounts", path);
	lines_read(&b, m.kind, base);
	lines_read(&o, m.kind, ours);
	lines_read(&t, m.kind, theirs);
	bad = merge_lines(&m, &b, &o, &t);
	if (!bad && m.kind->number)
		bad = check_numbers(m.kind, buf_text(&m.out), ours, theirs, e);
	if (!bad)
		*out = buf_take(&m.out);
	buf_clear(&m.out);
	lines_clear(&b);
	lines_clear(&o);
	lines_clear(&t);
	return bad;
}
