/* The machine's entry of a CMDB. */
#include "site/asking.h"
#include "site/offer.h"

/* Claim row `at`: *entry gets its fields with the machine's words in them. */
static int
claim(struct site *s, struct asking *a, struct offer *o, size_t at,
      const struct cmdb_var *vars, size_t vars_len, struct value **entry,
      struct err *e)
{
	struct store_entry *row = &o->rows[at];
	AUTO_CLEAR(buf) json = { 0 };
	int64_t before = row->machine;

	*entry = cmdb_claim(o->at[at].fields, vars, vars_len);
	value_json(*entry, 0, &json);
	if (before == a->m.id && value_eq(*entry, o->at[at].fields)) {
		a->m.entry = row->id;
		return 0;
	}
	row->fields = buf_take(&json);
	row->value = *entry;
	row->used = true;
	row->machine = a->m.id;
	row->gen++;
	a->m.entry = row->id;
	entry_changed(s, row->profile, row->id);
	return store_entry_put(s->writer, row, e);
}

int
claim_entry(struct site *s, struct asking *a, const struct profile *p,
	    const struct bindings *b, struct value **entry, struct err *e)
{
	AUTO_CLEAR(offer) o = { 0 };
	AUTO_FREE struct cmdb_var *vars = cmdb_vars(b);
	AUTO_FREE char *me = machine_name(a->m.id);
	AUTO_FREE char *taken = NULL;
	const char *why = "No more entry in the CMDB, aborting.";
	size_t at = 0;

	if (!p->has_cmdb)
		return 0;
	if (offer_load(&o, s->writer, p->name, vars, b->len,
		       a->is_new ? 0 : a->m.id, e) < 0)
		return -1;
	switch (cmdb_choose(o.at, o.len, vars, b->len, me, &at)) {
	case CMDB_CHOSEN:
		return claim(s, a, &o, at, vars, b->len, entry, e);
	case CMDB_NONE:
		why = "No entry matched in the CMDB, aborting.";
		break;
	case CMDB_FULL:
		break;
	case CMDB_TAKEN:
		taken = base_printf("its entry in %s.cmdb belongs to machine "
				    "%s; this is %s",
				    p->name, o.at[at].owner, me);
		why = taken;
	}
	buf_printf(&a->detail, "%s: %s\n", p->name, why);
	return turn_away(s, a, SITE_WAITS, why, e) < 0 ? -1 : 1;
}
