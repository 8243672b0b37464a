#include <stdlib.h>

#include "lib/base.h"

#include "rsyncd/patch_pair.h"

/* Something of the old tree under a name by which it may be found. */
struct candidate {
	char *key;
	const struct content *content;
};

struct names {
	struct candidate *at;
	size_t len;
};

struct pairing {
	const struct manifest *old, *new;
	const struct contents *olds, *news;
	const struct content **partner; /* by the new content's number */
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void
patch_pair_key(const char *path, struct buf *out)
{
	const char *p = path;

	while (*p) {
		if (!is_digit(*p)) {
			buf_char(out, *p++);
			continue;
		}
		buf_char(out, '#');
		while (is_digit(*p) ||
		       (*p && strchr(".+~:_-", *p) && is_digit(p[1])))
			p++;
	}
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static char *
key_of(const char *path, bool base_only)
{
	struct buf b = { 0 };

	patch_pair_key(base_only ? base_name(path) : path, &b);
	return buf_take(&b);
}

/* ---- names of the old tree ---- */

static int
by_key(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	if (c != 0)
		return c;
	if (x->content->size != y->content->size)
		return x->content->size < y->content->size ? -1 : 1;
	return x->content->at < y->content->at
		       ? -1
		       : x->content->at > y->content->at;
}

static bool
has_content(const struct manifest_entry *entry)
{
	return entry->type == 'f' && entry->size > 0;
}

static void
names_of(struct names *n, const struct pairing *p, bool base_only)
{
	size_t i;

	n->at = base_array(p->old->len, sizeof(*n->at));
	n->len = 0;
	for (i = 0; i < p->old->len; i++) {
		const struct manifest_entry *entry = &p->old->entry[i];

		if (has_content(entry))
			n->at[n->len++] = (struct candidate){
				.key = key_of(entry->path, base_only),
				.content = contents_find(p->olds, &entry->hash),
			};
	}
	qsort(n->at, n->len, sizeof(*n->at), by_key);
}

static void
names_clear(struct names *n)
{
	size_t i;

	for (i = 0; i < n->len; i++)
		free(n->at[i].key);
	free(n->at);
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a < b ? b - a : a - b;
}

/* Of those with this key the one of the nearest size, or NULL. */
static const struct content *
nearest(const struct names *n, const char *key, uint64_t size)
{
	size_t low = 0, high = n->len, mid;
	const struct content *best = NULL;

	/* the first one that is not below (key, size) */
	while (low < high) {
		int c = strcmp(n->at[mid = (low + high) / 2].key, key);

		if (c < 0 || (c == 0 && n->at[mid].content->size < size))
			low = mid + 1;
		else
			high = mid;
	}
	if (low < n->len && str_eq(n->at[low].key, key))
		best = n->at[low].content;
	if (low > 0 && str_eq(n->at[low - 1].key, key) &&
	    (!best || distance(n->at[low - 1].content->size, size) <
			      distance(best->size, size)))
		best = n->at[low - 1].content;
	return best;
}

/* ---- pairing ---- */

/* The new content of this entry when it still wants a partner. */
static const struct content *
single(const struct pairing *p, const struct manifest_entry *entry)
{
	const struct content *c;

	if (!has_content(entry) || contents_find(p->olds, &entry->hash))
		return NULL;
	c = contents_find(p->news, &entry->hash);
	return p->partner[c->at] ? NULL : c;
}

static void
pair_same_paths(struct pairing *p)
{
	size_t i;

	for (i = 0; i < p->new->len; i++) {
		const struct manifest_entry *entry = &p->new->entry[i], *was;
		const struct content *c = single(p, entry);

		was = c ? manifest_find(p->old, entry->path) : NULL;
		if (was && has_content(was))
			p->partner[c->at] = contents_find(p->olds, &was->hash);
	}
}

static void
pair_by_name(struct pairing *p, bool base_only)
{
	struct names n;
	size_t i;

	names_of(&n, p, base_only);
	for (i = 0; i < p->new->len; i++) {
		const struct manifest_entry *entry = &p->new->entry[i];
		const struct content *c = single(p, entry);
		AUTO_FREE char *key = NULL;

		if (!c)
			continue;
		key = key_of(entry->path, base_only);
		p->partner[c->at] = nearest(&n, key, c->size);
	}
	names_clear(&n);
}

size_t
patch_pairs(const struct manifest *old, const struct contents *olds,
	    const struct manifest *new, const struct contents *news,
	    struct patch_pair **out)
{
	struct pairing p = { old, new, olds, news, NULL };
	size_t i, len = 0;

	p.partner = base_array(contents_len(news), sizeof(struct content *));
	pair_same_paths(&p);
	pair_by_name(&p, false);
	pair_by_name(&p, true);
	*out = base_array(contents_len(news), sizeof(**out));
	for (i = 0; i < contents_len(news); i++) {
		const struct content *c = contents_at(news, i);

		if (!contents_find(olds, &c->hash))
			(*out)[len++] = (struct patch_pair){ c, p.partner[i] };
	}
	free(p.partner);
	return len;
}
