/* Which of several equally good Huffman codes is taken depends on the order in
 * which a heap gives equal counts, so the heap is part of the format here. */
#include <stdbool.h>
#include <string.h>

#include "rsyncd/gnuzip_code.h"

#define NODES CODE_NODES
#define BITS_MAX CODE_BITS_MAX

void
gnuzip_code_begin(struct gnuzip_code *c, const uint16_t *count, size_t n,
		  const uint8_t *extra, size_t extra_from, unsigned bits_max)
{
	size_t i;

	memset(c, 0, sizeof(*c));
	c->n = n;
	c->extra = extra;
	c->extra_from = extra_from;
	c->bits_max = bits_max;
	for (i = 0; count && i < n; i++)
		c->count[i] = count[i];
}

struct heap {
	struct gnuzip_code *c;
	uint16_t at[NODES + 1]; /* from 1: the heap; at its end: done nodes */
	size_t len, done;
};

static bool
before(const struct gnuzip_code *c, unsigned a, unsigned b)
{
	return c->count[a] < c->count[b] ||
	       (c->count[a] == c->count[b] && c->depth[a] <= c->depth[b]);
}

static void
sift_down(struct heap *h, size_t k)
{
	uint16_t node = h->at[k];
	size_t j;

	for (j = 2 * k; j <= h->len; j *= 2) {
		if (j < h->len && before(h->c, h->at[j + 1], h->at[j]))
			j++;
		if (before(h->c, node, h->at[j]))
			break;
		h->at[k] = h->at[j];
		k = j;
	}
	h->at[k] = node;
}

static void
heap_of(struct heap *h, struct gnuzip_code *c)
{
	size_t i;

	h->c = c;
	h->len = 0;
	h->done = NODES;
	c->last = 0;
	for (i = 0; i < c->n; i++) {
		c->len[i] = 0;
		if (c->count[i] > 0) {
			h->at[++h->len] = (uint16_t)i;
			c->last = i;
		}
	}
	/* a code has two symbols at least */
	while (h->len < 2) {
		size_t more = h->len == 0 || c->last >= 2 ? 0 : c->last + 1;

		if (h->len == 0 || c->last < 2)
			c->last = more;
		c->count[more] = 1;
		c->total -= 1;
		h->at[++h->len] = (uint16_t)more;
	}
	for (i = h->len / 2; i >= 1; i--)
		sift_down(h, i);
}

/* Join the two rarest until one is left; children stand behind parents in
 * h->at[done..]. */
static void
join_all(struct heap *h)
{
	struct gnuzip_code *c = h->c;
	size_t node = c->n;

	do {
		uint16_t a = h->at[1], b;

		h->at[1] = h->at[h->len--];
		sift_down(h, 1);
		b = h->at[1];
		h->at[--h->done] = a;
		h->at[--h->done] = b;
		c->count[node] = c->count[a] + c->count[b];
		c->depth[node] =
			(uint8_t)((c->depth[a] > c->depth[b] ? c->depth[a]
							     : c->depth[b]) +
				  1);
		c->parent[a] = c->parent[b] = (uint16_t)node;
		h->at[1] = (uint16_t)node++;
		sift_down(h, 1);
	} while (h->len >= 2);
	h->at[--h->done] = h->at[1];
}

/* Too long ones are made shorter, others longer for it. */
static void
shorten(struct heap *h, unsigned *of_len, int overflow)
{
	struct gnuzip_code *c = h->c;
	size_t at = NODES;
	unsigned len, n;

	do {
		len = c->bits_max - 1;
		while (of_len[len] == 0)
			len--;
		of_len[len]--;
		of_len[len + 1] += 2;
		of_len[c->bits_max]--;
		overflow -= 2;
	} while (overflow > 0);
	for (len = c->bits_max; len > 0; len--)
		for (n = of_len[len]; n > 0;) {
			unsigned node = h->at[--at];

			if (node > c->last)
				continue;
			c->total +=
				((uint64_t)len - c->len[node]) * c->count[node];
			c->len[node] = (uint16_t)len;
			n--;
		}
}

static void
set_lengths(struct heap *h, unsigned *of_len)
{
	struct gnuzip_code *c = h->c;
	size_t i = h->done;
	int overflow = 0;

	c->len[h->at[i]] = 0;
	for (i++; i < NODES; i++) {
		unsigned node = h->at[i], len = c->len[c->parent[node]] + 1U;
		unsigned extra;

		if (len > c->bits_max) {
			len = c->bits_max;
			overflow++;
		}
		c->len[node] = (uint16_t)len;
		if (node > c->last)
			continue;
		of_len[len]++;
		extra = node >= c->extra_from ? c->extra[node - c->extra_from]
					      : 0;
		c->total += (uint64_t)c->count[node] * (len + extra);
	}
	if (overflow > 0)
		shorten(h, of_len, overflow);
}

static uint16_t
reversed(unsigned code, unsigned len)
{
	unsigned out = 0;

	while (len--) {
		out = out << 1 | (code & 1);
		code >>= 1;
	}
	return (uint16_t)out;
}

void
gnuzip_code_bits(struct gnuzip_code *c)
{
	unsigned next[BITS_MAX + 2] = { 0 }, of_len[BITS_MAX + 1] = { 0 };
	unsigned len;
	size_t i;

	for (i = 0; i <= c->last; i++)
		of_len[c->len[i]]++;
	of_len[0] = 0;
	for (len = 1; len <= BITS_MAX; len++)
		next[len] = (next[len - 1] + of_len[len - 1]) << 1;
	for (i = 0; i <= c->last; i++)
		if (c->len[i] > 0)
			c->bits[i] = reversed(next[c->len[i]]++, c->len[i]);
}

void
gnuzip_code_build(struct gnuzip_code *c)
{
	unsigned of_len[BITS_MAX + 2] = { 0 };
	struct heap h;

	heap_of(&h, c);
	join_all(&h);
	set_lengths(&h, of_len);
	gnuzip_code_bits(c);
}
