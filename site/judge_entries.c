/* Entries whose values no two machines may have, and addresses that cannot
 * work as they are written. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/num.h"
#include "site/judge.h"
#include "specs/pattern.h"

/* ---- values that stand twice ---- */

/* Of any profile: the network has them once. */
static const char *const once[] = { "ip", "hostname", "mac", "serial", "uuid" };

struct held {
	const char *key, *value;
	const struct profile *of;
	size_t entry;
	bool anywhere; /* once in all CMDBs, not only in this one */
};

struct all_held {
	struct held *at;
	size_t len, room;
};

static void
hold(struct all_held *all, const struct profile *p, size_t entry,
     const char *key, bool anywhere)
{
	const char *value = value_get_str(cmdb_at(p->cmdb, entry)->fields, key);

	if (!value || !*value)
		return;
	if (all->len == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		all->at = base_resize(all->at, all->room, sizeof(*all->at));
	}
	all->at[all->len++] = (struct held){ key, value, p, entry, anywhere };
}

static bool
is_once(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(once); i++)
		if (str_eq(key, once[i]))
			return true;
	return false;
}

static void
hold_all(struct all_held *all, const struct profile *p)
{
	for (size_t i = 0; i < cmdb_len(p->cmdb); i++) {
		for (size_t k = 0; k < ARRAY_LEN(once); k++)
			hold(all, p, i, once[k], true);
		for (size_t k = 0; k < p->patterns->names_len; k++)
			if (p->patterns->key[k] &&
			    !is_once(p->patterns->names[k]))
				hold(all, p, i, p->patterns->names[k], false);
	}
}

static int
compare_held(const void *x, const void *y)
{
	const struct held *a = x, *b = y;
	int order = strcmp(a->key, b->key);

	if (order == 0)
		order = strcmp(a->value, b->value);
	if (order == 0 && a->of != b->of && !(a->anywhere && b->anywhere))
		order = a->of < b->of ? -1 : 1;
	if (order == 0 && a->of != b->of)
		order = strcmp(a->of->name, b->of->name);
	if (order == 0)
		order = a->entry < b->entry ? -1 : a->entry > b->entry;
	return order;
}

static bool
is_twice(const struct held *a, const struct held *b)
{
	return str_eq(a->key, b->key) && str_eq(a->value, b->value) &&
	       (a->of == b->of || (a->anywhere && b->anywhere));
}

/* Of an entry that generate() made, the line of generate(). */
static unsigned
line_of(const struct profile *p, size_t entry)
{
	return cmdb_at(p->cmdb, entry)->fields->line;
}

static char *
place_of(const struct held *h, const char *dir)
{
	return base_printf("%s/%s.cmdb:%u", dir, h->of->name,
			   line_of(h->of, h->entry));
}

static void
judge_twice(const struct snapshot *s, const char *dir, struct value *list)
{
	struct all_held all = { 0 };
	size_t said = 0;

	for (size_t i = 0; i < s->len; i++)
		if (s->profiles[i].cmdb && s->profiles[i].patterns)
			hold_all(&all, &s->profiles[i]);
	if (all.len)
		qsort(all.at, all.len, sizeof(*all.at), compare_held);
	for (size_t i = 1; i < all.len; i++) {
		const struct held *a = &all.at[i - 1], *b = &all.at[i];
		AUTO_FREE char *first = NULL;
		AUTO_FREE char *file = NULL;

		if (!is_twice(a, b) || said++ >= JUDGE_MOST)
			continue;
		first = place_of(a, dir);
		file = base_printf("%s/%s.cmdb", dir, b->of->name);
		judge_say(list, file, line_of(b->of, b->entry),
			  "%s %.80s stands at %s, too: two machines would "
			  "have it",
			  b->key, b->value, first);
	}
	if (said > JUDGE_MOST)
		judge_say(list, dir, 0, "%zu more values stand twice",
			  said - JUDGE_MOST);
	free(all.at);
}

/* ---- addresses ---- */

struct net {
	uint32_t address, mask;
};

static bool
read_v4(const char *text, uint32_t *out)
{
	struct in_addr a;

	if (!text || inet_pton(AF_INET, text, &a) != 1)
		return false;
	*out = ntohl(a.s_addr);
	return true;
}

static bool
is_mask(uint32_t m)
{
	return (~m & (~m + 1)) == 0;
}

/* The address and mask of an entry: `ip` with /BITS, or with `netmask`. */
static const char *
read_net(const struct value *fields, struct net *n, bool *has)
{
	const char *ip = value_get_str(fields, "ip");
	const char *mask = value_get_str(fields, "netmask");
	const char *slash = ip ? strchr(ip, '/') : NULL;
	AUTO_FREE char *alone =
		ip ? base_strndup(ip, slash ? (size_t)(slash - ip) : strlen(ip))
		   : NULL;
	struct err ignored = { 0 };
	uint64_t bits;

	*has = false;
	if (!read_v4(alone, &n->address))
		return NULL;
	if (slash) {
		if (num_u64(slash + 1, 0, 32, &bits, "bits", &ignored) < 0)
			return "what stands behind / is no number of bits";
		n->mask = bits ? UINT32_MAX << (32 - bits) : 0;
	} else if (!mask) {
		return NULL;
	} else if (!read_v4(mask, &n->mask) || !is_mask(n->mask)) {
		return "its netmask is none";
	}
	*has = true;
	return NULL;
}

static const char *
judge_net(const struct value *fields)
{
	const char *gateway = value_get_str(fields, "gateway");
	struct net n = { 0 };
	bool has;
	const char *wrong = read_net(fields, &n, &has);
	uint32_t router;

	if (!gateway)
		gateway = value_get_str(fields, "gw");
	if (wrong || !has)
		return wrong;
	if (n.mask < 0xfffffffe && (n.address & ~n.mask) == 0)
		return "its ip is the address of the network itself";
	if (n.mask < 0xfffffffe && (n.address & ~n.mask) == ~n.mask)
		return "its ip is the broadcast address of its network";
	if (!gateway || !read_v4(gateway, &router))
		return NULL;
	if (router == n.address)
		return "its ip is that of its gateway";
	if ((router & n.mask) != (n.address & n.mask))
		return "its gateway is outside its network";
	return NULL;
}

static void
judge_addresses(const struct profile *p, const char *dir, struct value *list)
{
	AUTO_FREE char *file = base_printf("%s/%s.cmdb", dir, p->name);
	size_t said = 0;

	for (size_t i = 0; i < cmdb_len(p->cmdb); i++) {
		const char *wrong = judge_net(cmdb_at(p->cmdb, i)->fields);

		if (wrong && said++ < JUDGE_MOST)
			judge_say(list, file, line_of(p, i), "%s", wrong);
	}
	if (said > JUDGE_MOST)
		judge_say(list, file, 0, "%zu more entries are so",
			  said - JUDGE_MOST);
}

void
judge_entries(const struct snapshot *s, const char *dir, struct value *list)
{
	judge_twice(s, dir, list);
	for (size_t i = 0; i < s->len; i++)
		if (s->profiles[i].cmdb)
			judge_addresses(&s->profiles[i], dir, list);
}
