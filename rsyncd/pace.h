#ifndef RSYNCD_PACE_H
#define RSYNCD_PACE_H

#include <stdint.h>

#include "lib/base.h"

/* A clock for what a thread waits for: it stands still while the thread is
 * ready to go on and others have the processor, so that a busy machine is not
 * taken for a slow wire. Of the thread that made it; where the kernel does not
 * count that, it never stands still. */
struct pace;

struct pace *pace_new(void);
void pace_free(struct pace *p);
AUTO_DEFINE(pace)

/* Microseconds; never backwards. */
uint64_t pace_us(struct pace *p);

/* How long what the thread did took it, in percent of what it would have had
 * the processor been its own: 100 and more. */
unsigned pace_slow(const struct pace *p);

#endif
