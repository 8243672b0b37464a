/* Accounts by line, by field, and members one by one: three sides each time,
 * and the same rule at every level. */
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "roots/accounts.h"
#include "roots/members.h"
#include "roots/ranges.h"

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
	const struct line **sorted; /* by name; of one name the first first */
};

static void
lines_clear(struct lines *l)
{
	free(l->at);
	free(l->text);
	free(l->sorted);
}

static int
by_name(const struct line *a, const struct line *b)
{
	size_t least = a->key < b->key ? a->key : b->key;
	int cmp = (int)a->account - (int)b->account;

	if (cmp == 0)
		cmp = memcmp(a->text, b->text, least);
	return cmp ? cmp : (a->key > b->key) - (a->key < b->key);
}

static int
by_name_and_place(const void *a, const void *b)
{
	const struct line *x = *(const struct line *const *)a;
	const struct line *y = *(const struct line *const *)b;
	int cmp = by_name(x, y);

	return cmp ? cmp : (x > y) - (x < y);
}

/* Hosts with 100,000 accounts are merged in seconds, too. */
static void
lines_sort(struct lines *l)
{
	size_t i;

	l->sorted = base_array(l->len + 1, sizeof(*l->sorted));
	for (i = 0; i < l->len; i++)
		l->sorted[i] = &l->at[i];
	if (l->len > 1)
		qsort(l->sorted, l->len, sizeof(*l->sorted), by_name_and_place);
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
	lines_sort(out);
}

/* The first of that name, or NULL. */
static struct line *
line_of(const struct lines *l, const struct line *like)
{
	size_t from = 0, to = l->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (by_name(l->sorted[middle], like) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from < l->len && by_name(l->sorted[from], like) == 0
		       ? &l->at[l->sorted[from] - l->at]
		       : NULL;
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
		AUTO_FREE char *set = members_merge(base, ours, theirs);

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

struct numbered {
	char *text; /* the line, cut into fields */
	const char *number;
	size_t at; /* its place among the lines */
};

static int
by_number(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int cmp = strcmp(x->number, y->number);

	return cmp ? cmp : (x->at > y->at) - (x->at < y->at);
}

/* Accounts by their numbers; those that share one in the order of the lines. */
static size_t
sort_numbers(const struct kind *k, const struct lines *l, struct numbered *out)
{
	char *field[FIELDS_MAX];
	size_t i, n = 0;

	for (i = 0; i < l->len; i++) {
		if (!l->at[i].account)
			continue;
		out[n].text = base_strdup(l->at[i].text);
		split(out[n].text, field);
		out[n].number = field[k->number];
		out[n++].at = i;
	}
	if (n > 1)
		qsort(out, n, sizeof(*out), by_number);
	return n;
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
check_pair(const struct kind *k, const struct line *a, const struct line *b,
	   const char *ours, const char *theirs, struct err *e)
{
	if (has_both(k, ours, a, b) || has_both(k, theirs, a, b))
		return 0;
	return err_set(e, ERR_REFUSED,
		       "/%s: %.*s and %.*s would have one number: one is "
		       "this host's, the other the new version's; "
		       "renumber one with all of its files",
		       k->path, (int)a->key, a->text, (int)b->key, b->text);
}

static int
check_numbers(const struct kind *k, const char *text, const char *ours,
	      const char *theirs, struct err *e)
{
	struct lines l = { 0 };
	AUTO_FREE struct numbered *sorted = NULL;
	size_t i, n, first = 0;
	int bad = 0;

	lines_read(&l, k, text);
	sorted = base_array(l.len + 1, sizeof(*sorted));
	n = sort_numbers(k, &l, sorted);
	for (i = 1; i < n && !bad; i++) {
		if (!str_eq(sorted[i].number, sorted[first].number))
			first = i;
		else
			bad = check_pair(k, &l.at[sorted[i].at],
					 &l.at[sorted[first].at], ours, theirs,
					 e);
	}
	for (i = 0; i < n; i++)
		free(sorted[i].text);
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
	else if (!bad && !m.kind->fields)
		bad = ranges_check(path, buf_text(&m.out), ours, theirs, e);
	if (!bad)
		*out = buf_take(&m.out);
	buf_clear(&m.out);
	lines_clear(&b);
	lines_clear(&o);
	lines_clear(&t);
	return bad;
}
