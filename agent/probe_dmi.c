/* The SMBIOS table (DMTF DSP0134). Our own reader, because dmidecode is a text
 * tool and the table is simple: structures of a formatted part, whose bytes
 * 0 to 3 are type, length and handle, then NUL-terminated strings, then an
 * empty one. Every byte comes from firmware, so a field is read only through
 * field(), which knows the formatted length. */
#include <limits.h>
#include <stdio.h>

#include "agent/probe_dmi.h"
#include "lib/err.h"
#include "lib/file.h"
#include "lib/text.h"

#define HEAD_LEN 4

struct item {
	const uint8_t *at;
	size_t len; /* formatted part */
	const uint8_t *strings, *end;
};

/* `size` bytes, little endian, at `offset`; 0 when the structure is older and
 * shorter than that. */
static uint64_t
field(const struct item *it, size_t offset, size_t size)
{
	uint64_t value = 0;
	size_t i;

	if (size > it->len || offset > it->len - size)
		return 0;
	for (i = size; i > 0; i--)
		value = value << 8 | it->at[offset + i - 1];
	return value;
}

/* Copy of a string, blanks at the ends and unprintable bytes removed; NULL
 * when nothing is left of it. */
static char *
clean(const uint8_t *at, size_t len)
{
	AUTO_FREE char *out = base_alloc(len + 1);
	size_t i, n = 0;
	char *kept;

	for (i = 0; i < len; i++)
		if (at[i] >= 0x20 && at[i] < 0x7f)
			out[n++] = (char)at[i];
	out[n] = '\0';
	kept = text_trim(out);
	return *kept ? base_strdup(kept) : NULL;
}

/* The string whose number stands in the byte at `offset`. */
static char *
string(const struct item *it, size_t offset)
{
	uint64_t number = field(it, offset, 1);
	const uint8_t *at = it->strings;

	if (number == 0)
		return NULL;
	while (at < it->end && *at) {
		size_t len = strnlen((const char *)at, (size_t)(it->end - at));

		if (--number == 0)
			return clean(at, len);
		at += len;
		if (at < it->end)
			at++;
	}
	return NULL;
}

/* Take the next structure off [at, end); NULL when none fits any more. */
static const uint8_t *
next_item(const uint8_t *at, const uint8_t *end, struct item *it)
{
	const uint8_t *p;

	if (end - at < HEAD_LEN || at[1] < HEAD_LEN || end - at < at[1])
		return NULL;
	*it = (struct item){ .at = at, .len = at[1], .strings = at + at[1] };
	for (p = it->strings; end - p >= 2; p++) {
		if (p[0] == 0 && p[1] == 0) {
			it->end = p + 1;
			return p + 2;
		}
	}
	it->end = end;
	return end; /* firmware forgot the last terminator: seen in the wild */
}

static void
set_word(struct dmi *d, enum dmi_word w, const struct item *it, size_t offset)
{
	d->word[w] = string(it, offset);
}

/* Since 2.6 the first three parts are little endian; older tables are read
 * the same way by Linux and dmidecode only from there on. */
static char *
uuid_text(const struct item *it, unsigned version)
{
	static const uint8_t little[16] = { 3, 2, 1,  0,  5,  4,  7,  6,
					    8, 9, 10, 11, 12, 13, 14, 15 };
	char out[37];
	size_t i, n = 0;
	unsigned zeros = 0, ones = 0;

	if (it->len < 0x18)
		return NULL;
	for (i = 0; i < 16; i++) {
		bool swap = version == 0 || version >= 0x0206;
		uint8_t b = it->at[0x08 + (swap ? little[i] : i)];

		zeros += b == 0;
		ones += b == 0xff;
		n += (size_t)snprintf(
			out + n, sizeof(out) - n, "%s%02x",
			i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b);
	}
	return zeros == 16 || ones == 16 ? NULL : base_strdup(out);
}

static void
take_bios(struct dmi *d, const struct item *it)
{
	set_word(d, DMI_BIOS_VENDOR, it, 0x04);
	set_word(d, DMI_BIOS_VERSION, it, 0x05);
	set_word(d, DMI_BIOS_DATE, it, 0x08);
}

static void
take_system(struct dmi *d, const struct item *it, unsigned version)
{
	set_word(d, DMI_SYSTEM_VENDOR, it, 0x04);
	set_word(d, DMI_SYSTEM_NAME, it, 0x05);
	set_word(d, DMI_SYSTEM_VERSION, it, 0x06);
	set_word(d, DMI_SYSTEM_SERIAL, it, 0x07);
	set_word(d, DMI_SYSTEM_SKU, it, 0x19);
	d->word[DMI_SYSTEM_UUID] = uuid_text(it, version);
}

