#ifndef HOST_REMOTE_H
#define HOST_REMOTE_H

#include "lib/mounts.h"

/* The pattern by which rsync leaves this mount alone, when other machines have
 * their part in its files and it lies below `root` (""; or where a root is
 * mounted); else NULL. Owned by the caller. */
char *remote_pattern(const struct mount_row *m, const char *root);

#endif
