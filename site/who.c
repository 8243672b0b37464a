/* Which machine asks: judged by what it says of itself against what the store
 * knows of every machine that says one of the same things. A machine that
 * cannot be told from others, or from nothing, is a stranger: shown as one row
 * for each set of values, until an operator says who it is. */
#include "site/asking.h"
#include "site/who.h"

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

	if (store_identity_find(s->writer, kind, value, &id, e) < 0)
		return -1;
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
	enum identity_kind kind;
	const char *value;

	for (size_t i = 0; identity_at(id, i, &kind, &value); i++)
		if (consider(s, k, kind, value, e) < 0)
			return -1;
	return 0;
}

int
who_is(struct site *s, const struct identity *id, struct who *out,
       struct err *e)
{
	__attribute__((cleanup(known_list_clear))) struct known_list k = { 0 };
	size_t at = 0;

	*out = (struct who){ 0 };
	if (find_known(s, id, &k, e) < 0)
		return -1;
	out->verdict = identity_judge(id, k.at, k.len, &at, out->why);
	for (size_t i = 0; i < k.len && i < ARRAY_LEN(out->like); i++)
		out->like[i] = k.ids[i];
	if (out->verdict == IDENTITY_KNOWN)
		out->machine = k.ids[at];
	return 0;
}

int
who_counts(struct site *s, struct identity *id, struct err *e)
{
	enum identity_kind kind;
	const char *value;
	size_t i = 0;
	bool any, shared;

	if (store_shared_any(s->writer, &any, e) < 0)
		return -1;
	while (any && identity_at(id, i, &kind, &value)) {
		if (store_shared(s->writer, kind, value, &shared, e) < 0)
			return -1;
		if (shared)
			identity_remove(id, kind, value);
		else
			i++;
	}
	return 0;
}

/* ---- learning ---- */

/* A changed UUID or serial takes the old one's place. */
static int
drop_old(struct site *s, int64_t machine, enum identity_kind kind,
	 const char *old, const char *now, struct err *e)
{
	if (!old || !now || str_eq(old, now))
		return 0;
	return store_identity_drop(s->writer, machine, kind, old, e);
}

static int
add_new(struct site *s, int64_t machine, const struct identity *old,
	const struct identity *now, struct err *e)
{
	enum identity_kind kind;
	const char *value;

	for (size_t i = 0; identity_at(now, i, &kind, &value); i++)
		if (!identity_has(old, kind, value) &&
		    store_identity_add(s->writer, machine, kind, value, e) < 0)
			return -1;
	return 0;
}

int
who_learn(struct site *s, int64_t machine, const struct identity *now,
	  struct err *e)
{
	struct identity old = { 0 };
	int failed =
		store_identities(s->writer, machine, add_known_value, &old, e);

	if (failed == 0)
		failed = drop_old(s, machine, IDENTITY_UUID, old.uuid,
				  now->uuid, e);
	if (failed == 0)
		failed = drop_old(s, machine, IDENTITY_SERIAL, old.serial,
				  now->serial, e);
	if (failed == 0)
		failed = add_new(s, machine, &old, now, e);
	identity_clear(&old);
	return failed;
}

/* ---- strangers ---- */

static int
add_machine(struct site *s, struct asking *a, struct err *e)
{
	a->m = (struct store_machine){ .condition = CONDITION_WAITING,
				       .first_seen_ms = a->now_ms };
	a->is_new = true;
	return store_machine_add(s->writer, &a->m, e);
}

/* All that it says, shared by others or not. */
static void
fingerprint(const struct asking *a, char mark[HASH_HEX])
{
	AUTO_CLEAR(buf) says = { 0 };
	enum identity_kind kind;
	const char *value;
	size_t i;

	buf_printf(&says, "%s|%s", a->id.uuid ? a->id.uuid : "",
		   a->id.serial ? a->id.serial : "");
	for (i = 0; identity_at(&a->id, i, &kind, &value); i++)
		if (kind == IDENTITY_MAC)
			buf_printf(&says, "|%s", value);
	if (i == 0)
		buf_str(&says, a->facts_hash);
	hash_hex(says.at, says.len, mark);
}

static int
find_stranger(struct site *s, struct asking *a, const char *mark,
	      int64_t stranger, struct err *e)
{
	bool found = false;

	if (stranger &&
	    store_machine_get(s->writer, stranger, &a->m, &found, e) < 0)
		return -1;
	if (found)
		return 0;
	if (add_machine(s, a, e) < 0)
		return -1;
	return store_identity_add(s->writer, a->m.id, FINGERPRINT, mark, e);
}

/* Nobody is like it any more: the row that it waited in, if it did, becomes its
 * own. */
static int
find_new(struct site *s, struct asking *a, const char *mark, int64_t stranger,
	 struct err *e)
{
	const struct identity nothing = { 0 };

	if (!stranger)
		return add_machine(s, a, e) < 0
			       ? -1
			       : add_new(s, a->m.id, &nothing, &a->id, e);
	if (find_stranger(s, a, mark, stranger, e) < 0 ||
	    store_identity_drop(s->writer, a->m.id, FINGERPRINT, mark, e) < 0)
		return -1;
	return who_learn(s, a->m.id, &a->id, e);
}

static int
find_again(struct site *s, struct asking *a, int64_t machine, int64_t stranger,
	   struct err *e)
{
	bool found;

	if (stranger && store_machine_drop(s->writer, stranger, e) < 0)
		return -1;
	if (store_machine_get(s->writer, machine, &a->m, &found, e) < 0)
		return -1;
	return who_learn(s, a->m.id, &a->id, e);
}

/* What an operator can say about it. */
static char *
remedies(const struct who *w, int64_t id)
{
	long long me = (long long)id;
	AUTO_CLEAR(buf) out = { 0 };

	buf_str(&out, w->why);
	if (w->like[0])
		buf_printf(&out,
			   "; if they are one: edeployctl same m%lld m%lld; "
			   "if not: edeployctl distinct m%lld m%lld",
			   (long long)w->like[0], me, (long long)w->like[0],
			   me);
	for (size_t i = 1; i < ARRAY_LEN(w->like) && w->like[i]; i++)
		buf_printf(&out, "; or with m%lld", (long long)w->like[i]);
	return buf_take(&out);
}

int
find_machine(struct site *s, struct asking *a, char **why, struct err *e)
{
	char mark[HASH_HEX];
	int64_t stranger = 0;
	struct who w;

	fingerprint(a, mark);
	if (who_counts(s, &a->id, e) < 0 || who_is(s, &a->id, &w, e) < 0 ||
	    store_identity_find(s->writer, FINGERPRINT, mark, &stranger, e) < 0)
		return -1;
	if (w.verdict == IDENTITY_NEW)
		return find_new(s, a, mark, stranger, e);
	if (w.verdict == IDENTITY_KNOWN)
		return find_again(s, a, w.machine, stranger, e);
	if (find_stranger(s, a, mark, stranger, e) < 0)
		return -1;
	*why = remedies(&w, a->m.id);
	return 0;
}
