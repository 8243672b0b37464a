/* By their first numbers: a range meets one of the other side when that one,
 * which began before, has not ended. */
#include <stdint.h>

#include "lib/base.h"
#include "lib/num.h"

#include "roots/ranges.h"

/* A side's lines, sorted. */
struct texts {
	char *text;
	char **at;
	size_t len;
};

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
texts_read(struct texts *out, const char *text)
{
	char *at = out->text = base_strdup(text);
	size_t room = 1;
	const char *c;

	for (c = text; *c; c++)
		room += *c == '\n';
	out->at = base_array(room, sizeof(*out->at));
	while (at && *at)
		out->at[out->len++] = strsep(&at, "\n");
}

static bool
texts_have(const struct texts *sorted, char *line)
{
	return sorted->len > 0 && bsearch(&line, sorted->at, sorted->len,
					  sizeof(*sorted->at), by_text);
}

static void
texts_clear(struct texts *t)
{
	free(t->text);
	free(t->at);
}

struct range {
	const char *line;
	size_t name; /* length of it in `line` */
	uint64_t first, end;
	size_t side; /* 0: this host's, 1: the new version's */
};

/* False: no range at all. */
static bool
range_read(struct range *out, const char *line)
{
	AUTO_FREE char *copy = base_strdup(line);
	char *at = copy, *name = strsep(&at, ":"), *first = strsep(&at, ":");
	struct err ignored;
	uint64_t count;

	out->line = line;
	out->name = strlen(name);
	if (!first || !at || !*name || strchr("#+-", *name) ||
	    num_u64(first, 0, UINT32_MAX, &out->first, "", &ignored) < 0 ||
	    num_u64(at, 1, UINT32_MAX, &count, "", &ignored) < 0)
		return false;
	out->end = out->first + count;
	return true;
}

static int
by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static bool
same_name(const struct range *a, const struct range *b)
{
	return a->name == b->name && memcmp(a->line, b->line, a->name) == 0;
}

/* Of those that one side began so far: the one that ends last, and the one that
 * does of all other names. */
struct open {
	const struct range *last, *other;
};

static void
open_add(struct open *o, const struct range *r)
{
	if (!o->last || same_name(o->last, r)) {
		if (!o->last || r->end > o->last->end)
			o->last = r;
	} else if (r->end > o->last->end) {
		o->other = o->last;
		o->last = r;
	} else if (!o->other || r->end > o->other->end) {
		o->other = r;
	}
}

static const struct range *
open_meets(const struct open *o, const struct range *r)
{
	const struct range *of =
		o->last && same_name(o->last, r) ? o->other : o->last;

	return of && of->end > r->first ? of : NULL;
}

static int
sweep(const char *path, const struct range *at, size_t len, struct err *e)
{
	struct open open[2] = { 0 };
	size_t i;

	for (i = 0; i < len; i++) {
		const struct range *r = &at[i];
		const struct range *met = open_meets(&open[!r->side], r);

		if (met)
			return err_set(e, ERR_REFUSED,
				       "/%s: %.80s and %.80s overlap: one is "
				       "this host's, the other the new "
				       "version's; give one another range, "
				       "with all of its files",
				       path, met->line, r->line);
		open_add(&open[r->side], r);
	}
	return 0;
}

int
ranges_check(const char *path, const char *text, const char *ours,
	     const char *theirs, struct err *e)
{
	struct texts all = { 0 }, side[2] = { 0 };
	AUTO_FREE struct range *ranges = NULL;
	size_t i, len = 0;
	int bad;

	texts_read(&all, text);
	texts_read(&side[0], ours);
	texts_read(&side[1], theirs);
	for (i = 0; i < ARRAY_LEN(side); i++)
		if (side[i].len > 1)
			qsort(side[i].at, side[i].len, sizeof(*side[i].at),
			      by_text);
	ranges = base_array(all.len + 1, sizeof(*ranges));
	for (i = 0; i < all.len; i++) {
		struct range *r = &ranges[len];
		bool in_ours = texts_have(&side[0], all.at[i]);
		bool in_theirs = texts_have(&side[1], all.at[i]);

		r->side = in_theirs;
		len += in_ours != in_theirs && range_read(r, all.at[i]);
	}
	if (len > 1)
		qsort(ranges, len, sizeof(*ranges), by_first);
	bad = sweep(path, ranges, len, e);
	texts_clear(&all);
	texts_clear(&side[0]);
	texts_clear(&side[1]);
	return bad;
}
