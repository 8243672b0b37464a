/* From facts to who a machine is: which values count, which are the same in
 * many machines. */
#include "cmdb/identity.h"
#include "site/core.h"
#include "tests/test.h"

#define UUID "4c4c4544-0031-4a10-8052-b7c04f4c5831"
#define MAC1 "52:54:00:00:00:01"
#define MAC2 "52:54:00:00:00:02"
#define SYSTEM(property, value)                                                \
	{                                                                      \
		"system", "product", property, value                           \
	}
#define NIC(name, property, value)                                             \
	{                                                                      \
		"network", name, property, value                               \
	}

static const struct {
	const char *facts[8][4];
	const char *uuid, *serial, *macs; /* NULL: none; MACs sorted */
} rows[] = {
	{ { SYSTEM("uuid", UUID), SYSTEM("serial", "ABC"),
	    NIC("eth0", "serial", MAC1) },
	  UUID,
	  "abc",
	  MAC1 " " },
	{ { SYSTEM("serial", " ABC ") }, NULL, "abc", "" },
	{ { NIC("eth0", "serial", "52:54:00:AA:00:01") },
	  NULL,
	  NULL,
	  "52:54:00:aa:00:01 " },
	{ { { NULL } }, NULL, NULL, "" },
	/* the permanent address, not the one that it has at the moment */
	{ { NIC("eth0", "serial", MAC2),
	    NIC("eth0", "permanent-serial", MAC1) },
	  NULL,
	  NULL,
	  MAC1 " " },
	/* a permanent address that is none does not hide that there is none */
	{ { NIC("eth0", "serial", MAC2),
	    NIC("eth0", "permanent-serial", "00:00:00:00:00:00") },
	  NULL,
	  NULL,
	  "" },
	/* two of a bond have one current address */
	{ { NIC("eth1", "serial", MAC1), NIC("eth0", "serial", MAC1) },
	  NULL,
	  NULL,
	  MAC1 " " },
	{ { NIC("eth1", "serial", MAC2), NIC("eth0", "serial", MAC1) },
	  NULL,
	  NULL,
	  MAC1 " " MAC2 " " },
	/* the same adapter is in many machines after another */
	{ { NIC("usb0", "serial", MAC1), NIC("usb0", "businfo", "usb@1:1.2") },
	  NULL,
	  NULL,
	  "" },
	{ { NIC("usb0", "serial", MAC1), NIC("usb0", "driver", "cdc_ether") },
	  NULL,
	  NULL,
	  "" },
	{ { NIC("bmc0", "serial", MAC1), NIC("bmc0", "driver", "rndis_host"),
	    NIC("eth0", "serial", MAC2), NIC("eth0", "driver", "igb"),
	    NIC("eth0", "businfo", "pci@0000:01:00.0") },
	  NULL,
	  NULL,
	  MAC2 " " },
	/* no MAC of ours: multicast, of no length, of no hex */
	{ { NIC("eth0", "serial", "53:54:00:00:00:01"),
	    NIC("ib0", "serial", "80:00:02:08:fe:80:00:00:00:00:00:00"),
	    NIC("eth1", "serial", "52-54-00-00-00-01"),
	    NIC("eth2", "serial", "") },
	  NULL,
	  NULL,
	  "" },
	/* junk, and what repeats */
	{ { SYSTEM("serial", "To Be Filled By O.E.M."),
	    SYSTEM("uuid", "00000000-0000-0000-0000-000000000000") },
	  NULL,
	  NULL,
	  "" },
	{ { SYSTEM("serial", "Not Specified"),
	    SYSTEM("uuid", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF") },
	  NULL,
	  NULL,
	  "" },
	{ { SYSTEM("serial", "525400000001"), NIC("eth0", "serial", MAC1) },
	  NULL,
	  NULL,
	  MAC1 " " },
	{ { SYSTEM("serial", "4C4C454400314A108052B7C04F4C5831"),
	    SYSTEM("uuid", UUID) },
	  UUID,
	  NULL,
	  "" },
	/* other classes and names are not asked */
	{ { { "disk", "vda", "serial", "D1" },
	    { "system", "motherboard", "serial", "B1" },
	    { "system", "product", "name", "PC" },
	    { "network", "eth0", "ipv4", "10.0.0.1" } },
	  NULL,
	  NULL,
	  "" },
	/* the first one counts */
	{ { SYSTEM("serial", "ONE"), SYSTEM("serial", "TWO") },
	  NULL,
	  "one",
	  "" },
};

static const struct {
	int word;
	const char *cls, *property;
	bool want;
} bindings[] = {
	{ FACT_VALUE, "network", "serial", true },
	{ FACT_VALUE, "network", "permanent-serial", true },
	{ FACT_NAME, "network", "serial", false },
	{ FACT_VALUE, "network", "ipv4", false },
	{ FACT_VALUE, "system", "serial", true },
	{ FACT_VALUE, "system", "uuid", true },
	{ FACT_VALUE, "system", "name", false },
	{ FACT_VALUE, "disk", "serial", false },
};

int
main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(facts) f = facts_new();
		AUTO_CLEAR(buf) macs = { 0 };
		struct identity id = { 0 };

		for (size_t k = 0; k < 8 && rows[i].facts[k][0]; k++)
			facts_add(f, rows[i].facts[k][0], rows[i].facts[k][1],
				  rows[i].facts[k][2], rows[i].facts[k][3]);
		identify(f, &id);
		for (size_t k = 0; k < id.macs_len; k++)
			buf_printf(&macs, "%s ", id.macs[k]);
		CHECK_SHOW(i, str_eq(id.uuid, rows[i].uuid), "%s", id.uuid);
		CHECK_SHOW(i, str_eq(id.serial, rows[i].serial), "%s",
			   id.serial);
		CHECK_SHOW(i, str_eq(buf_text(&macs), rows[i].macs), "%s",
			   buf_text(&macs));
		identity_clear(&id);
	}
	for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
		const struct binding b = {
			.word = bindings[i].word,
			.cls = (char *)(uintptr_t)bindings[i].cls,
			.property = (char *)(uintptr_t)bindings[i].property
		};

		CHECK(i, is_identity(&b) == bindings[i].want);
	}
	return test_end();
}
