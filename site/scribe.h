#ifndef SITE_SCRIBE_H
#define SITE_SCRIBE_H

#include "cmdb/entry.h"
#include "lib/swap.h"
#include "site/site.h"

/* The scribe writes claims back into the .cmdb files, at most a second after
 * their commit. It has a thread of its own: a file may have 100,000 entries,
 * and no machine waits for it, since the store is what counts. */
struct scribe;

int scribe_start(struct scribe **out, struct site *s, struct err *e);

/* The file of `profile` as it was merged into the store, and its stamp. Takes
 * `c`. What of it is older than the store is written back soon. */
void scribe_learn(struct scribe *w, const char *profile, struct cmdb *c,
		  const struct stamp *stamp);

/* This entry of the profile was changed, and committed. */
void scribe_mark(struct scribe *w, const char *profile, int64_t entry);

/* Write what is due, and end the thread. NULL does nothing. */
void scribe_free(struct scribe *w);
AUTO_DEFINE(scribe)

#endif
