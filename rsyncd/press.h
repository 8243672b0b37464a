#ifndef RSYNCD_PRESS_H
#define RSYNCD_PRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/hash.h"

/* Frames compressed by several threads, taken in the order in which they were
 * given. One caller gives and takes; memory is bounded, since no more can be
 * under way than there are slots. */
struct press;

struct press_frame {
	struct buf raw, packed;
	struct digest hash; /* of `packed` */
};

/* threads as in team.h. ERR_SYS. */
int press_open(struct press **out, int level, int threads, struct err *e);

/* An empty frame, to fill `raw` of; NULL when one must be taken first. The same
 * one until it is given. */
struct press_frame *press_room(struct press *p);
void press_give(struct press *p);

/* The oldest frame under way, compressed and decoded again; with `wait` false
 * only when it is ready. 1: *out, until press_done; 0: none; -1: ERR_SYS. */
int press_take(struct press *p, bool wait, struct press_frame **out,
	       struct err *e);
void press_done(struct press *p);

/* Waits for what is under way, and throws it away. */
void press_free(struct press *p);
AUTO_DEFINE(press)

#endif
