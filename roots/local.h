#ifndef ROOTS_LOCAL_H
#define ROOTS_LOCAL_H

#include "rsyncd/manifest.h"

/* What stands in a root and is not of its version's tree, or not as published:
 * what an installation or an upgrade added (this host's command, fstab, the
 * script's files). Kept as a manifest of those entries and the folders above
 * them, beside the root: /edeploy/roots/VERSION.local, on a plain host
 * /var/lib/edeploy/local. Who verifies a root takes an entry from here before
 * that of the tree. */
#define LOCAL_FILE "/var/lib/edeploy/local" /* of a plain host */

/* Look at `root`, of which `tree` is what was published. Contents are read only
 * of what a stat shows to be another file; what is missing is not told. `skip`
 * leaves out a path with all below it, or is NULL. ERR_SYS, ERR_INPUT,
 * ERR_REFUSED (a file changes meanwhile). */
int local_make(struct manifest **out, const char *root,
	       const struct manifest *tree,
	       bool (*skip)(void *ctx, const char *path), void *ctx,
	       struct err *e);

/* ERR_SYS; ERR_INPUT; *out is NULL when there is no such file. */
int local_read(struct manifest **out, const char *path, struct err *e);
int local_write(const struct manifest *local, const char *path, struct err *e);

#endif
