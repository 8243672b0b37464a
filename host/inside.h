#ifndef HOST_INSIDE_H
#define HOST_INSIDE_H

#include "host/versioned.h"

/* Run a program in the root of a version that does not run, mounted as it would
 * be when it did (state, its own places in it, /edeploy), with this system's
 * /dev, /proc, /sys and /run; in a mount namespace of its own, of which nothing
 * remains. Its output goes to ours, to stderr when `quiet`. *status: its exit
 * code. ERR_SYS. */
struct inside {
	const struct versioned *on;
	const char *version;
	bool quiet;
};
int inside_run(const struct inside *in, const char *const argv[], int *status,
	       struct err *e);

#endif
