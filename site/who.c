/* Which machine asks: judged by what it says of itself against what the store
 * knows of every machine that says one of the same things. */
#include "site/asking.h"

#define FINGERPRINT 3 /* identity kind of machines that wait: all they say */

struct known_list {
	struct identity_known *at;
	int64_t *ids;
	size_t len;
};

static int
add_known_value(void *ctx, int kind, const char *value)
{
	if (kind < FINGERPRINT)
		identity_add(ctx, (enum identity_kind)kind, value);
	return 0;
}

static int
consider(struct site *s, struct known_list *k, int kind, const char *value,
	 struct err *e)
{
	int64_t id = 0;
	size_t i;

	if (!value || store_identity_find(s->writer, kind, value, &id, e) < 0)
		return value ? -1 : 0;
	for (i = 0; i < k->len; i++)
		if (k->ids[i] == id)
			return 0;
	if (id == 0)
		return 0;
	k->at = base_resize(k->at, k->len + 1, sizeof(*k->at));
	k->ids = base_resize(k->ids, k->len + 1, sizeof(*k->ids));
	k->at[k->len] = (struct identity_known){ .machine = machine_name(id) };
	k->ids[k->len] = id;
	return store_identities(s->writer, id, add_known_value,
				&k->at[k->len++].id, e);
}

static void
known_list_clear(struct known_list *k)
{
	size_t i;

	for (i = 0; i < k->len; i++) {
		free((char *)(uintptr_t)k->at[i].machine);
		identity_clear(&k->at[i].id);
	}
	free(k->at);
	free(k->ids);
}

static int
find_known(struct site *s, const struct identity *id, struct known_list *k,
	   struct err *e)
{
	size_t i;

	if (consider(s, k, IDENTITY_UUID, id->uuid, e) < 0 ||
	    consider(s, k, IDENTITY_SERIAL, id->serial, e) < 0)
		return -1;
	for (i = 0; i < id->macs_len; i++)
		if (consider(s, k, IDENTITY_MAC, id->macs[i], e) < 0)
			return -1;
	return 0;
}

/* A changed UUID or serial takes the old one's place; MACs add up. */
static int
learn(struct site *s, int64_t machine, int kind, const char *value,
      const char *old, struct err *e)
{
	if (!value || str_eq(value, old))
		return 0;
	if (old && store_identity_drop(s->writer, machine, kind, old, e) < 0)
		return -1;
	return store_identity_add(s->writer, machine, kind, value, e);
}

static int
learn_all(struct site *s, const struct asking *a, const struct identity *old,
	  struct err *e)
{
	size_t i;

	if (learn(s, a->m.id, IDENTITY_UUID, a->id.uuid, old->uuid, e) < 0 ||
	    learn(s, a->m.id, IDENTITY_SERIAL, a->id.serial, old->serial, e) <
		    0)
		return -1;
	for (i = 0; i < a->id.macs_len; i++)
		if (store_identity_add(s->writer, a->m.id, IDENTITY_MAC,
				       a->id.macs[i], e) < 0)
			return -1;
	return 0;
}

static int
add_machine(struct site *s, struct asking *a, struct err *e)
{
	a->m = (struct store_machine){ .condition = CONDITION_WAITING,
				       .first_seen_ms = a->now_ms };
	return store_machine_add(s->writer, &a->m, e);
}

/* A machine that cannot be told from others, or from nothing, is still shown:
 * as one row for each set of values that it says. */
static int
find_stranger(struct site *s, struct asking *a, struct err *e)
{
	AUTO_CLEAR(buf) says = { 0 };
	char mark[HASH_HEX];
	bool found = false;
	int64_t id;
	size_t i;

	buf_printf(&says, "%s|%s", a->id.uuid ? a->id.uuid : "",
		   a->id.serial ? a->id.serial : "");
	for (i = 0; i < a->id.macs_len; i++)
		buf_printf(&says, "|%s", a->id.macs[i]);
	if (!a->id.uuid && !a->id.serial && !a->id.macs_len)
		buf_str(&says, a->facts_hash);
	hash_hex(says.at, says.len, mark);
	if (store_identity_find(s->writer, FINGERPRINT, mark, &id, e) < 0)
		return -1;
	if (id && store_machine_get(s->writer, id, &a->m, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (add_machine(s, a, e) < 0)
		return -1;
	return store_identity_add(s->writer, a->m.id, FINGERPRINT, mark, e);
}

/* Fills a->m. *why is empty when the machine may go on. */
int
find_machine(struct site *s, struct asking *a, char why[200], struct err *e)
{
	__attribute__((cleanup(known_list_clear))) struct known_list k = { 0 };
	const struct identity nobody = { 0 };
	size_t at = 0;
	bool found;

	if (find_known(s, &a->id, &k, e) < 0)
		return -1;
	switch (identity_judge(&a->id, k.at, k.len, &at, why)) {
	case IDENTITY_NEW:
		if (add_machine(s, a, e) < 0)
			return -1;
		return learn_all(s, a, &nobody, e);
	case IDENTITY_KNOWN:
		if (store_machine_get(s->writer, k.ids[at], &a->m, &found, e) <
		    0)
			return -1;
		return learn_all(s, a, &k.at[at].id, e);
	default:
		return find_stranger(s, a, e);
	}
}
