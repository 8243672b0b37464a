#include "lib/base.h"

#include "rsyncd/pairs.h"

bool
pairs_next(struct pairs *p)
{
	const struct manifest_entry *x =
		p->i < p->a->len ? &p->a->entry[p->i] : NULL;
	const struct manifest_entry *y =
		p->k < p->b->len ? &p->b->entry[p->k] : NULL;
	int cmp = !x ? 1 : !y ? -1 : manifest_path_cmp(x->path, y->path);

	p->in_a = x && cmp <= 0 ? x : NULL;
	p->in_b = y && cmp >= 0 ? y : NULL;
	p->i += p->in_a != NULL;
	p->k += p->in_b != NULL;
	return p->in_a || p->in_b;
}

static bool
same_attributes(const struct manifest_entry *a, const struct manifest_entry *b)
{
	size_t i;

	if (a->xattrs_len != b->xattrs_len)
		return false;
	for (i = 0; i < a->xattrs_len; i++)
		if (!str_eq(a->xattrs[i].name, b->xattrs[i].name) ||
		    a->xattrs[i].len != b->xattrs[i].len ||
		    memcmp(a->xattrs[i].value, b->xattrs[i].value,
			   a->xattrs[i].len) != 0)
			return false;
	return true;
}

bool
pairs_alike(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->type == b->type && a->mode == b->mode && a->uid == b->uid &&
	       a->gid == b->gid && a->sparse == b->sparse &&
	       a->size == b->size && digest_eq(&a->hash, &b->hash) &&
	       a->major == b->major && a->minor == b->minor &&
	       str_eq(a->link, b->link) && same_attributes(a, b);
}

bool
pairs_same(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return pairs_alike(a, b) && a->mtime_s == b->mtime_s &&
	       a->mtime_ns == b->mtime_ns;
}
