/* Rows for what a machine has several of: disks and interfaces. Like ones come
 * together, each as a variable that the script can use. */
#include <strings.h>

#include "lib/value.h"
#include "site/propose.h"

#define LIKE_MAX 16   /* disks of one kind, or interfaces, that get rows */
#define LOOK_MAX 1000 /* disks or interfaces that are looked at */

/* ---- disks ---- */

struct disk {
	const char *name, *size, *control, *slot, *rotational;
	uint64_t gb; /* 0: not a number */
	bool told;
};

struct disks {
	struct disk *at;
	size_t len;
	bool wide;  /* sizes are far enough apart for ranges */
	bool mixed; /* some rotate, some do not */
	bool shared_slot;
	unsigned rows; /* variables so far */
};

static bool
knows(const struct disks *d, const char *name)
{
	for (size_t i = 0; i < d->len; i++)
		if (str_eq(d->at[i].name, name))
			return true;
	return false;
}

static void
find_disks(const struct facts *f, struct disks *d)
{
	for (size_t i = 0; i < facts_len(f) && d->len < LOOK_MAX; i++) {
		const char *const *w = facts_at(f, i)->word;
		const char *name = w[FACT_NAME];

		if (!str_eq(w[FACT_CLASS], "disk") ||
		    !str_eq(w[FACT_PROPERTY], "size") || knows(d, name))
			continue;
		d->at = base_resize(d->at, d->len + 1, sizeof(*d->at));
		d->at[d->len++] = (struct disk){
			.name = name,
			.size = w[FACT_VALUE],
			.control = facts_find(f, "disk", name, "control"),
			.slot = facts_find(f, "disk", name, "slot"),
			.rotational = facts_find(f, "disk", name, "rotational"),
			.gb = propose_number(w[FACT_VALUE]),
		};
	}
}

/* A twentieth more or less, since disks of one size differ by maker. */
static uint64_t
least(uint64_t gb)
{
	return gb - gb / 20;
}

static uint64_t
most(uint64_t gb)
{
	return gb + gb / 20;
}

static bool
too_near(const struct disk *a, const struct disk *b)
{
	if (!a->gb || !b->gb)
		return true;
	return a->gb != b->gb && least(a->gb) <= most(b->gb) &&
	       least(b->gb) <= most(a->gb);
}

static void
compare_disks(struct disks *d)
{
	d->wide = true;
	d->shared_slot = true;
	for (size_t i = 0; i < d->len; i++) {
		const struct disk *a = &d->at[i], *b = &d->at[0];

		d->mixed |= !str_eq(a->rotational, b->rotational);
		d->shared_slot &= a->slot && str_eq(a->slot, b->slot);
		for (size_t k = 0; k < i; k++)
			d->wide &= !too_near(a, &d->at[k]);
	}
}

static bool
alike(const struct disk *a, const struct disk *b)
{
	return str_eq(a->size, b->size) && str_eq(a->control, b->control) &&
	       str_eq(a->slot, b->slot) && str_eq(a->rotational, b->rotational);
}

static char *
size_word(const struct disks *d, const struct disk *k)
{
	if (!d->wide || !k->gb || least(k->gb) == most(k->gb))
		return propose_word(k->size);
	return base_printf("range(%llu, %llu)",
			   (unsigned long long)least(k->gb),
			   (unsigned long long)most(k->gb));
}

static void
put_word(struct proposal *p, const char *disk, const char *property,
	 const char *value)
{
	AUTO_FREE char *word = value ? propose_word(value) : NULL;

	if (word)
		propose_row(p, "disk", disk, property, word);
}

static void
put_disk(struct proposal *p, struct disks *d, const struct disk *k)
{
	AUTO_FREE char *var = d->len == 1 ? base_strdup("$disk")
					  : base_printf("$disk%u", ++d->rows);
	AUTO_FREE char *word = size_word(d, k);

	if (!word)
		return;
	propose_row(p, "disk", var, "size", word);
	if (d->mixed)
		put_word(p, var, "rotational", k->rotational);
	put_word(p, var, "control", k->control);
	if (d->shared_slot)
		propose_row(p, "disk", var, "slot", "$controller");
	else
		put_word(p, var, "slot", k->slot);
}