static void
take_board(struct dmi *d, const struct item *it)
{
	set_word(d, DMI_BOARD_VENDOR, it, 0x04);
	set_word(d, DMI_BOARD_NAME, it, 0x05);
	set_word(d, DMI_BOARD_VERSION, it, 0x06);
	set_word(d, DMI_BOARD_SERIAL, it, 0x07);
}

/* A count byte of 0xff points to a 16-bit field of version 3.0. */
static unsigned
cpu_count(const struct item *it, size_t byte_at, size_t word_at)
{
	unsigned n = (unsigned)field(it, byte_at, 1);

	return n == 0xff && field(it, word_at, 2)
		       ? (unsigned)field(it, word_at, 2)
		       : n;
}

static void
take_cpu(struct dmi *d, const struct item *it)
{
	bool central = field(it, 0x05, 1) == 3;
	bool populated = field(it, 0x18, 1) & 0x40;
	struct dmi_cpu *c;

	if (!central || !populated || d->cpus == DMI_CPUS_MAX)
		return;
	d->cpu = base_resize(d->cpu, d->cpus + 1, sizeof(*d->cpu));
	c = &d->cpu[d->cpus++];
	*c = (struct dmi_cpu){
		.socket = string(it, 0x04),
		.vendor = string(it, 0x07),
		.version = string(it, 0x10),
		.cores = cpu_count(it, 0x23, 0x2a),
		.enabled_cores = cpu_count(it, 0x24, 0x2c),
		.threads = cpu_count(it, 0x25, 0x2e),
		.frequency_hz = field(it, 0x16, 2) * 1000000,
		.clock_hz = field(it, 0x12, 2) * 1000000,
	};
}

/* 0x7fff means the 32-bit field of version 2.7, 0xffff unknown; bit 15 says
 * KiB, else MiB. */
static uint64_t
bank_bytes(const struct item *it)
{
	uint64_t size = field(it, 0x0c, 2);

	if (size == 0xffff)
		return 0;
	if (size == 0x7fff)
		return (field(it, 0x1c, 4) & 0x7fffffff) << 20;
	return size & 0x8000 ? (size & 0x7fff) << 10 : size << 20;
}

static const char *
bank_form(uint64_t code)
{
	static const char *const form[] = {
		[0x03] = "SIMM",   [0x04] = "SIP",          [0x05] = "Chip",
		[0x06] = "DIP",    [0x07] = "ZIP",          [0x09] = "DIMM",
		[0x0a] = "TSOP",   [0x0b] = "Row of chips", [0x0c] = "RIMM",
		[0x0d] = "SODIMM", [0x0e] = "SRIMM",        [0x0f] = "FB-DIMM",
		[0x10] = "Die",
	};

	return code < ARRAY_LEN(form) && form[code] ? form[code] : "Memory";
}

static const char *
bank_type(uint64_t code)
{
	static const char *const type[] = {
		[0x03] = "DRAM",         [0x07] = "RAM",    [0x0f] = "SDRAM",
		[0x11] = "RDRAM",        [0x12] = "DDR",    [0x13] = "DDR2",
		[0x14] = "DDR2 FB-DIMM", [0x18] = "DDR3",   [0x19] = "FBD2",
		[0x1a] = "DDR4",         [0x1b] = "LPDDR",  [0x1c] = "LPDDR2",
		[0x1d] = "LPDDR3",       [0x1e] = "LPDDR4", [0x20] = "HBM",
		[0x21] = "HBM2",         [0x22] = "DDR5",   [0x23] = "LPDDR5",
	};

	return code < ARRAY_LEN(type) ? type[code] : NULL;
}

static char *
bank_description(const struct item *it, uint64_t mhz, bool empty)
{
	const char *form = bank_form(field(it, 0x0e, 1));
	const char *type = bank_type(field(it, 0x12, 1));
	char speed[32] = "";

	if (mhz)
		snprintf(speed, sizeof(speed), " %llu MHz",
			 (unsigned long long)mhz);
	return base_printf("%s%s%s%s%s", form, type ? " " : "",
			   type ? type : "", speed, empty ? " [empty]" : "");
}

static void
take_bank(struct dmi *d, const struct item *it)
{
	uint64_t mhz = field(it, 0x15, 2);
	struct dmi_bank *b;

	if (d->banks == DMI_BANKS_MAX)
		return;
	if (mhz == 0xffff)
		mhz = field(it, 0x54, 4) & 0x7fffffff;
	d->bank = base_resize(d->bank, d->banks + 1, sizeof(*d->bank));
	b = &d->bank[d->banks++];
	*b = (struct dmi_bank){
		.slot = string(it, 0x10),
		.vendor = string(it, 0x17),
		.serial = string(it, 0x18),
		.product = string(it, 0x1a),
		.array = (unsigned)field(it, 0x04, 2), /* a handle as yet */
		.size_bytes = bank_bytes(it),
		.clock_hz = mhz * 1000000,
	};
	b->description = bank_description(it, mhz, b->size_bytes == 0);
}

