/* What the firmware looks for on a disk. */
#include <stdio.h>

#include "lib/file.h"

#include "agent/boot.h"

bool
boot_is_uefi(const char *sys_root)
{
	AUTO_FREE char *path = base_printf("%s/sys/firmware/efi", sys_root);

	return file_exists(path);
}

static const struct layout_mount *
find_esp(const struct layout *l)
{
	size_t i;

	for (i = 1; i < l->len; i++)
		if (str_eq(l->mounts[i].where, BOOT_ESP))
			return &l->mounts[i];
	return NULL;
}

int
boot_check_firmware(const struct layout *l, const char *sys_root, struct err *e)
{
	const struct layout_mount *esp = find_esp(l);
	AUTO_FREE char *bits = NULL;

	if (!boot_is_uefi(sys_root))
		return 0;
	bits = file_line(sys_root, "/sys/firmware/efi/fw_platform_size");
	if (bits && !str_eq(bits, "64"))
		return err_set(e, ERR_REFUSED,
			       "this machine's UEFI is of %s bits, and GRUB is "
			       "installed for 64: set its firmware to legacy "
			       "boot (CSM)",
			       bits);
	if (!esp)
		return err_set(e, ERR_INPUT,
			       "this machine was started by UEFI, which boots "
			       "from an ESP: the script makes one, "
			       "disk.partition(…, {type = 'esp', size = "
			       "'256M'}), formats it as vfat and mounts it "
			       "on " BOOT_ESP);
	if (!str_eq(esp->fstype, "vfat"))
		return err_set(e, ERR_INPUT,
			       BOOT_ESP " is %s, and UEFI reads vfat only: "
					"disk.format(%s, 'vfat')",
			       esp->fstype, esp->node);
	return 0;
}

int
boot_check_grub(const char *root, bool uefi, struct err *e)
{
	AUTO_FREE char *modules = base_printf("%s/usr/lib/grub/%s", root,
					      uefi ? BOOT_UEFI : BOOT_BIOS);

	if (file_exists(modules))
		return 0;
	return err_set(e, ERR_INPUT,
		       "the tree has no /usr/lib/grub/%s: add %s to the role",
		       uefi ? BOOT_UEFI : BOOT_BIOS,
		       uefi ? "grub-efi-amd64-bin" : "grub-pc-bin");
}
