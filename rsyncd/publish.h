#ifndef RSYNCD_PUBLISH_H
#define RSYNCD_PUBLISH_H

#include "rsyncd/patch.h"
#include "rsyncd/seal.h"

/* A built tree becomes an immutable version below TOP: TOP/trees/ROLE/VERSION
 * (docs/formats.md "Trees"), TOP/install/VERSION/ROLE and
 * TOP/metadata/FROM/ROLE/VERSION for stock rsync. */

struct publish_opts {
	const char *top;
	const char *role, *version;
	const char *dir;            /* may be TOP/install/VERSION/ROLE itself */
	const struct sign_key *key; /* NULL: left unsigned, not live yet */
	const char *const *on; /* "ROLE[/VERSION]" built upon, NULL-ended */
	int deltas;            /* from how many versions before; -1: 3 */
	int level;             /* 0: 3 */
	bool new_ids; /* numbers of users may differ from the version before */
	int threads;
	void (*progress)(void *ctx, const char *stage, uint64_t done,
			 uint64_t all);
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

/* Nothing of it can be seen by a client before the last rename. Called again
 * with the same tree it is a no-op; with another tree under a version that is
 * published ERR_REFUSED, as for renumbered users, which the message names.
 * Two at once on one role wait for each other. */
int publish(const struct publish_opts *opts, struct seal **out, struct err *e);

/* Better packing of what is published: level 19, every patch kind; a new
 * seal, live once signed. */
int publish_repack(const struct publish_opts *opts, struct seal **out,
		   struct err *e);

/* Sign the newest seal of a version that waits for it and make it live. */
int publish_seal(const char *top, const char *role, const char *version,
		 const struct sign_key *key, struct err *e);

#endif
