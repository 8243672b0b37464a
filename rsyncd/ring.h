#ifndef RSYNCD_RING_H
#define RSYNCD_RING_H

#include <stddef.h>

#include "lib/base.h"

/* Room for bytes that come, are used and go in about the order in which they
 * came: one piece of memory that is gone through round and round, so that the
 * kernel hands out its pages once. One thread at a time. */
struct ring;

struct ring *ring_new(size_t size);

/* Room for `len` bytes, aligned for anything; NULL while there is none. What
 * is at most ring_max gets it at the latest when all else was given back. */
unsigned char *ring_take(struct ring *r, size_t len);
void ring_give(struct ring *r, unsigned char *bytes);

/* The longest that there can be room for: `size`, or a little more. */
size_t ring_max(const struct ring *r);

/* With all that is in it. */
void ring_free(struct ring *r);
AUTO_DEFINE(ring)

#endif