#define ARRAYS_MAX 64

struct arrays {
	unsigned handle[ARRAYS_MAX];
	unsigned len;
};

/* Banks of arrays that are not system memory (flash, cache) do not count;
 * handles become numbers. A table without arrays keeps every bank. */
static void
settle_banks(struct dmi *d, const struct arrays *known)
{
	size_t i, kept = 0;

	for (i = 0; i < d->banks; i++) {
		struct dmi_bank *b = &d->bank[i];
		unsigned a = 0;

		while (a < known->len && known->handle[a] != b->array)
			a++;
		if (known->len > 0 && a == known->len) {
			free(b->slot);
			free(b->vendor);
			free(b->serial);
			free(b->product);
			free(b->description);
			continue;
		}
		d->bank[kept] = *b;
		d->bank[kept++].array = known->len ? a : 0;
	}
	d->banks = kept;
	d->arrays = known->len;
}

static void
take_array(struct arrays *known, const struct item *it)
{
	/* Use 3 is system memory. */
	if (field(it, 0x05, 1) == 3 && known->len < ARRAYS_MAX)
		known->handle[known->len++] = (unsigned)field(it, 0x02, 2);
}

/* Firmware, system and board: the first of each is the machine's own, the
 * others are blades' backplanes and risers. */
static void
take_once(struct dmi *d, const struct item *it, unsigned version, bool seen[3])
{
	if (seen[it->at[0]])
		return;
	seen[it->at[0]] = true;
	if (it->at[0] == 0)
		take_bios(d, it);
	else if (it->at[0] == 1)
		take_system(d, it, version);
	else
		take_board(d, it);
}

struct dmi *
dmi_parse(const uint8_t *table, size_t len, unsigned version)
{
	struct dmi *d = base_alloc(sizeof(*d));
	const uint8_t *at = table, *end = table + len;
	struct arrays known = { 0 };
	bool seen[3] = { false };
	struct item it;

	while ((at = next_item(at, end, &it)) && it.at[0] != 127) {
		switch (it.at[0]) {
		case 0:
		case 1:
		case 2:
			take_once(d, &it, version, seen);
			break;
		case 4:
			take_cpu(d, &it);
			break;
		case 16:
			take_array(&known, &it);
			break;
		case 17:
			take_bank(d, &it);
			break;
		}
	}
	settle_banks(d, &known);
	return d;
}

unsigned
dmi_entry_version(const uint8_t *entry, size_t len)
{
	if (len >= 0x18 && memcmp(entry, "_SM3_", 5) == 0)
		return entry[7] * 256u + entry[8];
	if (len >= 0x1f && memcmp(entry, "_SM_", 4) == 0)
		return entry[6] * 256u + entry[7];
	return 0;
}

static char *
read_table(const char *root, const char *name, size_t *len)
{
	char path[PATH_MAX];
	char *bytes = NULL;
	struct err e = { 0 };

	snprintf(path, sizeof(path), "%s/sys/firmware/dmi/tables/%s", root,
		 name);
	return file_read(path, DMI_MAX_BYTES, &bytes, len, &e) < 0 ? NULL
								   : bytes;
}

struct dmi *
dmi_read(const char *root)
{
	size_t len = 0, entry_len = 0;
	AUTO_FREE char *table = read_table(root, "DMI", &len);
	AUTO_FREE char *entry =
		read_table(root, "smbios_entry_point", &entry_len);
	unsigned version = 0;

	if (!table)
		return NULL;
	if (entry)
		version = dmi_entry_version((const uint8_t *)entry, entry_len);
	return dmi_parse((const uint8_t *)table, len, version);
}

void
dmi_free(struct dmi *d)
{
	size_t i;

	if (!d)
		return;
	for (i = 0; i < DMI_WORDS; i++)
		free(d->word[i]);
	for (i = 0; i < d->banks; i++) {
		free(d->bank[i].slot);
		free(d->bank[i].vendor);
		free(d->bank[i].serial);
		free(d->bank[i].product);
		free(d->bank[i].description);
	}
	for (i = 0; i < d->cpus; i++) {
		free(d->cpu[i].socket);
		free(d->cpu[i].vendor);
		free(d->cpu[i].version);
	}
	free(d->bank);
	free(d->cpu);
	free(d);
}
