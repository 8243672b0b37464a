#ifndef ROOTS_GRUB_H
#define ROOTS_GRUB_H

#include "lib/buf.h"
#include "lib/err.h"

/* GRUB's half of the game that roots/state.h tells: /edeploy/grub/grub.cfg,
 * written once at installation, and /edeploy/roots/VERSION.grub for each
 * version. GRUB alone writes /edeploy/grub/grubenv, Linux alone boot.cfg. */

/* The whole grub.cfg. `uuid` is that of the file system with /edeploy, `module`
 * what GRUB reads it with ("ext2", "xfs", "btrfs"). */
void grub_print_cfg(const char *uuid, const char *module, struct buf *out);

/* Boot arguments as GRUB hands them on: printable ASCII on one line, at most
 * 2,048 bytes, without quotes and backslashes: GRUB puts a backslash before
 * each (its grub_create_loader_cmdline), and the kernel's parser knows none, so
 * a word in quotes would come apart. ERR_INPUT, `what` names them. */
int grub_args_check(const char *args, const char *what, struct err *e);

/* How one version is started: its kernel and initrd as GRUB sees them
 * ("/edeploy/roots/V/boot/vmlinuz-6.1"), and arguments. ERR_INPUT for a
 * character that no grub.cfg can hold (a line's end, NUL). */
int grub_print_version(const char *kernel, const char *initrd, const char *args,
		       struct buf *out, struct err *e);

/* What such a text says, read strictly. Owned by the caller. ERR_INPUT, `name`
 * for messages. */
struct grub_version {
	char *kernel, *initrd, *args;
};
int grub_read_version(struct grub_version *out, const char *text,
		      const char *name, struct err *e);
void grub_version_clear(struct grub_version *v);

/* The same of /edeploy/roots/VERSION.grub on the file system at `top`. ERR_SYS,
 * ERR_INPUT. */
int grub_load_version(struct grub_version *out, const char *top,
		      const char *version, struct err *e);

/* An empty environment block of 1024 bytes, which GRUB writes in place. */
void grub_print_env(struct buf *out);

#endif
