#ifndef ROOTS_TOP_H
#define ROOTS_TOP_H

#include <stdbool.h>

#include "lib/err.h"

/* The top of a file system that holds versions beside one another:
 *
 *     dev proc run sys              empty, the initramfs mounts them
 *     edeploy/                      root's alone
 *       init boot.cfg boot.good log roots/init.c, roots/state.h
 *       grub/{grub.cfg,grubenv}     roots/grub.h
 *       roots/VERSION/              a tree
 *       roots/VERSION.{mounts,grub} how it is entered, how it is started
 *       state/PATH/                 the machine's own
 *       sysroot/                    a place to mount
 */
#define TOP_DIR "edeploy"

struct enter_places; /* roots/enter.h */

/* A version's name that cannot be meant for what stands beside another one. */
bool top_version_ok(const char *version);

/* Where the tree of `version` belongs. Owned. */
char *top_root(const char *top, const char *version);

/* The folders, without a version yet. What is there stays. ERR_SYS. */
int top_make(const char *top, struct err *e);

struct top_version {
	const char *version;
	const char *kernel, *initrd; /* in its tree: "/boot/vmlinuz-6.1" */
	const char *args;            /* boot arguments */
	/* state of the machine that no class tells of, or NULL: those of its
	 * places that are `state` */
	const struct enter_places *own;
};

/* Everything beside the tree of a version, which is complete: what is mounted
 * in it, how it starts, and its part of the state; in the tree, what tells its
 * systemd of /var. Not named by boot.cfg yet. ERR_SYS, ERR_INPUT (the role's
 * list of classes, the arguments). */
int top_add(const char *top, const struct top_version *v, struct err *e);

struct top_boot {
	const char *uuid;   /* of the file system */
	const char *module; /* GRUB's for it: "ext2", "xfs" */
	const char *init;   /* file of the program roots/init.c */
};

/* What boots versions: init and GRUB's files. The boot loader itself is
 * installed by the caller, with edeploy/grub as its folder. */
int top_boot(const char *top, const struct top_boot *b, struct err *e);

/* boot.cfg, the first: `version` boots from here on. The last thing that is
 * written: all of the file system is on the disk before, and where GRUB sees
 * it. */
int top_name(const char *top, const char *version, struct err *e);

#endif
