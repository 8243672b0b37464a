#ifndef RSYNCD_VIEW_COPY_H
#define RSYNCD_VIEW_COPY_H

#include "rsyncd/manifest.h"

/* Copy a file, which `found` was said of a moment ago, to an empty one:
 * sharing its blocks where the file system can, with holes where it has holes.
 * ERR_REFUSED when it changed since; ERR_SYS. */
int view_copy(int from, int into, const struct manifest_entry *found,
	      struct err *e);

#endif
