#ifndef AGENT_DISK_H
#define AGENT_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/* Partition tables. Nothing here asks whether it may: agent/guard.h does. A
 * node is a whole disk, or a regular file in tests. */

/* How large a partition is wanted: exactly one of the three. */
struct disk_size {
	uint64_t bytes;
	unsigned percent; /* of the disk, 1 to 100 */
	bool rest;        /* the largest free part */
};

/* "8G" (powers of 1024: K, M, G, T, with or without iB), "8GB" (powers of
 * 1000), "50%", "rest"; plain digits are bytes. ERR_INPUT. */
int disk_size_parse(const char *text, struct disk_size *out, struct err *e);

/* Write an empty table, "gpt" or "msdos", whose id carries the mark of
 * `identity`. ERR_INPUT for another table, ERR_SYS. */
int disk_label(const char *node, const char *table, const char *identity,
	       struct err *e);

struct disk_want {
	struct disk_size size;
	const char *type; /* linux, swap, bios, esp, raid, lvm, prep */
	const char *name; /* GPT only; NULL: none */
	bool boot;        /* active (msdos), legacy_boot (gpt) */
};

struct disk_part {
	int number;
	uint64_t start, size; /* bytes */
};

/* Add a partition in the first free part that holds it, aligned to 1 MiB, and
 * tell the kernel. ERR_INPUT when it does not fit or the table cannot have
 * it, ERR_SYS. */
int disk_partition(const char *node, const struct disk_want *want,
		   struct disk_part *out, struct err *e);

/* The kernel's node of a partition: waits until sysfs shows one of this disk
 * with this number, start and size, and its node below /dev is there. ERR_SYS
 * when it did not come in `wait_ms`. *out is owned by the caller. */
int disk_part_node(const char *node, const struct disk_part *part, int wait_ms,
		   char **out, struct err *e);

#endif
