/* Firmware tables made by hand, also those that lie. What a whole machine's
 * table gives is in probe_test.c. */
#include "agent/probe_dmi.h"
#include "lib/base.h"
#include "lib/buf.h"
#include "tests/test.h"

/* type, formatted bytes behind the head (hex), strings separated by '|'. */
static void
add_item(struct buf *t, unsigned type, const char *hex, const char *strings)
{
	size_t len = strlen(hex) / 2, i;
	unsigned one;
	const char *c;

	buf_char(t, (char)type);
	buf_char(t, (char)(len + 4));
	buf_char(t, (char)(t->len & 0x7f)); /* a handle */
	buf_char(t, 0);
	for (i = 0; i < len; i++) {
		sscanf(hex + i * 2, "%2x", &one);
		buf_char(t, (char)one);
	}
	for (c = strings; *c; c++)
		buf_char(t, *c == '|' ? '\0' : *c);
	buf_char(t, 0);
	buf_char(t, 0);
}

static struct dmi *
parse(const struct buf *t, size_t len, unsigned version)
{
	/* Exactly that size, so that ASan sees a byte too many. */
	AUTO_FREE uint8_t *bytes = base_alloc(len ? len : 1);

	if (len)
		memcpy(bytes, t->at, len);
	return dmi_parse(bytes, len, version);
}

#define SYSTEM_HEX                                                             \
	"01020304"                                                             \
	"00112233445566778899aabbccddeeff"                                     \
	"060500"
#define SYSTEM_WORDS "Maker|Box|v1|SN 1|SKU-9"

static const struct {
	unsigned version;
	const char *uuid;
} uuids[] = {
	{ 0x0208, "33221100-5544-7766-8899-aabbccddeeff" },
	{ 0x0204, "00112233-4455-6677-8899-aabbccddeeff" },
	{ 0, "33221100-5544-7766-8899-aabbccddeeff" },
};

static void
test_system(void)
{
	AUTO_CLEAR(buf) t = { 0 };
	size_t i;

	add_item(&t, 1, SYSTEM_HEX, SYSTEM_WORDS);
	add_item(&t, 1, SYSTEM_HEX, "Other|Second");
	for (i = 0; i < ARRAY_LEN(uuids); i++) {
		AUTO(dmi) d = parse(&t, t.len, uuids[i].version);

		CHECK(i, str_eq(d->word[DMI_SYSTEM_UUID], uuids[i].uuid));
		CHECK(i, str_eq(d->word[DMI_SYSTEM_VENDOR], "Maker"));
		CHECK(i, str_eq(d->word[DMI_SYSTEM_SERIAL], "SN 1"));
		CHECK(i, str_eq(d->word[DMI_SYSTEM_SKU], "SKU-9"));
		CHECK(i, d->word[DMI_BOARD_NAME] == NULL);
	}
}

/* UUIDs and strings that say nothing are no words. */
static void
test_empty_words(void)
{
	static const char *const nothing[] = {
		"0102030400000000000000000000000000000000060500",
		"01020304ffffffffffffffffffffffffffffffff060500",
		"01020304", /* a table of 2.0 has no UUID */
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(nothing); i++) {
		AUTO_CLEAR(buf) t = { 0 };
		AUTO(dmi) d = NULL;

		add_item(&t, 1, nothing[i], "   |Box\x01\x80|");
		d = parse(&t, t.len, 0x0208);
		CHECK(i, d->word[DMI_SYSTEM_UUID] == NULL);
		CHECK(i, d->word[DMI_SYSTEM_VENDOR] == NULL);
		CHECK(i, str_eq(d->word[DMI_SYSTEM_NAME], "Box"));
		CHECK(i, d->word[DMI_SYSTEM_SERIAL] == NULL);
	}
}

/* Byte 0x04 on: array, error, widths, size, form, set, locators, type, … */
#define BANK(array, size, extended)                                            \
	array "feff"                                                           \
	      "40004000" size "09"                                             \
	      "00"                                                             \
	      "01"                                                             \
	      "02"                                                             \
	      "1a"                                                             \
	      "8000"                                                           \
	      "6a0a"                                                           \
	      "03"                                                             \
	      "04"                                                             \
	      "00"                                                             \
	      "05"                                                             \
	      "01" extended

