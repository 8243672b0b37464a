#ifndef RSYNCD_GC_H
#define RSYNCD_GC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/* Removing from TOP what nobody needs: what interrupted work left, superseded
 * seals and the files that only they name, and, when asked, old versions. */

#define GC_GRACE_S 3600 /* a client may still be reading by the old seal */

struct gc_opts {
	const char *top;
	size_t keep;  /* live versions of each role, the newest; 0: all */
	bool dry_run; /* only tell */
	bool now;     /* no grace for who reads by a seal just superseded */
	/* A file or folder that goes (or would), below TOP, and its bytes. */
	void (*removed)(void *ctx, const char *path, uint64_t bytes);
	void *ctx;
};

struct gc_result {
	size_t files;
	uint64_t bytes;
	size_t versions; /* old ones */
};

/* A version that is named by its role's HEAD, or waits for its signature, is
 * never old. Packs of an old version that others name stay. Refused while
 * somebody publishes, and when a seal is damaged: what it names is not known.
 */
int gc(const struct gc_opts *opts, struct gc_result *out, struct err *e);

#endif
