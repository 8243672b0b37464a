#include "cmdb/identity.h"
#include "tests/test.h"

#define UUID_A "4c4c4544-0031-4a10-8052-b7c04f4c5831"
#define UUID_B "4c4c4544-0032-4a10-8052-b7c04f4c5832"
#define MAC_1 "52:54:00:00:00:01"
#define MAC_2 "52:54:00:00:00:02"
#define MAC_3 "52:54:00:00:00:03"

struct who {
	const char *uuid, *serial, *macs[5];
};

/* The first known machine is m1, the second m2. */
static const struct {
	const char *what;
	struct who known[2], seen;
	enum identity_verdict want;
	size_t at;
} rows[] = {
	{ "first of all",
	  { { 0 } },
	  { UUID_A, "S1", { MAC_1 } },
	  IDENTITY_NEW,
	  0 },
	{ "a retry",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { UUID_A, "S1", { MAC_1 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "spelled otherwise",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { "  4C4C4544-0031-4A10-8052-B7C04F4C5831", "s1 ", { MAC_1 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "NICs in another order",
	  { { UUID_A, NULL, { MAC_1, MAC_2 } } },
	  { UUID_A, NULL, { MAC_2, MAC_1 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "a NIC more",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { UUID_A, "S1", { MAC_1, MAC_2 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "all NICs swapped",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { UUID_A, "S1", { MAC_2 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "board swapped, chassis serial kept",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { UUID_B, "S1", { MAC_1 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "board and NICs swapped",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { UUID_B, "S1", { MAC_2 } },
	  IDENTITY_WAITS,
	  0 },
	{ "quad NIC moved to a new machine",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { UUID_B, "S2", { MAC_1, MAC_2 } },
	  IDENTITY_WAITS,
	  0 },
	{ "quad NIC moved to a known machine",
	  { { UUID_A, "S1", { MAC_1 } }, { UUID_B, "S2", { MAC_2 } } },
	  { UUID_B, "S2", { MAC_1, MAC_2 } },
	  IDENTITY_WAITS,
	  0 },
	{ "cloned VM: one UUID, another MAC",
	  { { UUID_A, NULL, { MAC_1 } } },
	  { UUID_A, NULL, { MAC_2 } },
	  IDENTITY_WAITS,
	  0 },
	{ "only a MAC, known",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { NULL, NULL, { MAC_1 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "only a MAC, new",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { NULL, NULL, { MAC_2 } },
	  IDENTITY_NEW,
	  0 },
	{ "junk serial does not join",
	  { { UUID_A, "To Be Filled By O.E.M.", { MAC_1 } } },
	  { UUID_B, "To be filled by O.E.M.", { MAC_2 } },
	  IDENTITY_NEW,
	  0 },
	{ "junk UUID does not join",
	  { { "00000000-0000-0000-0000-000000000000", NULL, { MAC_1 } } },
	  { "00000000-0000-0000-0000-000000000000", NULL, { MAC_2 } },
	  IDENTITY_NEW,
	  0 },
	{ "all f",
	  { { "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", NULL, { MAC_1 } } },
	  { "ffffffff-ffff-ffff-ffff-ffffffffffff", NULL, { MAC_2 } },
	  IDENTITY_NEW,
	  0 },
	{ "serial repeats the UUID: one kind, not two",
	  { { UUID_A, UUID_A, { MAC_1 } } },
	  { UUID_A, UUID_A, { MAC_2 } },
	  IDENTITY_WAITS,
	  0 },
	{ "serial repeats a MAC",
	  { { NULL, "525400000001", { MAC_1 } } },
	  { NULL, "525400000001", { MAC_1 } },
	  IDENTITY_KNOWN,
	  0 },
	{ "nothing",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { NULL, "none", { 0 } },
	  IDENTITY_NOTHING,
	  0 },
	{ "no real MAC",
	  { { UUID_A, "S1", { MAC_1 } } },
	  { NULL,
	    NULL,
	    { "00:00:00:00:00:00", "01:00:5e:00:00:01", "nonsense" } },
	  IDENTITY_NOTHING,
	  0 },
	{ "the second of two",
	  { { UUID_A, "S1", { MAC_1 } }, { UUID_B, "S2", { MAC_2 } } },
	  { UUID_B, "S2", { MAC_3 } },
	  IDENTITY_KNOWN,
	  1 },
	{ "one kind of each of two",
	  { { UUID_A, "S1", { MAC_1 } }, { UUID_B, "S2", { MAC_2 } } },
	  { UUID_A, "S2", { MAC_3 } },
	  IDENTITY_WAITS,
	  0 },
};

static void
fill(struct identity *id, const struct who *w)
{
	size_t i;

	if (w->uuid)
		identity_add(id, IDENTITY_UUID, w->uuid);
	if (w->serial)
		identity_add(id, IDENTITY_SERIAL, w->serial);
	for (i = 0; i < 5 && w->macs[i]; i++)
		identity_add(id, IDENTITY_MAC, w->macs[i]);
	identity_settle(id);
}

int
main(void)
{
	size_t i, at;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity_known known[2] = { { .machine = "m1" },
						   { .machine = "m2" } };
		struct identity seen = { 0 };
		char reason[200];
		enum identity_verdict v;

		fill(&known[0].id, &rows[i].known[0]);
		fill(&known[1].id, &rows[i].known[1]);
		fill(&seen, &rows[i].seen);
		at = 9;
		v = identity_judge(&seen, known, 2, &at, reason);
		CHECK_SHOW(i, v == rows[i].want, "%s: %d %s", rows[i].what, v,
			   reason);
		CHECK(i, v != IDENTITY_KNOWN || at == rows[i].at);
		CHECK(i, (v == IDENTITY_WAITS || v == IDENTITY_NOTHING) ==
				 (reason[0] != '\0'));
		identity_clear(&known[0].id);
		identity_clear(&known[1].id);
		identity_clear(&seen);
	}
	return test_end();
}
