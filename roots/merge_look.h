#ifndef ROOTS_MERGE_LOOK_H
#define ROOTS_MERGE_LOOK_H

#include "rsyncd/manifest.h"

#include "roots/classes.h"

/* What the merged folders of the root `root` hold now, and the folders above
 * them; a manifest to free. ERR_SYS, ERR_INPUT. */
int merge_look(const char *root, const struct classes *c, struct manifest **out,
	       struct err *e);

#endif
