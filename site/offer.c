/* cmdb_choose asks of all entries: is one the machine's own, which hold its
 * words, which is the first free one that is not reserved for another. Each of
 * these is answered by an index of the store:
 *  - entries that hold a key or an identity of the machine (a MAC, a serial):
 *    there is hardly ever more than one;
 *  - without such a word, entries of nobody that hold any one of its words;
 *  - free entries with the same names are alike but for their values, so the
 *    first of each such shape stands for all: it is reserved only if it names
 *    an identity, and those with this machine's identity were asked for above.
 */
#include "lib/json.h"
#include "site/offer.h"
#include "site/core.h"

static int
add_row(void *ctx, const struct store_entry *t)
{
	struct offer *o = ctx;
	struct value *fields = NULL;
	struct err e = { 0 };

	if (json_parse(&fields, t->fields, strlen(t->fields), &e) < 0)
		return 0;
	if ((o->len & (o->len - 1)) == 0) {
		size_t room = o->len ? 2 * o->len : 1;

		o->at = base_resize(o->at, room, sizeof(*o->at));
		o->rows = base_resize(o->rows, room, sizeof(*o->rows));
	}
	o->at[o->len] = (struct cmdb_candidate){
		fields, t->used, t->machine ? machine_name(t->machine) : NULL
	};
	o->rows[o->len] = *t;
	o->rows[o->len].profile = base_strdup(t->profile);
	o->rows[o->len].fields = NULL;
	o->rows[o->len++].origin = base_strdup(t->origin);
	return 0;
}

static bool
goes_before(const struct store_entry *a, const struct store_entry *b)
{
	return a->position < b->position ||
	       (a->position == b->position && a->id < b->id);
}

/* Few rows, nearly in order. */
static void
sort(struct offer *o)
{
	for (size_t i = 1; i < o->len; i++) {
		struct cmdb_candidate c = o->at[i];
		struct store_entry t = o->rows[i];
		size_t k = i;

		for (; k > 0 && goes_before(&t, &o->rows[k - 1]); k--) {
			o->at[k] = o->at[k - 1];
			o->rows[k] = o->rows[k - 1];
		}
		o->at[k] = c;
		o->rows[k] = t;
	}
}

static int
add_holding(struct offer *o, struct store *store, const char *profile,
	    const struct cmdb_var *v, bool owned, struct err *e)
{
	return store_entries_holding(store, profile, v->name, v->value, owned,
				     add_row, o, e);
}

/* The variables that tell machines apart: keys, and identities; else any one,
 * of which only entries of nobody matter. */
static int
add_fitting(struct offer *o, struct store *store, const char *profile,
	    const struct cmdb_var *vars, size_t len, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < len; i++) {
		if (!vars[i].key && !vars[i].identity)
			continue;
		any = true;
		if (add_holding(o, store, profile, &vars[i], true, e) < 0)
			return -1;
	}
	if (any || len == 0)
		return 0;
	return add_holding(o, store, profile, &vars[0], false, e);
}

int
offer_load(struct offer *o, struct store *store, const char *profile,
	   const struct cmdb_var *vars, size_t vars_len, int64_t machine,
	   struct err *e)
{
	*o = (struct offer){ 0 };
	if ((machine &&
	     store_entries_owned(store, profile, machine, add_row, o, e) < 0) ||
	    add_fitting(o, store, profile, vars, vars_len, e) < 0 ||
	    store_entries_free(store, profile, add_row, o, e) < 0)
		return -1;
	sort(o);
	return 0;
}

void
offer_clear(struct offer *o)
{
	for (size_t i = 0; i < o->len; i++) {
		value_free((struct value *)(uintptr_t)o->at[i].fields);
		free((char *)(uintptr_t)o->at[i].owner);
		store_entry_clear(&o->rows[i]);
	}
	free(o->at);
	free(o->rows);
	*o = (struct offer){ 0 };
}
