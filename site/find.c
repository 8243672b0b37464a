/* A machine by what a person calls it. */
#include "lib/json.h"
#include "lib/num.h"
#include "site/core.h"

struct by_hostname {
	const char *name;
	int64_t id;
	size_t hits;
};

char *
machine_var(const struct store_machine *m, const char *name)
{
	struct value *vars = NULL;
	struct err e = { 0 };
	const char *text;
	char *copy;

	if (!m->vars || json_parse(&vars, m->vars, strlen(m->vars), &e) < 0)
		return NULL;
	text = value_get_str(vars, name);
	copy = text ? base_strdup(text) : NULL;
	value_free(vars);
	return copy;
}

static int
has_hostname(void *ctx, const struct store_machine *m)
{
	struct by_hostname *b = ctx;
	AUTO_FREE char *host = machine_var(m, "hostname");

	if (m->profile && str_eq(host, b->name)) {
		b->id = m->id;
		b->hits++;
	}
	return 0;
}

/* An identity value as people type it. */
static int
find_by_value(struct store *store, const char *name, int64_t *id, struct err *e)
{
	struct identity as = { 0 };
	int failed = 0;

	identity_add(&as, IDENTITY_UUID, name);
	identity_add(&as, IDENTITY_MAC, name);
	if (as.uuid)
		failed = store_identity_find(store, IDENTITY_UUID, as.uuid, id,
					     e);
	if (failed == 0 && !*id && as.uuid)
		failed = store_identity_find(store, IDENTITY_SERIAL, as.uuid,
					     id, e);
	if (failed == 0 && !*id && as.macs_len)
		failed = store_identity_find(store, IDENTITY_MAC, as.macs[0],
					     id, e);
	identity_clear(&as);
	return failed;
}

int
machine_by_name(struct store *store, const char *name, struct store_machine *m,
		struct err *e)
{
	struct by_hostname b = { name, 0, 0 };
	struct err ignored = { 0 };
	bool found = false;
	uint64_t id = 0;

	if (*name == 'm' &&
	    num_u64(name + 1, 1, INT64_MAX, &id, "id", &ignored) == 0) {
		if (store_machine_get(store, (int64_t)id, m, &found, e) < 0)
			return -1;
		if (found)
			return 0;
	}
	if (find_by_value(store, name, &b.id, e) < 0)
		return -1;
	if (!b.id && store_machines(store, has_hostname, &b, e) < 0)
		return -1;
	if (b.hits > 1)
		return err_set(e, ERR_REFUSED,
			       "%zu machines are called \"%.80s\"; use an id",
			       b.hits, name);
	if (b.id && store_machine_get(store, b.id, m, &found, e) < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_REFUSED, "no machine is called \"%.80s\"",
			       name);
	return 0;
}
