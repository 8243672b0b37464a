/* Which entry a machine gets. Pure: the caller shows all candidates, with
 * what the store knows of their owners. */
#include "cmdb/entry.h"

static bool
holds(const struct value *fields, const struct cmdb_var *v)
{
	return str_eq(value_get_str(fields, v->name), v->value);
}

/* The entry has every variable that counts: the $$ ones if there are any. */
static bool
holds_all(const struct value *fields, const struct cmdb_var *vars, size_t len,
	  bool keys)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((!keys || vars[i].key) && !holds(fields, &vars[i]))
			return false;
	return true;
}

static bool
holds_identity(const struct value *fields, const struct cmdb_var *vars,
	       size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (vars[i].identity && holds(fields, &vars[i]))
			return true;
	return false;
}

/* Prefilled for another machine: it names another MAC, serial or UUID. */
static bool
is_reserved(const struct value *fields, const struct cmdb_var *vars, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (vars[i].identity && value_get(fields, vars[i].name) &&
		    !holds(fields, &vars[i]))
			return true;
	return false;
}

static bool
has_keys(const struct cmdb_var *vars, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (vars[i].key)
			return true;
	return false;
}

/* An entry that fits and is another's: with keys, or when it holds an
 * identity of the asker, that must be told; else it is simply not free. */
static enum cmdb_choice
look_for_fitting(const struct cmdb_candidate *all, size_t len,
		 const struct cmdb_var *vars, size_t vars_len, size_t *at)
{
	bool keys = has_keys(vars, vars_len);
	size_t i;

	for (i = 0; i < len; i++) {
		const struct cmdb_candidate *c = &all[i];

		if (!holds_all(c->fields, vars, vars_len, keys))
			continue;
		*at = i;
		if (!c->owner)
			return CMDB_CHOSEN;
		if (keys || holds_identity(c->fields, vars, vars_len))
			return CMDB_TAKEN;
	}
	return CMDB_NONE;
}

enum cmdb_choice
cmdb_choose(const struct cmdb_candidate *all, size_t len,
	    const struct cmdb_var *vars, size_t vars_len, const char *machine,
	    size_t *at)
{
	enum cmdb_choice c = CMDB_NONE;
	size_t i;

	for (i = 0; i < len && machine; i++)
		if (str_eq(all[i].owner, machine)) {
			*at = i;
			return CMDB_CHOSEN;
		}
	if (vars_len > 0)
		c = look_for_fitting(all, len, vars, vars_len, at);
	if (c != CMDB_NONE || has_keys(vars, vars_len))
		return c;
	for (i = 0; i < len; i++)
		if (!all[i].used && !all[i].owner &&
		    !is_reserved(all[i].fields, vars, vars_len)) {
			*at = i;
			return CMDB_CHOSEN;
		}
	return CMDB_FULL;
}

/* ---- for people ---- */

/* "its mac is X, not Y" for the first variable of these that differs; NULL when
 * none does. */
static char *
tell_difference(const struct value *fields, const struct cmdb_var *vars,
		size_t len, bool keys, bool identities)
{
	for (size_t i = 0; i < len; i++) {
		const struct cmdb_var *v = &vars[i];
		const struct value *has = value_get(fields, v->name);
		AUTO_CLEAR(buf) text = { 0 };

		if ((keys && !v->key) || (identities && !v->identity) ||
		    holds(fields, v) || (identities && !has))
			continue;
		if (!has)
			return base_printf("it has no %s", v->name);
		value_plain(has, &text);
		return base_printf("its %s is %s, not %s", v->name,
				   buf_text(&text), v->value);
	}
	return NULL;
}

static char *
tell_passed(const struct cmdb_candidate *c, const struct cmdb_var *vars,
	    size_t len)
{
	bool keys = has_keys(vars, len);
	AUTO_FREE char *differs = NULL;

	if (c->owner)
		return base_printf("belongs to %s", c->owner);
	differs =
		tell_difference(c->fields, vars, len, keys, !keys && !c->used);
	if (!differs)
		return base_strdup("free, and behind the one chosen");
	if (keys)
		return STEAL(differs);
	return base_printf("%s: %s", c->used ? "used" : "reserved", differs);
}

char *
cmdb_tell(const struct cmdb_candidate *c, const struct cmdb_var *vars,
	  size_t vars_len, const char *machine, bool chosen)
{
	bool keys = has_keys(vars, vars_len);

	if (!chosen)
		return tell_passed(c, vars, vars_len);
	if (c->owner && str_eq(c->owner, machine))
		return base_strdup("it is this machine's already");
	if (keys)
		return base_strdup("it holds the $$ variables");
	if (vars_len > 0 && holds_all(c->fields, vars, vars_len, false))
		return base_strdup("it holds all variables");
	return base_strdup("it is the first free one");
}

struct value *
cmdb_claim(const struct value *fields, const struct cmdb_var *vars,
	   size_t vars_len)
{
	struct value *claimed = value_copy(fields);
	size_t i;

	for (i = 0; i < vars_len; i++)
		value_set_str(claimed, vars[i].name, vars[i].value);
	value_set_int(claimed, "used", 1);
	return claimed;
}

struct value *
cmdb_origin(const struct value *origin, const struct value *claimed,
	    const struct value *edited)
{
	struct value *fresh = value_dict();

	for (size_t i = 0; i < edited->dict.len; i++) {
		const struct member *m = &edited->dict.at[i];
		const struct value *was = value_get(claimed, m->key);
		const struct value *from = m->value;

		if (was && value_eq(was, m->value))
			from = value_get(origin, m->key);
		if (from)
			value_set(fresh, m->key, value_copy(from));
	}
	return fresh;
}
