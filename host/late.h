#ifndef HOST_LATE_H
#define HOST_LATE_H

#include "roots/classes.h"

#include "host/versioned.h"

/* Edits in merged folders of the running version that are made after a new one
 * was built, and before it is entered: until the next boot, or the instant of a
 * live move. What these folders were when they were merged is kept beside the
 * new root, in VERSION.record/then. */

/* Before they are merged into `to`, of whose tree `c` are the classes. ERR_SYS,
 * ERR_INPUT. */
int late_keep(const struct versioned *v, const char *to,
	      const struct classes *c, struct err *e);

/* What was edited since comes into `to` as well, whose root is `root`; durable.
 * What was kept is forgotten, also when it fails: then nothing of a folder that
 * could not be merged came. 1: something came; 0: nothing was edited, or kept.
 * ERR_SYS, ERR_INPUT; ERR_REFUSED for accounts that cannot be merged. */
int late_bring(const struct versioned *v, const char *to, const char *root,
	       struct err *e);

#endif
