#ifndef ROOTS_COPY_H
#define ROOTS_COPY_H

#include "rsyncd/manifest.h"

#define COPY_TEMPORARY ".edeploy-copy"

/* The file m->path below `from_top` becomes `base` in the folder `parent`, with
 * the owner, mode, attributes and time that `m` says. Under another name first:
 * what is there is whole. A file of that name is replaced. ERR_SYS;
 * ERR_REFUSED when it is no file any more. */
int copy_file(int from_top, int parent, const char *base,
	      const struct manifest_entry *m, struct err *e);

#endif
