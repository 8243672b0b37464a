#ifndef AGENT_DISK_ID_H
#define AGENT_DISK_ID_H

#include "lib/err.h"

/* Give the table ("gpt", "msdos") that was just written on a node an id that
 * carries the mark of `identity` (agent/disk_mark.h). ERR_SYS. */
int disk_id_mark(const char *node, unsigned sector_size, const char *table,
		 const char *identity, struct err *e);

#endif
