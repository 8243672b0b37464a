/* From facts to who a machine is. Network interfaces behind USB and those of
 * a BMC are the same in many machines and do not count. */
#include "site/core.h"

static bool
counts(const struct facts *f, const char *nic)
{
	static const char *const bmc[] = { "cdc_ether", "cdc_eem", "cdc_ncm",
					   "rndis_host", "cdc_subset" };
	const char *bus = facts_find(f, "network", nic, "businfo");
	const char *driver = facts_find(f, "network", nic, "driver");
	size_t i;

	if (bus && str_starts(bus, "usb"))
		return false;
	for (i = 0; i < ARRAY_LEN(bmc); i++)
		if (str_eq(driver, bmc[i]))
			return false;
	return true;
}

/* The permanent address where the agent tells it, else the current one. */
static void
add_mac(const struct facts *f, struct identity *id, const struct fact *nic)
{
	const char *name = nic->word[FACT_NAME];
	const char *permanent =
		facts_find(f, "network", name, "permanent-serial");

	if (counts(f, name))
		identity_add(id, IDENTITY_MAC,
			     permanent ? permanent : nic->word[FACT_VALUE]);
}

void
identify(const struct facts *f, struct identity *id)
{
	const char *uuid = facts_find(f, "system", "product", "uuid");
	const char *serial = facts_find(f, "system", "product", "serial");
	size_t i;

	if (uuid)
		identity_add(id, IDENTITY_UUID, uuid);
	if (serial)
		identity_add(id, IDENTITY_SERIAL, serial);
	for (i = 0; i < facts_len(f); i++) {
		const struct fact *a = facts_at(f, i);

		if (str_eq(a->word[FACT_CLASS], "network") &&
		    str_eq(a->word[FACT_PROPERTY], "serial"))
			add_mac(f, id, a);
	}
	identity_settle(id);
}

bool
is_identity(const struct binding *b)
{
	if (b->word != FACT_VALUE)
		return false;
	if (str_eq(b->cls, "network"))
		return str_eq(b->property, "serial") ||
		       str_eq(b->property, "permanent-serial");
	return str_eq(b->cls, "system") &&
	       (str_eq(b->property, "serial") || str_eq(b->property, "uuid"));
}

struct cmdb_var *
cmdb_vars(const struct bindings *b)
{
	struct cmdb_var *v = base_array(b->len, sizeof(*v));
	size_t i;

	for (i = 0; i < b->len; i++)
		v[i] = (struct cmdb_var){ b->at[i].name, b->at[i].value,
					  b->at[i].key,
					  is_identity(&b->at[i]) };
	return v;
}
