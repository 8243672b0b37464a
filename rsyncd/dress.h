#ifndef RSYNCD_DRESS_H
#define RSYNCD_DRESS_H

#include "rsyncd/manifest.h"

/* What a manifest says of an entry besides its content, put on what was made
 * for it: owner, mode, attributes, time; in this order, since each takes
 * something of the later away. A folder is dressed after all that is put into
 * it: its time moves, and its default ACL would be inherited. An ACL that was
 * inherited from a folder above the tree goes. ERR_SYS with the path. */

/* An open f or d. */
int dress_fd(int fd, const struct manifest_entry *m, struct err *e);

/* An l, c, b or p called `base` in the folder `dirfd`. */
int dress_at(int dirfd, const char *base, const struct manifest_entry *m,
	     struct err *e);

/* Make the l, c, b or p first. */
int dress_make(int dirfd, const char *base, const struct manifest_entry *m,
	       struct err *e);

#endif
