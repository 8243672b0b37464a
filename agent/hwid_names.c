/* Names of disks in /dev/disk/by-id, without udev. ATA and SCSI disks are
 * known by the identification pages that the kernel read when it found them
 * (device/vpd_pg83, vpd_pg80), NVMe and virtio disks by their attributes. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>

#include "agent/hwid_names.h"
#include "agent/sysfs.h"
#include "agent/vpd.h"
#include "lib/file.h"
#include "lib/text.h"

#define ATA_MODEL_LEN 40
#define ATA_SERIAL_LEN 20

static bool
stands_in_name(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("#+-.:=@_", c));
}

char *
hwid_udev_word(const char *text)
{
	char *out = base_alloc(strlen(text) + 1);
	size_t n = 0;

	while (isspace((unsigned char)*text))
		text++;
	while (*text) {
		size_t blanks = 0;

		while (isspace((unsigned char)text[blanks]))
			blanks++;
		if (blanks && text[blanks])
			out[n++] = '_';
		text += blanks;
		if (!blanks) {
			out[n++] = stands_in_name(*text) ? *text : '_';
			text++;
		}
	}
	return out;
}

/* Takes `name`. */
static void
add_name(struct hwid_disk *d, char *name)
{
	size_t i;

	for (i = 0; i < d->by_id_len; i++) {
		if (str_eq(d->by_id[i], name)) {
			free(name);
			return;
		}
	}
	if (d->by_id_len < HWID_NAMES_MAX)
		d->by_id[d->by_id_len++] = name;
	else
		free(name);
}

/* The parts are words of udev; NULL parts are left out. */
static void
add_joined(struct hwid_disk *d, const char *head, const char *a, const char *b,
	   const char *c)
{
	const char *const part[] = { a, b, c };
	AUTO_CLEAR(buf) name = { 0 };
	size_t i;

	buf_str(&name, head);
	for (i = 0; i < ARRAY_LEN(part); i++) {
		AUTO_FREE char *word = part[i] ? hwid_udev_word(part[i]) : NULL;

		if (!word)
			continue;
		if (i > 0)
			buf_char(&name, '_');
		buf_str(&name, word);
	}
	add_name(d, buf_take(&name));
}

static void
nvme_names(const char *root, struct hwid_disk *d)
{
	const char *dir = "/sys/block";
	AUTO_FREE char *model =
		sys_line(root, "%s/%s/device/model", dir, d->name);
	AUTO_FREE char *nsid = sys_line(root, "%s/%s/nsid", dir, d->name);

	d->wwn = sys_line(root, "%s/%s/wwid", dir, d->name);
	d->serial = sys_line(root, "%s/%s/device/serial", dir, d->name);
	if (d->wwn)
		add_joined(d, "nvme-", d->wwn, NULL, NULL);
	if (!model || !d->serial)
		return;
	add_joined(d, "nvme-", model, d->serial, NULL);
	if (nsid)
		add_joined(d, "nvme-", model, d->serial, nsid);
}

static void
virtio_names(const char *root, struct hwid_disk *d)
{
	d->serial = sys_line(root, "/sys/block/%s/serial", d->name);
	if (d->serial)
		add_joined(d, "virtio-", d->serial, NULL, NULL);
}

static void
mmc_names(const char *root, struct hwid_disk *d)
{
	AUTO_FREE char *name =
		sys_line(root, "/sys/block/%s/device/name", d->name);

	d->serial = sys_line(root, "/sys/block/%s/device/serial", d->name);
	if (name && d->serial)
		add_joined(d, "mmc-", name, d->serial, NULL);
}

/* An identification page; `page` holds VPD_MAX_BYTES. 0 when absent. */
static size_t
read_page(const char *root, const char *name, const char *file, uint8_t *page)
{
	char path[PATH_MAX];
	AUTO_FREE char *bytes = NULL;
	struct err e = { 0 };
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/sys/block/%s/device/%s", root, name,
		 file);
	if (file_read(path, VPD_MAX_BYTES, &bytes, &len, &e) < 0)
		return 0;
	memcpy(page, bytes, len);
	return len;
}

