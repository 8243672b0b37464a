#ifndef AGENT_BOOT_H
#define AGENT_BOOT_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "agent/layout.h"

/* The kernel that an installed tree starts. Paths as the tree has them
 * ("/boot/vmlinuz-6.1.0"); `initrd` NULL when there is none; args without the
 * file names; `missing`: what grub.cfg names, up to this entry's end, and is
 * not there or empty, NULL when all is. */
struct boot_entry {
	char *kernel, *initrd, *args, *missing;
};
void boot_entry_clear(struct boot_entry *b);

/* What the first entry of the tree's grub.cfg boots: true to what GRUB would
 * do. `part`: the entry of a kernel whose file name holds it, or NULL.
 * ERR_INPUT when there is no usable one. */
int boot_read_entry(const char *root, const char *part, struct boot_entry *out,
		    struct err *e);

/* The same of a version on the file system `uuid`, mounted at `top`; paths are
 * below `top`. ERR_SYS, ERR_INPUT. */
int boot_read_version(const char *top, const char *version, const char *uuid,
		      const char *part, struct boot_entry *out, struct err *e);

/* The tree's grub.cfg starts a kernel with its initrd, both of them there, and
 * `root_words` (layout_root_words) for its root. ERR_INPUT. */
int boot_check_cfg(const char *root, const char *root_words, struct err *e);

/* A grub.cfg of our own for a tree without grub-mkconfig. */
void boot_print_cfg(const struct layout *l, const struct boot_entry *b,
		    const char *title, struct buf *out);

/* `text` as GRUB's script language reads it back: blanks part words. */
void boot_quote(const char *text, struct buf *out);

struct boot_opts {
	const struct layout *layout;
	const char *args;  /* boot arguments of the installed system */
	const char *title; /* of our own entry: "mysql D12-F.1.0.0" */
	const char *init;  /* versioned: the program roots/init.c */
	void (*output)(void *ctx, const char *bytes, size_t len);
	int (*tick)(void *ctx);
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

/* ---- firmware ---- */

#define BOOT_ESP "/boot/efi"
#define BOOT_BIOS "i386-pc" /* GRUB's names */
#define BOOT_UEFI "x86_64-efi"

/* This machine was started by UEFI. `sys_root` is "" or a test's. */
bool boot_is_uefi(const char *sys_root);

/* Its firmware will find a boot loader on these disks: for UEFI there is an ESP
 * at BOOT_ESP. Asked before the tree comes. ERR_INPUT; ERR_REFUSED for UEFI of
 * 32 bits. */
int boot_check_firmware(const struct layout *l, const char *sys_root,
			struct err *e);

/* The tree has GRUB's modules for it. ERR_INPUT. */
int boot_check_grub(const char *root, bool uefi, struct err *e);

/* Write the boot loader, as the firmware wants it. A versioned layout is
 * settled; top_name() lets it boot. A plain one gets a grub.cfg first, checked,
 * and it is held: boot_name() lets it boot. Until then, and so after a failure,
 * nothing boots by half. */
int boot_install(const struct boot_opts *o, struct err *e);

/* ---- a plain layout is held ---- */

#define BOOT_HELD ".held" /* grub.cfg, until it may be read by GRUB */

/* From here on GRUB reads, in the place of `cfg`, one that starts the machine
 * again. ERR_SYS. */
int boot_hold(const char *cfg, struct err *e);

/* To programs of this machine grub.cfg is what it will be, while GRUB still
 * would not see it. ERR_SYS. */
int boot_cover(const struct layout *l, struct err *e);
int boot_uncover(const struct layout *l, struct err *e);

/* All is on the disk and where GRUB sees it, and then GRUB sees grub.cfg.
 * ERR_SYS. */
int boot_name(const struct layout *l, struct err *e);

#endif
