/* The few entries that the store offers give the same choice as all of them:
 * random CMDBs and machines, claimed and released as they come. */
#include <stdio.h>

#include "cmdb/entry.h"
#include "lib/json.h"
#include "site/core.h"
#include "site/offer.h"
#include "tests/test.h"

#define SITES 100
#define ASKED 60
#define MACHINES 12

static uint64_t seed = 20261121;
static size_t wrong;  /* of what was asked of one site */
static size_t chosen; /* in all */

static void
expect(bool good, const char *what)
{
	if (good)
		return;
	wrong++;
	printf("# %s\n", what);
}

static unsigned
pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static int
add_all(void *ctx, const struct store_entry *t)
{
	struct offer *o = ctx;
	struct value *fields = NULL;
	struct err e = { 0 };

	expect(json_parse(&fields, t->fields, strlen(t->fields), &e) == 0,
	       "fields");
	o->at = base_resize(o->at, o->len + 1, sizeof(*o->at));
	o->rows = base_resize(o->rows, o->len + 1, sizeof(*o->rows));
	o->at[o->len] = (struct cmdb_candidate){
		fields, t->used, t->machine ? machine_name(t->machine) : NULL
	};
	o->rows[o->len] = *t;
	o->rows[o->len].profile = base_strdup(t->profile);
	o->rows[o->len].fields = base_strdup(t->fields);
	o->rows[o->len++].origin = base_strdup(t->origin);
	return 0;
}

/* Some entries have a rack, some are prefilled with a MAC or a serial, some
 * were used before the store knew. */
static void
write_entries(struct store *s, struct err *e)
{
	unsigned n = pick(14);

	for (unsigned i = 0; i < n; i++) {
		struct value *v = value_dict();
		AUTO_CLEAR(buf) json = { 0 };
		struct store_entry t = { .profile = (char *)(uintptr_t) "vm",
					 .position = pick(20),
					 .gone = pick(12) == 0,
					 .used = pick(5) == 0 };

		value_set_int(v, "ip", i);
		if (pick(3) == 0)
			value_set_str(v, "rack", pick(2) ? "a" : "b");
		if (pick(4) == 0) {
			AUTO_FREE char *mac = base_printf("mac%u", pick(6));

			value_set_str(v, "mac", mac);
		}
		if (pick(6) == 0) {
			AUTO_FREE char *sn = base_printf("sn%u", pick(6));

			value_set_str(v, "serial", sn);
		}
		if (pick(8) == 0)
			value_set_str(v, "disk", "vda");
		value_json(v, 0, &json);
		value_free(v);
		t.fields = t.origin = json.at;
		expect(store_entry_add(s, &t, e) == 0, "add");
	}
}

struct says {
	char mac[8], serial[8];
	struct cmdb_var vars[4];
	size_t len;
};

/* What a machine binds: none, a disk, identities, keys. */
static void
make_says(struct says *m, unsigned machine)
{
	m->len = 0;
	snprintf(m->mac, sizeof(m->mac), "mac%u", machine);
	snprintf(m->serial, sizeof(m->serial), "sn%u", machine);
	if (pick(2))
		m->vars[m->len++] =
			(struct cmdb_var){ "disk", "vda", false, false };
	if (pick(3))
		m->vars[m->len++] =
			(struct cmdb_var){ "mac", m->mac, pick(5) == 0, true };
	if (pick(3) == 0)
		m->vars[m->len++] =
			(struct cmdb_var){ "serial", m->serial, false, true };
	if (pick(4) == 0)
		m->vars[m->len++] =
			(struct cmdb_var){ "rack", "a", pick(2) == 0, false };
}

static void
take(struct store *s, const struct offer *all, size_t at, const struct says *m,
     int64_t machine, struct err *e)
{
	struct value *claimed = cmdb_claim(all->at[at].fields, m->vars, m->len);
	AUTO_CLEAR(buf) json = { 0 };
	struct store_entry t = all->rows[at];

	value_json(claimed, 0, &json);
	value_free(claimed);
	t.fields = json.at;
	t.used = true;
	t.machine = machine;
	t.gen++;
	expect(store_entry_put(s, &t, e) == 0, "claim");
}

static void
give_back(struct store *s, const struct offer *all, int64_t machine,
	  struct err *e)
{
	for (size_t i = 0; i < all->len; i++) {
		struct store_entry t = all->rows[i];

		if (t.machine != machine)
			continue;
		t.machine = 0;
		t.used = pick(2) == 0;
		t.gone = pick(6) == 0;
		if (!t.used)
			t.fields = t.origin;
		expect(store_entry_put(s, &t, e) == 0, "release");
	}
}

/* One question, asked of all entries and of the offer. */
static void
ask(struct store *s, struct err *e)
{
	AUTO_CLEAR(offer) all = { 0 }, few = { 0 };
	int64_t machine = 1 + pick(MACHINES);
	AUTO_FREE char *me = machine_name(machine);
	size_t at = 0, at_few = 0;
	enum cmdb_choice want, got;
	struct says m;

	make_says(&m, (unsigned)machine);
	expect(store_entries(s, "vm", add_all, &all, e) == 0 &&
		       offer_load(&few, s, "vm", m.vars, m.len, machine, e) ==
			       0,
	       "reading");
	want = cmdb_choose(all.at, all.len, m.vars, m.len, me, &at);
	got = cmdb_choose(few.at, few.len, m.vars, m.len, me, &at_few);
	expect(want == got, "another outcome");
	chosen += want == CMDB_CHOSEN;
	if ((want == CMDB_CHOSEN || want == CMDB_TAKEN) && want == got)
		expect(all.rows[at].id == few.rows[at_few].id, "another entry");
	if (pick(4) == 0)
		give_back(s, &all, machine, e);
	else if (want == CMDB_CHOSEN)
		take(s, &all, at, &m, machine, e);
}

static int
add_machine(struct store *s, struct err *e)
{
	struct store_machine m = { 0 };

	return store_machine_add(s, &m, e);
}

int
main(void)
{
	char dir[] = "/tmp/edeploy-offer-XXXXXX";
	AUTO_FREE char *clean = NULL;
	struct err e = { 0 };

	CHECK(0, mkdtemp(dir) != NULL);
	for (size_t i = 0; i < SITES; i++) {
		AUTO_FREE char *path = base_printf("%s/%zu", dir, i);
		AUTO(store) s = NULL;

		CHECK_SHOW(i, store_open(&s, path, &e) == 0, "%s", e.text);
		if (!s || store_begin(s, &e) < 0)
			break;
		wrong = 0;
		for (int k = 0; k < MACHINES; k++)
			expect(add_machine(s, &e) == 0, "machine");
		write_entries(s, &e);
		for (size_t k = 0; k < ASKED; k++)
			ask(s, &e);
		CHECK_SHOW(i, wrong == 0, "%zu differ", wrong);
		store_rollback(s);
	}
	clean = base_printf("rm -r %s", dir);
	CHECK(0, system(clean) == 0);
	printf("# %zu entries were given\n", chosen);
	CHECK(1, chosen > SITES * ASKED / 10);
	return test_end();
}