static const struct {
	const char *size, *extended;
	uint64_t bytes;
	const char *description;
} banks[] = {
	{ "0040", "00000000", UINT64_C(16384) << 20, "DIMM DDR4 2666 MHz" },
	{ "ff7f", "00800000", UINT64_C(32768) << 20, "DIMM DDR4 2666 MHz" },
	{ "0082", "00000000", 512 << 10, "DIMM DDR4 2666 MHz" },
	{ "0000", "00000000", 0, "DIMM DDR4 2666 MHz [empty]" },
	{ "ffff", "00000000", 0, "DIMM DDR4 2666 MHz [empty]" },
};

static void
test_banks(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(banks); i++) {
		AUTO_CLEAR(buf) t = { 0 };
		AUTO_FREE char *hex = NULL;
		AUTO(dmi) d = NULL;

		add_item(&t, 16, "030306", ""); /* handle 2 */
		hex = base_printf(BANK("0200", "%s", "%s"), banks[i].size,
				  banks[i].extended);
		add_item(&t, 17, hex, "A1|BANK 0|Chips|SER-1|PART-1");
		hex[0] = '7'; /* of an array that is not system memory */
		add_item(&t, 17, hex, "X|Y|Z|Q|R");
		d = parse(&t, t.len, 0x0300);
		CHECK_SHOW(i, d->banks == 1, "%zu banks", d->banks);
		if (d->banks != 1)
			continue;
		CHECK(i, d->bank[0].size_bytes == banks[i].bytes);
		CHECK_SHOW(i,
			   str_eq(d->bank[0].description, banks[i].description),
			   "%s", d->bank[0].description);
		CHECK(i, str_eq(d->bank[0].slot, "A1"));
		CHECK(i, str_eq(d->bank[0].serial, "SER-1"));
		CHECK(i, str_eq(d->bank[0].product, "PART-1"));
		CHECK(i, d->bank[0].clock_hz == UINT64_C(2666000000));
	}
}

/* A table cut at any byte: no read outside (ASan), and words never change
 * into others. */
static void
test_cuts(void)
{
	AUTO_CLEAR(buf) t = { 0 };
	size_t cut;

	add_item(&t, 0, "010200f003", "Bios|1.0|date");
	add_item(&t, 1, SYSTEM_HEX, SYSTEM_WORDS);
	add_item(&t, 127, "", "");
	add_item(&t, 2, "01020304", "Behind|the|end|x");
	for (cut = 0; cut <= t.len; cut++) {
		AUTO(dmi) d = parse(&t, cut, 0x0208);

		CHECK(cut,
		      !d->word[DMI_BIOS_VENDOR] ||
			      str_starts("Bios", d->word[DMI_BIOS_VENDOR]));
		CHECK(cut, d->word[DMI_BOARD_VENDOR] == NULL);
	}
}

static const struct {
	const char *bytes;
	size_t len;
	unsigned version;
} entries[] = {
	{ "_SM3_\0\0\003\002\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, 0x0302 },
	{ "_SM_\0\0\002\010\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 31,
	  0x0208 },
	{ "_SM3_", 5, 0 },
	{ "", 0, 0 },
	{ "nothing of the kind, but long enough for it", 40, 0 },
};

int
main(void)
{
	static const uint8_t lie[] = { 1, 3, 0, 0, 0, 0 };
	AUTO(dmi) d = dmi_parse(lie, sizeof(lie), 0); /* shorter than a head */
	size_t i;

	CHECK(0, d->word[DMI_SYSTEM_VENDOR] == NULL);
	test_system();
	test_empty_words();
	test_banks();
	test_cuts();
	for (i = 0; i < ARRAY_LEN(entries); i++)
		CHECK(i,
		      dmi_entry_version((const uint8_t *)entries[i].bytes,
					entries[i].len) == entries[i].version);
	return test_end();
}
