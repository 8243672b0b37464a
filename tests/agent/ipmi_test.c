/* A management controller that says what a row tells it to say. */
#include "agent/probe_ipmi.h"
#include "lib/base.h"
#include "tests/test.h"

#define SILENT 0xff /* as a completion code: no answer at all */

struct answer {
	uint8_t netfn, cmd, first, second; /* second: of parameters only */
	uint8_t bytes[10];
	size_t len;
};

/* Channel 1 can be read, 2 is the LAN. */
static const struct answer usual[] = {
	{ 6, 0x41, 1, 0, { 0, 2, 4 }, 3 },
	{ 6, 0x41, 2, 0, { 0, 2, 4 }, 3 },
	{ 6, 0x42, 1, 0, { 0, 1, 1 }, 3 },
	{ 6, 0x42, 2, 0, { 0, 2, 0x84 }, 3 },
	{ 6, 0x42, 3, 0, { 0, 3, 4 }, 3 },
	{ 0x0c, 2, 2, 3, { 0, 0x11, 10, 0, 0, 7 }, 6 },
	{ 0x0c, 2, 2, 4, { 0, 0x11, 0xf1 }, 3 },
	{ 0x0c, 2, 2, 5, { 0, 0x11, 0x52, 0x54, 0, 0xAB, 1, 2 }, 8 },
	{ 0x0c, 2, 2, 6, { 0, 0x11, 255, 255, 255, 0 }, 6 },
	/* cut short: no fact */
	{ 0x0c, 2, 2, 12, { 0, 0x11, 10, 0, 0 }, 5 },
	{ 0x0c, 2, 2, 20, { 0, 0x11, 0x07, 0x81 }, 4 },
};

/* No channel, and silence at the first question about the LAN. */
static const struct answer broken[] = {
	{ 6, 0x42, 1, 0, { SILENT }, 1 },
};

/* No LAN, all others say no. */
static const struct answer bare[] = {
	{ 6, 0x41, 15, 0, { 0, 2, 4 }, 3 },
	{ 6, 0x42, 7, 0, { 0, 7, 5 }, 3 },
};

struct table {
	const struct answer *at;
	size_t len;
};

static int
answer(void *ctx, uint8_t netfn, uint8_t cmd, const uint8_t *data, size_t len,
       uint8_t *reply, size_t size)
{
	const struct table *t = ctx;
	size_t i;

	(void)size;
	for (i = 0; i < t->len; i++) {
		const struct answer *a = &t->at[i];

		if (a->netfn != netfn || a->cmd != cmd || a->first != data[0] ||
		    (netfn == 0x0c && (len != 4 || a->second != data[1])))
			continue;
		if (a->bytes[0] == SILENT)
			return -1;
		memcpy(reply, a->bytes, a->len);
		return (int)a->len;
	}
	reply[0] = 0xcc; /* invalid field */
	return 1;
}

static const struct {
	struct table table;
	int result;
	const char *channel, *source, *ip, *mac, *mask, *gateway, *vlan;
} rows[] = {
	{ { usual, ARRAY_LEN(usual) },
	  0,
	  "1",
	  "Static Address",
	  "10.0.0.7",
	  "52:54:00:ab:01:02",
	  "255.255.255.0",
	  NULL,
	  "263" },
	{ { broken, ARRAY_LEN(broken) },
	  -1,
	  NULL,
	  NULL,
	  NULL,
	  NULL,
	  NULL,
	  NULL,
	  NULL },
	{ { bare, ARRAY_LEN(bare) },
	  0,
	  "15",
	  NULL,
	  NULL,
	  NULL,
	  NULL,
	  NULL,
	  NULL },
};

static void
check_lan(size_t i, const struct facts *f, const char *name, const char *want)
{
	const char *got = facts_find(f, "ipmi", "lan", name);

	CHECK_SHOW(i, (!want && !got) || (want && str_eq(got, want)), "%s: %s",
		   name, got ? got : "none");
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(facts) f = facts_new();
		struct table t = rows[i].table;
		const char *channel;

		CHECK(i, ipmi_facts(answer, &t, f) == rows[i].result);
		channel = facts_find(f, "system", "ipmi", "channel");
		CHECK_SHOW(i,
			   (!channel && !rows[i].channel) ||
				   (rows[i].channel &&
				    str_eq(channel, rows[i].channel)),
			   "%s", channel ? channel : "none");
		check_lan(i, f, "ip-address-source", rows[i].source);
		check_lan(i, f, "ip-address", rows[i].ip);
		check_lan(i, f, "mac-address", rows[i].mac);
		check_lan(i, f, "subnet-mask", rows[i].mask);
		check_lan(i, f, "default-gateway-ip", rows[i].gateway);
		check_lan(i, f, "802.1q-vlan-id", rows[i].vlan);
	}
	return test_end();
}
