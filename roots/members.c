/* Looked up in sorted lists: a group may have every account of a host. */
#include "lib/base.h"
#include "lib/buf.h"

#include "roots/members.h"

struct set {
	char *text;
	const char **name;   /* in their order */
	const char **sorted; /* of one name the first first */
	size_t len;
};

static int
by_text_and_place(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	int cmp = strcmp(x, y);

	return cmp ? cmp : (x > y) - (x < y);
}

static void
set_read(struct set *out, const char *text)
{
	char *at = out->text = base_strdup(text);
	size_t room = 1;
	const char *c;

	for (c = text; *c; c++)
		room += *c == ',';
	out->name = base_array(room, sizeof(*out->name));
	out->sorted = base_array(room, sizeof(*out->sorted));
	out->len = 0;
	while (at) {
		const char *name = strsep(&at, ",");

		if (*name)
			out->name[out->len++] = name;
	}
	memcpy(out->sorted, out->name, out->len * sizeof(*out->name));
	if (out->len > 1)
		qsort(out->sorted, out->len, sizeof(*out->sorted),
		      by_text_and_place);
}

static void
set_clear(struct set *s)
{
	free(s->text);
	free(s->name);
	free(s->sorted);
}

/* The first of that name, or NULL. */
static const char *
set_find(const struct set *s, const char *name)
{
	size_t from = 0, to = s->len;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(s->sorted[middle], name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from < s->len && str_eq(s->sorted[from], name) ? s->sorted[from]
							      : NULL;
}

static void
add_member(const char *name, struct buf *out)
{
	buf_printf(out, "%s%s", out->len ? "," : "", name);
}

/* Ours that the version has, too, or that were added here; then what the
 * version added. */
static void
join(const struct set *base, const struct set *ours, const struct set *theirs,
     struct buf *out)
{
	size_t i;

	for (i = 0; i < ours->len; i++) {
		const char *name = ours->name[i];

		if (set_find(ours, name) == name &&
		    (set_find(theirs, name) || !set_find(base, name)))
			add_member(name, out);
	}
	for (i = 0; i < theirs->len; i++) {
		const char *name = theirs->name[i];

		if (set_find(theirs, name) == name && !set_find(ours, name) &&
		    !set_find(base, name))
			add_member(name, out);
	}
}

char *
members_merge(const char *base, const char *ours, const char *theirs)
{
	struct set b, o, t;
	AUTO_CLEAR(buf) out = { 0 };

	set_read(&b, base);
	set_read(&o, ours);
	set_read(&t, theirs);
	join(&b, &o, &t, &out);
	set_clear(&b);
	set_clear(&o);
	set_clear(&t);
	return buf_take(&out);
}
