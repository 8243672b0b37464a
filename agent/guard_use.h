#ifndef AGENT_GUARD_USE_H
#define AGENT_GUARD_USE_H

#include <stdbool.h>

#include "lib/buf.h"

/* Who has a node: what is mounted from it or its partitions, which RAID or
 * device-mapper volume holds it, swap; "" when nobody can be named. */
void guard_users(const char *node, struct buf *out);

/* The disk that a partition's node is on (/dev/sda of /dev/sda1), NULL when
 * `node` is no partition. Owned. */
char *guard_disk_of(const char *node);

/* `node` is `disk`, a partition of it, or a volume (RAID, LVM, encryption)
 * that lies on it, through any number of layers. */
bool guard_stands_on(const char *node, const char *disk);

#endif
