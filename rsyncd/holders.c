#include "rsyncd/holders.h"

#include "lib/base.h"

void
holders_init(struct holders *h, const struct manifest *m)
{
	size_t i, n;

	h->m = m;
	h->contents = contents_of(m);
	n = contents_len(h->contents);
	h->first = base_array(n + 1, sizeof(*h->first));
	h->next = base_array(m->len + 1, sizeof(*h->next));
	memset(h->first, 0xff, n * sizeof(*h->first));
	memset(h->next, 0xff, m->len * sizeof(*h->next));
	for (i = m->len; i-- > 0;) { /* so that the first one comes first */
		const struct manifest_entry *x = &m->entry[i];
		const struct content *c;

		if (x->type != 'f' || x->size == 0)
			continue;
		c = contents_find(h->contents, &x->hash);
		h->next[i] = h->first[c->at];
		h->first[c->at] = (uint32_t)i;
	}
}

void
holders_clear(struct holders *h)
{
	contents_free(h->contents);
	free(h->first);
	free(h->next);
	*h = (struct holders){ 0 };
}