static void
wwn_names(struct hwid_disk *d, const uint8_t *page, size_t len)
{
	AUTO_FREE char *hex = NULL;
	struct vpd_id id;

	if (!vpd_find(page, len, VPD_NAA, &id) || id.ascii)
		return;
	hex = vpd_text(&id);
	d->wwn = base_printf("0x%s", hex);
	add_joined(d, "wwn-", d->wwn, NULL, NULL);
}

/* The kernel's ATA layer puts the whole model and serial behind "ATA     " in
 * the T10 name; the model elsewhere in sysfs is cut after 16 letters. */
static void
ata_names(struct hwid_disk *d, const uint8_t *page, size_t len)
{
	AUTO_FREE char *text = NULL, *model = NULL;
	struct vpd_id id;
	char *serial;

	if (!vpd_find(page, len, VPD_T10, &id) ||
	    id.len < 8 + ATA_MODEL_LEN + ATA_SERIAL_LEN)
		return;
	model = base_strndup((const char *)id.at + 8, ATA_MODEL_LEN);
	text = base_strndup((const char *)id.at + 8 + ATA_MODEL_LEN,
			    ATA_SERIAL_LEN);
	serial = text_trim(text);
	if (!*serial)
		return;
	if (!d->serial)
		d->serial = base_strdup(serial);
	add_joined(d, "ata-", model, serial, NULL);
}

/* vendor (8), model (16) and a serial as scsi_id glues them: one word. */
static void
add_glued(const char *root, struct hwid_disk *d, char kind, const char *serial)
{
	AUTO_FREE char *vendor =
		sys_line(root, "/sys/block/%s/device/vendor", d->name);
	AUTO_FREE char *model =
		sys_line(root, "/sys/block/%s/device/model", d->name);
	AUTO_FREE char *all =
		base_printf("%c%-8s%-16s%s", kind, vendor ? vendor : "",
			    model ? model : "", serial);

	add_joined(d, "scsi-", all, NULL, NULL);
}

static void
scsi_names(const char *root, struct hwid_disk *d, const uint8_t *page,
	   size_t len)
{
	AUTO_FREE char *text = NULL;
	struct vpd_id id;

	if (!vpd_best(page, len, &id)) {
		if (d->serial)
			add_glued(root, d, 'S', d->serial);
		return;
	}
	text = vpd_text(&id);
	if (id.type == VPD_VENDOR) {
		add_glued(root, d, '0', text);
	} else {
		AUTO_FREE char *all = base_printf("%d%s", (int)id.type, text);

		add_joined(d, "scsi-", all, NULL, NULL);
	}
}

static void
disk_names(const char *root, struct hwid_disk *d)
{
	uint8_t page[VPD_MAX_BYTES];
	size_t len = read_page(root, d->name, "vpd_pg80", page);
	AUTO_FREE char *vendor =
		sys_line(root, "/sys/block/%s/device/vendor", d->name);
	AUTO_FREE char *place = sys_real(root, "/sys/block/%s", d->name);

	d->serial = vpd_serial(page, len);
	len = read_page(root, d->name, "vpd_pg83", page);
	/* udev asks a disk behind USB by other means; no name is given then,
	 * rather than one that differs. */
	if (!place || strstr(place, "/usb"))
		return;
	if (str_eq(vendor, "ATA"))
		ata_names(d, page, len);
	else
		scsi_names(root, d, page, len);
	wwn_names(d, page, len);
}

void
hwid_names(const char *root, struct hwid_disk *d)
{
	if (str_starts(d->name, "nvme"))
		nvme_names(root, d);
	else if (str_starts(d->name, "vd"))
		virtio_names(root, d);
	else if (str_starts(d->name, "mmcblk"))
		mmc_names(root, d);
	else
		disk_names(root, d);
}
