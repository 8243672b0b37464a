#ifndef RSYNCD_PUBLISH_H
#define RSYNCD_PUBLISH_H

#include "rsyncd/patch.h"
#include "rsyncd/seal.h"

/* A built tree becomes an immutable version below TOP: TOP/trees/ROLE/VERSION
 * (docs/formats.md "Trees"), TOP/install/VERSION/ROLE and
 * TOP/metadata/FROM/ROLE/VERSION for stock rsync. */
#define PUBLISH_DELTAS 3 /* versions that a new one has a delta from */
#define PUBLISH_LEVEL 3
#define PUBLISH_LEVEL_BEST 19

struct publish_opts {
	const char *top;
	const char *role, *version;
	const char *dir;            /* may be TOP/install/VERSION/ROLE itself */
	const struct sign_key *key; /* NULL: left unsigned, not live yet */
	const char *const *on; /* "ROLE[/VERSION]" built upon, NULL-ended */
	int deltas;   /* from how many versions before; -1: the usual */
	int level;    /* 0: the usual */
	bool new_ids; /* numbers of users may differ from the version before */
	int threads;
	/* all 0: not known */
	void (*progress)(void *ctx, const char *stage, uint64_t done,
			 uint64_t all);
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

struct publish_result {
	struct seal *seal;
	bool already;    /* it was published before, with this tree */
	bool signed_now; /* it waited for a signature until now */
	bool live;       /* signed */
	uint64_t packed; /* bytes written below trees */
	uint64_t reused; /* compressed bytes of frames that stood there */
	uint64_t linked; /* bytes of files that the view shares with others */
};
void publish_result_clear(struct publish_result *r);

/* Nothing of it can be seen by a client before the last rename. Called again
 * with the same tree it is a no-op; with another tree under a version that is
 * published ERR_REFUSED, as for renumbered users, which the message names.
 * Two at once on one role wait for each other. */
int publish(const struct publish_opts *opts, struct publish_result *out,
	    struct err *e);

/* Better packing of what is published (dir, on, deltas, new_ids do not
 * matter): its own contents and its deltas at the best level with every patch
 * kind; a new seal, live once signed. */
int publish_repack(const struct publish_opts *opts, struct publish_result *out,
		   struct err *e);

/* Sign the newest seal of a version that waits for it and make it live. None
 * waits: signed anew, as the next revision, when another key signed it. Needs
 * no more of TOP than seals and HEADs. *out: what is live now. */
int publish_seal(const char *top, const char *role, const char *version,
		 const struct sign_key *key, struct seal **out, struct err *e);

#endif
