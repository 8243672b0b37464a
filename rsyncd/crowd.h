#ifndef RSYNCD_CROWD_H
#define RSYNCD_CROWD_H

#include "rsyncd/manifest.h"

/* Contents of files, read one after the other and hashed together: that takes
 * half of the time. One for each thread. */
struct crowd;

/* told(ctx, entry, right): once for each file that was added, at the latest by
 * crowd_end. */
struct crowd *crowd_new(void (*told)(void *ctx,
				     const struct manifest_entry *entry,
				     bool right),
			void *ctx);

/* `fd` is the file that should hold what `entry` says; it is read now. ERR_SYS
 * with the path. */
int crowd_add(struct crowd *c, int fd, const struct manifest_entry *entry,
	      struct err *e);

void crowd_end(struct crowd *c);

/* What was not told is not told any more. */
void crowd_free(struct crowd *c);
AUTO_DEFINE(crowd)

#endif
