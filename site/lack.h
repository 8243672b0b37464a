#ifndef SITE_LACK_H
#define SITE_LACK_H

/* What a .cmdb file lacks of what the store says. Pure but for reading. */
#include "cmdb/entry.h"
#include "lib/swap.h"
#include "store/store.h"

/* A file taken out of the scribe's table for writing. */
struct lack {
	char *profile, *path;
	struct cmdb *text;
	struct stamp was, stamp; /* of what was taken out; as it is now */
	bool ours;               /* its marks are this store's */
	bool compare;
	int64_t *due;
	size_t due_len;
	struct cmdb_change *changes;
	size_t changes_len;
};

/* Fill `changes`: of the entries in `due`, or of all when `compare`. */
int lack_find(struct store *store, struct lack *k, struct err *e);

/* It was taken over from another store, a lost one: line 1 is to say so, or
 * the next edit is refused as another store's. */
bool lack_is_foreign(const struct lack *k);

void lack_clear(struct lack *k);

#endif
