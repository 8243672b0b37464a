#ifndef SITE_MEMORY_H
#define SITE_MEMORY_H

#include "site/snapshot.h"
#include "store/store.h"

/* The last good texts, as a snapshot to take over from; NULL: ERR_SYS. */
struct snapshot *memory_load(struct store *store, struct err *e);

/* A profile whose entries the store knows has a CMDB, also when nobody has seen
 * its file since the start. */
int memory_has_cmdb(struct store *store, struct profile *p, struct err *e);

/* Inside a transaction: what is good in `s` is what the store remembers. */
int memory_keep(struct store *store, const struct snapshot *s, struct err *e);

#endif
