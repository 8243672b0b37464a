#ifndef AGENT_PROBE_DMI_H
#define AGENT_PROBE_DMI_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"

/* The SMBIOS structure table, as /sys/firmware/dmi/tables/DMI gives it. */
#define DMI_MAX_BYTES (1024 * 1024)
#define DMI_BANKS_MAX 512
#define DMI_CPUS_MAX 256

enum dmi_word {
	DMI_BIOS_VENDOR,
	DMI_BIOS_VERSION,
	DMI_BIOS_DATE,
	DMI_SYSTEM_VENDOR,
	DMI_SYSTEM_NAME,
	DMI_SYSTEM_VERSION,
	DMI_SYSTEM_SERIAL,
	DMI_SYSTEM_UUID,
	DMI_SYSTEM_SKU,
	DMI_BOARD_VENDOR,
	DMI_BOARD_NAME,
	DMI_BOARD_VERSION,
	DMI_BOARD_SERIAL,
	DMI_WORDS
};

struct dmi_bank { /* type 17; words are NULL when the table says nothing */
	char *slot, *vendor, *serial, *product;
	char *description;   /* "DIMM DDR4 2666 MHz" */
	unsigned array;      /* which physical array, from 0 in table order */
	uint64_t size_bytes; /* 0: the slot is empty */
	uint64_t clock_hz;   /* 0: unknown */
};

struct dmi_cpu { /* type 4, sockets that hold one */
	char *socket, *vendor, *version;
	unsigned cores, enabled_cores, threads; /* 0: unknown */
	uint64_t frequency_hz, clock_hz;        /* now, external; 0: unknown */
};

struct dmi {
	char *word[DMI_WORDS]; /* NULL when the table has none */
	struct dmi_bank *bank;
	size_t banks;
	unsigned arrays; /* memory arrays that are system memory */
	struct dmi_cpu *cpu;
	size_t cpus;
};

/* Read a table of `len` bytes; `version` is the SMBIOS version (0x0208 for
 * 2.8; it decides the byte order of the UUID), 0 when unknown. Firmware is
 * hostile: a structure that does not fit ends the reading, and what came
 * before counts. Words keep printable ASCII only. Never NULL. */
struct dmi *dmi_parse(const uint8_t *table, size_t len, unsigned version);

/* Version from the entry point (/sys/firmware/dmi/tables/
 * smbios_entry_point), 0 when it is none. */
unsigned dmi_entry_version(const uint8_t *entry, size_t len);

/* The table below `root`, or NULL when it has none or cannot be read. */
struct dmi *dmi_read(const char *root);

void dmi_free(struct dmi *d);
AUTO_DEFINE(dmi)

#endif
