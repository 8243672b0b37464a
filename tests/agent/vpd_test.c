/* Identification pages: which name wins, and pages that lie. */
#include "agent/vpd.h"
#include "lib/base.h"
#include "tests/test.h"

#define NAA5 "010300085000c500aabbccdd"
#define NAA6 "010300106000c500000000010000000000000002"
#define EUI "010200080025385a01b2c3d4"
#define T10                                                                    \
	"02010008"                                                             \
	"4d5920544558543a"
#define VENDOR "02000006534353492d35"
#define PORT_NAA "011300085000c500aabbccde" /* of the port, not of the disk */

static const struct {
	const char *hex;  /* page 0x83 behind its first two bytes' length */
	int type;         /* -1: no name */
	const char *text; /* as vpd_text gives it */
} rows[] = {
	{ NAA5, VPD_NAA, "5000c500aabbccdd" },
	{ VENDOR NAA5, VPD_NAA, "5000c500aabbccdd" },
	{ NAA5 NAA6, VPD_NAA, "6000c500000000010000000000000002" },
	{ EUI T10 VENDOR, VPD_EUI64, "0025385a01b2c3d4" },
	{ VENDOR T10, VPD_T10, "MY TEXT:" },
	{ VENDOR, VPD_VENDOR, "SCSI-5" },
	{ PORT_NAA, -1, NULL },
	{ PORT_NAA VENDOR, VPD_VENDOR, "SCSI-5" },
	{ "", -1, NULL },
	{ "0103", -1, NULL },
	{ "010300ff5000c500", -1, NULL }, /* longer than the page */
	{ "01030000", -1, NULL },         /* of no bytes */
	{ VENDOR "010300ff50", VPD_VENDOR, "SCSI-5" }, /* good, then cut */
	{ "0f0f00021234", -1, NULL },
};

static size_t
unhex(const char *hex, uint8_t *out)
{
	size_t i, len = strlen(hex) / 2;
	unsigned one;

	for (i = 0; i < len; i++) {
		sscanf(hex + i * 2, "%2x", &one);
		out[i] = (uint8_t)one;
	}
	return len;
}

/* A heap copy of exactly that size, so that ASan sees a byte too many. */
static uint8_t *
page_of(unsigned code, const char *hex, size_t said, size_t *len)
{
	uint8_t body[256];
	size_t n = unhex(hex, body);
	uint8_t *page = base_alloc(n + 4);

	page[1] = (uint8_t)code;
	page[2] = (uint8_t)(said >> 8);
	page[3] = (uint8_t)said;
	memcpy(page + 4, body, n);
	*len = n + 4;
	return page;
}

static void
best_row(size_t i, size_t said)
{
	size_t len;
	AUTO_FREE uint8_t *page = page_of(0x83, rows[i].hex, said, &len);
	AUTO_FREE char *text = NULL;
	struct vpd_id id;

	if (rows[i].type < 0) {
		CHECK(i, !vpd_best(page, len, &id));
		return;
	}
	CHECK(i, vpd_best(page, len, &id));
	CHECK(i, (int)id.type == rows[i].type);
	text = vpd_text(&id);
	CHECK_SHOW(i, str_eq(text, rows[i].text), "%s", text);
}

static const struct {
	unsigned code;
	const char *hex;
	size_t said;
	const char *serial;
} serials[] = {
	{ 0x80, "2020534e2d312020", 8, "SN-1" },
	{ 0x80, "534e2d31", 0xffff, "SN-1" }, /* says more than there is */
	{ 0x80, "534e2d31ff07", 4, "SN-1" },
	{ 0x80, "20202020", 4, NULL },
	{ 0x80, "", 0, NULL },
	{ 0x83, "534e2d31", 4, NULL }, /* another page */
};

int
main(void)
{
	uint8_t two[2] = { 0, 0x83 };
	struct vpd_id id;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		best_row(i, strlen(rows[i].hex) / 2);
		best_row(i, 0xffff);
	}
	for (i = 0; i < ARRAY_LEN(serials); i++) {
		size_t len;
		AUTO_FREE uint8_t *page = page_of(
			serials[i].code, serials[i].hex, serials[i].said, &len);
		AUTO_FREE char *serial = vpd_serial(page, len);

		CHECK(i, str_eq(serial, serials[i].serial));
	}
	CHECK(0, !vpd_best(two, sizeof(two), &id));
	CHECK(0, !vpd_find(two, 0, VPD_NAA, &id));
	CHECK(0, vpd_serial(two, sizeof(two)) == NULL);
	return test_end();
}
