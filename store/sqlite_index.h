#ifndef STORE_SQLITE_INDEX_H
#define STORE_SQLITE_INDEX_H

/* By what entries are found: the texts that they hold under the names that
 * were ever asked for, and the names that free ones have. */
#include "store/sqlite.h"

/* An entry's fields as a value; anything but an object is a bug of ours or a
 * damaged store. Owned; NULL on failure. */
int store_entry_fields(struct store *s, const struct store_entry *t,
		       struct value **out, struct err *e);

/* A free entry's names, in order, as a hash; never "". Other entries have "",
 * since nobody looks for theirs. Owned. */
char *index_shape(const struct store_entry *t, const struct value *fields);

/* A profile's entries that hold `value` under `name`; with an owner it is the
 * number behind. */
int64_t index_hash(const char *profile, const char *name, const char *value,
		   bool owned);

/* From now on `name` is in the index; the first time costs a look at each entry
 * of the profile. */
int index_ask(struct store *s, const char *profile, const char *name,
	      struct err *e);

/* `old` (NULL: new) has become `now`, with these fields. */
int index_change(struct store *s, const struct store_entry *old,
		 const struct store_entry *now, const struct value *fields,
		 struct err *e);

#endif
