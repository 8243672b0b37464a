#include "specs/hwname.h"
#include "tests/test.h"

static const struct {
	const char *product, *vendor, *serial, *mac, *want;
} rows[] = {
	{ NULL, NULL, "Sysname", "mac", "Sysname-mac" },
	{ NULL, NULL, NULL, "aa:bb:cc", "aa-bb-cc" },
	{ "VirtualBox ()", "innotek GmbH", "0", "08:00:27:6f:77:22",
	  "VirtualBox-0-08-00-27-6f-77-22" },
	{ NULL, "Dell Inc.", NULL, "aa:bb", "DellInc-aa-bb" },
	{ "ProLiant DL360p Gen8 (654081-B21)", "HP", "CZ3323FDVK",
	  "d8:9d:67:1a:d0:fc",
	  "ProLiantDL360pGen8654081B21-CZ3323FDVK-d8-9d-67-1a-d0-fc" },
	{ "X Y", NULL, NULL, NULL, "XY-" },
	{ "A_b-c \xc3\xa9 /..", NULL, NULL, NULL, "A_bc-" },
	{ NULL, NULL, NULL, NULL, "unknown" },
	{ "..", NULL, "/", "::", "unknown" },
	{ NULL, NULL, NULL, "../../x;id", "xid" },
	{ NULL, NULL, "../../../etc/cron.d/x", "$(id)", "etccrondx-id" },
};

int
main(void)
{
	char long_name[FACT_WORD_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(facts) f = facts_new();
		AUTO_FREE char *name = NULL;

		if (rows[i].product)
			facts_add(f, "system", "product", "name",
				  rows[i].product);
		if (rows[i].vendor)
			facts_add(f, "system", "product", "vendor",
				  rows[i].vendor);
		if (rows[i].serial)
			facts_add(f, "system", "product", "serial",
				  rows[i].serial);
		if (rows[i].mac)
			facts_add(f, "network", "eth0", "serial", rows[i].mac);
		name = hw_name(f);
		CHECK_SHOW(i, str_eq(name, rows[i].want), "%s", name);
	}
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	{
		AUTO(facts) f = facts_new();
		AUTO_FREE char *name = NULL;

		facts_add(f, "system", "product", "name", long_name);
		name = hw_name(f);
		CHECK(0, strlen(name) == HWNAME_MAX);
	}
	return test_end();
}
