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

/* The move to `version` was cut off, before its post had ended: by a kill or a
 * power cut. */
bool change_was_cut_off(const struct change *c, const char *version);

/* Go on where that was: the system stands in c->to. `back`: by a rollback of
 * c->from. ERR_*: it does still. */
int change_resume(struct change *c, bool back, struct err *e);

/* c->to's post has ended well, and nothing keeps it from being proved: what
 * change_live wrote before it is gone from the disk. ERR_SYS. */
int change_post_ended(const struct change *c, struct err *e);

/* ---- for upgrades and rollbacks (host/change.c) ---- */

/* A version that was armed and never booted makes room for another. */
int change_drop_trial(struct change *c, struct err *e);

/* c->to is where GRUB sees it, and only then it is named. */
int change_arm(struct change *c, struct err *e);

/* As change_live. 1: done; 0: at the next boot, then. */
int change_try_live(struct change *c, struct stage *s, struct err *e);

/* -1; who looks later sees that `what` was tried. */
int change_failed(const struct change *c, const char *what,
		  const struct err *e);

#endif
