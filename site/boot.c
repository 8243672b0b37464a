/* What a machine that stands at its boot loader shall boot. */
#include "site/core.h"

static int
find_booting(struct store *store, const struct site_boot_ask *ask,
	     struct store_machine *m, bool *found, struct err *e)
{
	const struct {
		enum identity_kind kind;
		const char *value;
	} says[] = { { IDENTITY_UUID, ask->uuid },
		     { IDENTITY_SERIAL, ask->serial },
		     { IDENTITY_MAC, ask->mac } };
	int64_t id = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(says) && !id; i++) {
		struct identity as = { 0 };
		const char *value;
		int failed = 0;

		if (says[i].value)
			identity_add(&as, says[i].kind, says[i].value);
		value = as.uuid       ? as.uuid
			: as.serial   ? as.serial
			: as.macs_len ? as.macs[0]
				      : NULL;
		if (value)
			failed = store_identity_find(store, (int)says[i].kind,
						     value, &id, e);
		identity_clear(&as);
		if (failed < 0)
			return -1;
	}
	*found = false;
	return id ? store_machine_get(store, id, m, found, e) : 0;
}

int
site_boot(struct site *s, const struct site_boot_ask *ask, enum site_boot *out,
	  struct err *e)
{
	struct store_machine m = { 0 };
	bool found = false;
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = find_booting(s->reader, ask, &m, &found, e);
	pthread_mutex_unlock(&s->reader_lock);
	*out = found && m.condition == CONDITION_INSTALLED && !m.reinstall
		       ? SITE_BOOT_DISK
		       : SITE_BOOT_INSTALL;
	store_machine_clear(&m);
	return failed;
}