/* All that are like the first one that was not told yet. */
static void
put_kind(struct proposal *p, struct disks *d, size_t first)
{
	const struct disk *k = &d->at[first];
	size_t n = 0;

	for (size_t i = first; i < d->len; i++)
		n += alike(&d->at[i], k);
	propose_part(p, "%zu disk%s of %s%s", n, n == 1 ? "" : "s", k->size,
		     k->gb ? " GB" : "");
	for (size_t i = first, told = 0; i < d->len; i++) {
		if (!alike(&d->at[i], k))
			continue;
		d->at[i].told = true;
		if (told++ < LIKE_MAX)
			put_disk(p, d, &d->at[i]);
	}
	if (n > LIKE_MAX)
		propose_comment(p, "(%zu more of them have no rows)",
				n - LIKE_MAX);
}

void
propose_disks(struct proposal *p)
{
	const char *count = facts_find(p->f, "disk", "logical", "count");
	AUTO_FREE char *word = count ? propose_word(count) : NULL;
	struct disks d = { 0 };

	find_disks(p->f, &d);
	compare_disks(&d);
	if (word) {
		propose_part(p, "disks, so many and no more");
		propose_row(p, "disk", "logical", "count", word);
	}
	for (size_t i = 0; i < d.len; i++)
		if (!d.at[i].told)
			put_kind(p, &d, i);
	free(d.at);
}

/* ---- interfaces ---- */

static bool
is_usb(const struct facts *f, const char *name)
{
	const char *bus = facts_find(f, "network", name, "businfo");

	return bus && str_starts(bus, "usb");
}

/* pxelinux and iPXE tell by which MAC they came: BOOTIF=01-52-54-... */
static bool
booted_by(const struct facts *f, const char *mac)
{
	const char *line = facts_find(f, "system", "kernel", "cmdline");
	AUTO_FREE char *word = base_printf("BOOTIF=01-%s", mac);

	for (char *c = word; *c; c++)
		if (*c == ':')
			*c = '-';
	return line && strcasestr(line, word);
}

/* 3 booted, 2 has an address, 1 has a link, 0 is there. */
static int
rank(const struct facts *f, const char *name, const char *mac)
{
	if (booted_by(f, mac))
		return 3;
	if (facts_find(f, "network", name, "ipv4"))
		return 2;
	return str_eq(facts_find(f, "network", name, "link"), "yes");
}

/* The interface over which an installation comes; how many there are. */
static size_t
find_first(const struct facts *f, const char **name)
{
	int best = -1;
	size_t n = 0;

	for (size_t i = 0; i < facts_len(f) && n < LOOK_MAX; i++) {
		const char *const *w = facts_at(f, i)->word;
		int r;

		if (!str_eq(w[FACT_CLASS], "network") ||
		    !str_eq(w[FACT_PROPERTY], "serial") ||
		    is_usb(f, w[FACT_NAME]))
			continue;
		n++;
		r = rank(f, w[FACT_NAME], w[FACT_VALUE]);
		if (r > best) {
			best = r;
			*name = w[FACT_NAME];
		}
	}
	return n;
}

/* Its network, when that is known. */
static void
put_address(struct proposal *p, const char *name)
{
	const char *address = facts_find(p->f, "network", name, "ipv4");
	const char *net = facts_find(p->f, "network", name, "ipv4-network");
	const char *cidr = facts_find(p->f, "network", name, "ipv4-cidr");
	AUTO_FREE char *word =
		base_printf("network(%s/%s)", net ? net : "", cidr ? cidr : "");

	if (address) {
		propose_row(p, "network", "$eth", "ipv4",
			    propose_fits(word, address) ? word : "$address");
	} else if (str_eq(facts_find(p->f, "network", name, "link"), "yes")) {
		propose_row(p, "network", "$eth", "link", "yes");
	}
}

void
propose_network(struct proposal *p)
{
	const char *name = NULL;
	size_t n = find_first(p->f, &name);

	if (n == 0)
		return;
	propose_part(p, "the interface that it is installed over; $eth and "
			"$mac are for the script");
	put_address(p, name);
	propose_row(p, "network", "$eth", "serial", "$mac");
	if (n > 1)
		propose_comment(p,
				"it has %zu interfaces; with so many rows "
				"a machine needs as many",
				n);
	for (size_t i = 2; i <= n && i <= LIKE_MAX; i++) {
		AUTO_FREE char *eth = base_printf("$eth%zu", i);
		AUTO_FREE char *mac = base_printf("$mac%zu", i);

		propose_row(p, "network", eth, "serial", mac);
	}
}
