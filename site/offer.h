#ifndef SITE_OFFER_H
#define SITE_OFFER_H

#include "cmdb/entry.h"
#include "store/store.h"

/* The entries of a profile among which cmdb_choose must choose for one
 * machine: few, however many there are, and the same choice as among all. */
struct offer {
	struct cmdb_candidate *at; /* by position */
	struct store_entry *rows;  /* the same, as stored; `fields` is NULL */
	size_t len;
};

/* Fill `o`; clear it in any case. `machine` 0: one that owns nothing. On the
 * writer, inside a transaction. ERR_SYS. */
int offer_load(struct offer *o, struct store *store, const char *profile,
	       const struct cmdb_var *vars, size_t vars_len, int64_t machine,
	       struct err *e);
void offer_clear(struct offer *o);

#endif
