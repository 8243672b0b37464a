#ifndef AGENT_HWID_H
#define AGENT_HWID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/err.h"

/* What a disk is, from sysfs alone (the initrd has no udev). Names are those
 * that udev gives in /dev/disk, so that a profile or script that was written
 * on an installed machine fits in the initrd too. */
#define HWID_NAMES_MAX 8

struct hwid_disk {
	char *name;   /* "sda", the kernel's */
	char *serial; /* or NULL */
	char *wwn;    /* "0x5000c500…" (NAA), "eui.0025…" (NVMe); or NULL */
	char *by_path; /* "pci-0000:00:04.0", without /dev/disk/by-path/ */
	/* Names below /dev/disk/by-id, best known first. */
	char *by_id[HWID_NAMES_MAX];
	size_t by_id_len;
	uint64_t size_bytes;
};

/* Fill `out` for the disk `name` below `root` ("" is this machine). A word
 * that the disk does not tell is NULL. ERR_REFUSED when there is no such
 * disk. Clear `out` in any case. */
int hwid_disk(const char *root, const char *name, struct hwid_disk *out,
	      struct err *e);
void hwid_disk_clear(struct hwid_disk *d);

/* Name below /dev/disk/by-path, owned; NULL when it has none. */
char *hwid_by_path(const char *root, const char *name);

/* Names of the disks that count (sd, hd, vd, xvd, nvme, mmcblk; size above 0,
 * not removable media), sorted naturally: sda, sdb, …, sdaa. NULL-terminated,
 * free with names_free (lib/file.h); never NULL. */
char **hwid_disks(const char *root);

/* `name` is one that hwid_disks may list, whatever its size. */
bool hwid_disk_name(const char *name);

/* The one disk that `word` means: a kernel name ("sda"), a node ("/dev/sda"),
 * a serial, a WWN (with or without "naa.", "eui.", "0x", "wwn-"), or a name
 * of by-id or by-path, with or without its directory. *name is owned by the
 * caller. ERR_REFUSED when none or more than one fits; the text says which. */
int hwid_find(const char *root, const char *word, char **name, struct err *e);

#endif
