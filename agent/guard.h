#ifndef AGENT_GUARD_H
#define AGENT_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

/* Looks at a disk before anything is written to it (DESIGN.md, decision 4).
 * A node is a block device; a regular file does too, for tests. */
struct guard_found {
	struct buf strange; /* one a line: "ext4 file system 'data' on sda1" */
	size_t strange_len; /* how many */
	size_t ours;        /* signatures with this machine's mark */
};

/* Find every signature of a partition table, file system, RAID, LVM or
 * encryption on the node, in the partitions that its table names, and where a
 * lost table's first partition would be. Those without the mark of `identity`
 * (agent/disk_mark.h) are strange. For the node of a partition the table that
 * it is in counts too. Nothing is written. ERR_SYS. Clear `out` in any case. */
int guard_look(const char *node, const char *identity, struct guard_found *out,
	       struct err *e);
void guard_found_clear(struct guard_found *f);

/* The same for a part of a node only, in bytes. */
int guard_look_area(const char *node, unsigned long long start,
		    unsigned long long size, const char *identity,
		    struct guard_found *out, struct err *e);

/* The node may be written: a block device that is not read only and that
 * nothing has mounted or otherwise taken. ERR_REFUSED tells who has. */
int guard_idle(const char *node, struct err *e);

/* The boot loader may be written to `disk`: something that is mounted on or
 * below `top` lies on it, or guard_look finds nothing strange there.
 * ERR_REFUSED, ERR_SYS. */
int guard_boot(const char *disk, const char *top, const char *identity,
	       struct err *e);

/* Erase the signatures that guard_look sees, durably. Only after it said that
 * this is right. ERR_SYS. */
int guard_wipe(const char *node, struct err *e);

#endif
