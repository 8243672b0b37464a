#ifndef HOST_CHANGE_LIVE_H
#define HOST_CHANGE_LIVE_H

#include "host/change.h"

struct stage;

/* May the running system go on in c->to without a boot? Not when that starts
 * with another kernel, unless c->live says so, and not with c->later. */
int change_may_live(const struct change *c, bool *may, struct err *e);

/* Do it. `s`: what an upgrade has built, whose folders are merged once more and
 * whose post is run; NULL for a rollback, after which the services that run
 * other files are restarted. 1: it cannot be live, and why was said; nothing
 * was done. -1: the system is as it was. */
int change_live(struct change *c, struct stage *s, struct err *e);

#endif
