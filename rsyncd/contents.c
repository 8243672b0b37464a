/* Contents by hash: open addressing over the first eight bytes of hashes,
 * which are spread well by themselves. Each slot holds the number of a content
 * plus one. */
#include "rsyncd/manifest.h"

#include "lib/base.h"

struct contents {
	struct content *all;
	size_t len, room;
	uint32_t *slot;
	size_t mask;
};

static size_t
first_slot(const struct contents *c, const unsigned char *hash)
{
	uint64_t n;

	memcpy(&n, hash, sizeof(n));
	return (size_t)n & c->mask;
}

/* The first content in the row of slots of `hash` whose hash begins with the
 * same `len` bytes; *slot is where it stands or, for NULL, could stand. */
static struct content *
look(const struct contents *c, const unsigned char *hash, size_t len,
     size_t *slot)
{
	for (; c->slot[*slot]; *slot = (*slot + 1) & c->mask) {
		struct content *x = &c->all[c->slot[*slot] - 1];

		if (memcmp(x->hash.b, hash, len) == 0)
			return x;
	}
	return NULL;
}

static void
add(struct contents *c, const struct manifest_entry *x)
{
	size_t slot = first_slot(c, x->hash.b);

	if (look(c, x->hash.b, sizeof(x->hash.b), &slot))
		return;
	c->all[c->len] = (struct content){
		.hash = x->hash, .size = x->size, .first = x, .at = c->len
	};
	c->slot[slot] = (uint32_t)++c->len;
}

struct contents *
contents_of(const struct manifest *m)
{
	struct contents *c = base_alloc(sizeof(*c));
	size_t files = 0, i;

	for (i = 0; i < m->len; i++)
		files += m->entry[i].type == 'f' && m->entry[i].size > 0;
	for (c->mask = 15; c->mask < 2 * files; c->mask = 2 * c->mask + 1)
		;
	c->slot = base_array(c->mask + 1, sizeof(*c->slot));
	c->all = base_array(files, sizeof(*c->all));
	for (i = 0; i < m->len; i++)
		if (m->entry[i].type == 'f' && m->entry[i].size > 0)
			add(c, &m->entry[i]);
	return c;
}

size_t
contents_len(const struct contents *c)
{
	return c->len;
}

const struct content *
contents_at(const struct contents *c, size_t i)
{
	return i < c->len ? &c->all[i] : NULL;
}

const struct content *
contents_find(const struct contents *c, const struct digest *hash)
{
	size_t slot = first_slot(c, hash->b);

	return look(c, hash->b, sizeof(hash->b), &slot);
}

const struct content *
contents_short(const struct contents *c, const unsigned char head[12])
{
	size_t slot = first_slot(c, head);
	const struct content *x = look(c, head, 12, &slot);

	if (!x)
		return NULL;
	slot = (slot + 1) & c->mask;
	return look(c, head, 12, &slot) ? NULL : x;
}

void
contents_free(struct contents *c)
{
	if (!c)
		return;
	free(c->all);
	free(c->slot);
	free(c);
}
