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

bool
pairs_alike(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return a->type == b->type && a->mode == b->mode && a->uid == b->uid &&
	       a->gid == b->gid && a->sparse == b->sparse &&
	       a->size == b->size && digest_eq(&a->hash, &b->hash) &&
	       a->major == b->major && a->minor == b->minor &&
	       str_eq(a->link, b->link) && manifest_xattrs_equal(a, b);
}

bool
pairs_same(const struct manifest_entry *a, const struct manifest_entry *b)
{
	return pairs_alike(a, b) && a->mtime_s == b->mtime_s &&
	       a->mtime_ns == b->mtime_ns;
}
