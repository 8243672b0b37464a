#ifndef AGENT_FS_H
#define AGENT_FS_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

#include "agent/disk_mark.h"

/* File systems and swap. Nothing here asks whether it may write: see
 * agent/guard.h. */
#define FS_ARGS_MAX 64

struct fs_want {
	const char *node, *fstype;  /* ext2, ext3, ext4, xfs, btrfs, vfat */
	const char *label;          /* NULL: none */
	const char *uuid;           /* the operator's own; NULL: a marked one */
	const char *identity;       /* whose mark the UUID carries */
	const char *const *options; /* more arguments for mkfs, or NULL */
};

/* The command that makes it; its texts live as long as `want` and this. `id`
 * is the UUID (volume id of vfat). ERR_INPUT for an unknown type. */
struct fs_command {
	const char *argv[FS_ARGS_MAX]; /* NULL-terminated */
	char id[MARK_UUID_TEXT];
	char id_arg[MARK_UUID_TEXT + 8];
};
int fs_command(const struct fs_want *want, struct fs_command *out,
	       struct err *e);

/* ERR_INPUT when the program of `command` is not here, as in an initrd that was
 * built without it: to be asked before what is on the node is erased. */
int fs_program_here(const struct fs_command *command, struct err *e);

/* Write a swap area (version 1, native page size), which needs no program. */
int fs_make_swap(const char *node, const char *label, const char *uuid,
		 struct err *e);

/* What is on a node: type and UUID, owned, NULL when there is none. ERR_SYS
 * when it cannot be read or holds several at once. */
struct fs_seen {
	char *type, *uuid;
};
int fs_look(const char *node, struct fs_seen *out, struct err *e);
void fs_seen_clear(struct fs_seen *s);

/* Mount a node on `dir`, which is made if needed. `options` are those of
 * fstab: what would keep the tree from being written now (ro, noauto, noexec…)
 * is left for fstab. ERR_SYS. */
int fs_mount(const char *node, const char *dir, const char *fstype,
	     const char *options, struct err *e);
int fs_umount(const char *dir, struct err *e);

#endif
