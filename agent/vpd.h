#ifndef AGENT_VPD_H
#define AGENT_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pages of SCSI "vital product data" (SPC-4, 7.8), as sysfs gives them in
 * device/vpd_pg80 and device/vpd_pg83. Bytes come from the disk. */
#define VPD_MAX_BYTES 4096

enum vpd_type { VPD_VENDOR = 0, VPD_T10 = 1, VPD_EUI64 = 2, VPD_NAA = 3 };

struct vpd_id {
	enum vpd_type type;
	bool ascii;        /* else binary */
	const uint8_t *at; /* borrowed from the page */
	size_t len;
};

/* The name of the logical unit that udev's scsi_id would take from page 0x83:
 * the best NAA, else EUI-64, T10, vendor's own. False when it has none. */
bool vpd_best(const uint8_t *page, size_t len, struct vpd_id *out);

/* The first name of that type; false when there is none. */
bool vpd_find(const uint8_t *page, size_t len, enum vpd_type type,
	      struct vpd_id *out);

/* Serial of page 0x80, blanks at both ends removed: owned; NULL if empty. */
char *vpd_serial(const uint8_t *page, size_t len);

/* Lower-case hex of a binary name, a copy of the text otherwise; owned. */
char *vpd_text(const struct vpd_id *id);

#endif
