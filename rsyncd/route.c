/* Which deltas lead from what the base is to what is asked for. Seals of the
 * versions between tell; theirs are checked like ours. */
#include <stdio.h>

#include "lib/base.h"
#include "rsyncd/job.h"

#define NODES_MAX 24

/* A version from which ours can be reached. */
struct node {
	struct seal *seal; /* owned, but for the first */
	char root[HASH_HEX];
	size_t to;             /* the node that the delta leads to */
	struct seal_file file; /* the delta */
	uint64_t cost;
	size_t steps;
	bool seen;
};

struct search {
	struct job *j;
	struct node *node;
	size_t len;
};

static bool
known(const struct search *s, const char *root, uint64_t cost)
{
	size_t i;

	for (i = 0; i < s->len; i++)
		if (str_eq(s->node[i].root, root) && s->node[i].cost <= cost)
			return true;
	return false;
}

/* All versions that have a delta to this one. */
static void
add_neighbours(struct search *s, size_t at)
{
	const struct seal *seal = s->node[at].seal;
	size_t i;

	for (i = 0; i < seal->deltas && s->len < NODES_MAX; i++) {
		const struct seal_file *f = &seal->delta[i];
		uint64_t cost = s->node[at].cost + f->place.size;
		struct node *n = &s->node[s->len];

		if (known(s, f->from_root, cost) ||
		    s->node[at].steps + 1 >= JOB_DELTAS)
			continue;
		*n = (struct node){ .to = at,
				    .file = *f,
				    .cost = cost,
				    .steps = s->node[at].steps + 1 };
		snprintf(n->root, sizeof(n->root), "%s", f->from_root);
		s->len++;
	}
}

/* The nearest one that was not looked at; SIZE_MAX: none below `limit`. */
static size_t
nearest(const struct search *s, uint64_t limit)
{
	size_t i, best = SIZE_MAX;

	for (i = 0; i < s->len; i++)
		if (!s->node[i].seen && s->node[i].cost < limit &&
		    (best == SIZE_MAX || s->node[i].cost < s->node[best].cost))
			best = i;
	return best;
}

/* Its seal; a version that is gone, or is another one now, leads nowhere. */
static void
open_node(struct search *s, struct node *n)
{
	struct err e = { 0 };
	AUTO_FREE char *text = NULL;

	if (n->seal)
		return;
	if (release_seal(s->j, n->file.from_version, &n->seal, &text, &e) < 0)
		return;
	if (str_eq(n->seal->root, n->root))
		return;
	seal_free(n->seal);
	n->seal = NULL;
}

/* The node that is the base; SIZE_MAX when there is no way that is shorter
 * than the whole. */
static size_t
search_base(struct search *s, const char *root, uint64_t limit)
{
	size_t at;

	while ((at = nearest(s, limit)) != SIZE_MAX) {
		s->node[at].seen = true;
		if (str_eq(s->node[at].root, root))
			return at;
		open_node(s, &s->node[at]);
		if (s->node[at].seal)
			add_neighbours(s, at);
	}
	return SIZE_MAX;
}

static int
load(struct job *j, const struct seal_file *f, struct err *e)
{
	struct route *r = &j->route;

	r->file[r->len] = *f;
	if (release_delta(j, f, &r->table[r->len], e) < 0)
		return -1;
	r->len++;
	return 0;
}

/* The deltas of the way, from the base on. */
static int
load_chain(struct search *s, size_t at, struct err *e)
{
	struct job *j = s->j;

	for (; at != 0; at = s->node[at].to) {
		const struct node *n = &s->node[at];
		const struct patch_table *t;

		if (load(j, &n->file, e) < 0)
			return -1;
		t = j->route.table[j->route.len - 1];
		if (!str_eq(t->from, n->root) ||
		    !str_eq(t->to, s->node[n->to].root))
			return err_set(e, ERR_INPUT,
				       "%s: leads elsewhere than its seal says",
				       n->file.path);
	}
	j->route.chain = true;
	return 0;
}

/* A base that nobody knows may yet hold what the deltas stand on. */
static int
load_all(struct job *j, struct err *e)
{
	size_t i;

	for (i = 0; i < j->seal->deltas && i < 3; i++)
		if (load(j, &j->seal->delta[i], e) < 0)
			return -1;
	return 0;
}

static uint64_t
whole_size(const struct seal *s)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < s->fulls; i++)
		sum += s->full[i].place.size;
	return sum;
}

int
route_find(struct job *j, struct err *e)
{
	AUTO_FREE struct node *node = base_array(NODES_MAX + 1, sizeof(*node));
	struct search s = { j, node, 1 };
	size_t at, i;
	int bad = 0;

	if (!j->o->base || str_eq(j->base.root, j->seal->root))
		return 0;
	node[0].seal = j->seal;
	snprintf(node[0].root, HASH_HEX, "%s", j->seal->root);
	at = search_base(&s, j->base.root, whole_size(j->seal));
	if (at != SIZE_MAX)
		bad = load_chain(&s, at, e);
	else if (!j->base.seal)
		bad = load_all(j, e);
	for (i = 1; i < s.len; i++)
		seal_free(node[i].seal);
	if (bad < 0 && e->kind != ERR_REFUSED) { /* there are still frames */
		route_clear(&j->route);
		*e = (struct err){ 0 };
		bad = 0;
	}
	return bad;
}

void
route_clear(struct route *r)
{
	while (r->len > 0)
		patch_table_free(r->table[--r->len]);
	r->chain = false;
}
