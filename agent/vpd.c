/* SCSI identification pages. The order of preference in vpd_best is that of
 * udev's scsi_id, so that by-id names are the same with and without udev. */
#include <stdio.h>

#include "agent/vpd.h"
#include "lib/base.h"
#include "lib/text.h"

#define HEAD_LEN 4

/* The next designator that names the logical unit; `at` moves behind it. */
static bool
next_id(const uint8_t **at, const uint8_t *end, struct vpd_id *out)
{
	while (end - *at >= HEAD_LEN) {
		const uint8_t *d = *at;
		unsigned code_set = d[0] & 0x0f, association = d[1] & 0x30;

		if (end - d < HEAD_LEN + d[3])
			return false;
		*at = d + HEAD_LEN + d[3];
		if (association != 0 || d[3] == 0 || code_set < 1 ||
		    code_set > 3)
			continue;
		*out = (struct vpd_id){ .type = d[1] & 0x0f,
					.ascii = code_set != 1,
					.at = d + HEAD_LEN,
					.len = d[3] };
		return true;
	}
	return false;
}

/* The designators inside of page 0x83. */
static bool
page_body(const uint8_t *page, size_t len, const uint8_t **at,
	  const uint8_t **end)
{
	size_t said;

	if (len < HEAD_LEN || page[1] != 0x83)
		return false;
	said = (size_t)page[2] << 8 | page[3];
	*at = page + HEAD_LEN;
	*end = *at + (said < len - HEAD_LEN ? said : len - HEAD_LEN);
	return true;
}

bool
vpd_find(const uint8_t *page, size_t len, enum vpd_type type,
	 struct vpd_id *out)
{
	const uint8_t *at, *end;
	struct vpd_id id;

	if (!page_body(page, len, &at, &end))
		return false;
	while (next_id(&at, end, &id)) {
		if (id.type == type) {
			*out = id;
			return true;
		}
	}
	return false;
}

/* Lower is better; 0 means that it is no name to go by. */
static unsigned
rank(const struct vpd_id *id)
{
	unsigned naa = id->at[0] >> 4;
	unsigned family;

	switch (id->type) {
	case VPD_NAA:
		family = naa == 6 ? 1 : naa == 5 ? 2 : 3;
		break;
	case VPD_EUI64:
		family = 4;
		break;
	case VPD_T10:
		family = 5;
		break;
	case VPD_VENDOR:
		family = 6;
		break;
	default:
		return 0;
	}
	return family * 2 + id->ascii;
}

bool
vpd_best(const uint8_t *page, size_t len, struct vpd_id *out)
{
	const uint8_t *at, *end;
	struct vpd_id id;
	unsigned best = 0;

	if (!page_body(page, len, &at, &end))
		return false;
	while (next_id(&at, end, &id)) {
		unsigned r = rank(&id);

		if (r && (!best || r < best)) {
			best = r;
			*out = id;
		}
	}
	return best != 0;
}

/* Printable ASCII of it, the rest dropped. */
static char *
printable(const uint8_t *at, size_t len)
{
	char *out = base_alloc(len + 1);
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if (at[i] >= 0x20 && at[i] < 0x7f)
			out[n++] = (char)at[i];
	return out;
}

char *
vpd_serial(const uint8_t *page, size_t len)
{
	AUTO_FREE char *text = NULL;
	char *kept;
	size_t said;

	if (len < HEAD_LEN || page[1] != 0x80)
		return NULL;
	said = (size_t)page[2] << 8 | page[3];
	if (said > len - HEAD_LEN)
		said = len - HEAD_LEN;
	text = printable(page + HEAD_LEN, said);
	kept = text_trim(text);
	return *kept ? base_strdup(kept) : NULL;
}

char *
vpd_text(const struct vpd_id *id)
{
	char *out;
	size_t i;

	if (id->ascii)
		return printable(id->at, id->len);
	out = base_alloc(id->len * 2 + 1);
	for (i = 0; i < id->len; i++)
		snprintf(out + i * 2, 3, "%02x", id->at[i]);
	return out;
}
