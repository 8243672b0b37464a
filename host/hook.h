#ifndef HOST_HOOK_H
#define HOST_HOOK_H

#include "host/change.h"

/* `name` (pre, post) of the tree of c->to, which stands in roots/`folder`, run
 * in version `where`: *status, 0 when there is none. In its environment:
 * EDEPLOY_FROM, EDEPLOY_TO, and EDEPLOY_LIVE, 1 when `where` is the system that
 * runs, so that services may be restarted; else empty, and it sees the folders
 * of `where`, but processes, /run and devices of what runs. ERR_SYS. */
int hook_run(const struct change *c, const char *name, const char *folder,
	     const char *where, int *status, struct err *e);

#endif
