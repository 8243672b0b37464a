#ifndef ROOTS_LIVE_H
#define ROOTS_LIVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"

#include "roots/enter.h"

/* The running system moves into another version, at one instant: pid 1, the
 * kernel's threads and every program that stands at the old root stand at the
 * new one after it. Programs that run keep running their old files; those in a
 * mount namespace of their own keep the old root until they are restarted. */
struct live_opts {
	const char *version;
	const struct enter_places *places; /* of that version */
	bool any_namespace;                /* not pid 1's: for tests */
	/* Before each step; non-zero ends it, and all is as it was. */
	int (*step)(void *ctx, const char *what);
	void *ctx;
};

/* On failure nothing has changed. ERR_REFUSED when the caller's mounts are not
 * those of pid 1 (a container, a service with protections), ERR_SYS. */
int live_switch(const struct live_opts *o, struct err *e);

/* A program that still runs files of another version. */
struct straggler {
	pid_t pid;
	const char *name; /* "mariadbd" */
	const char *unit; /* its systemd unit, "" when it has none */
	const char *path; /* the first old file that it runs; "/" for a whole
			     old root, in a mount namespace of its own */
};

/* Each program whose executable or libraries are not the files that stand at
 * their paths now. `same` tells whether a file at this path is equal in both
 * versions, so that a copy of the same content does not count; NULL: only what
 * is the very same file counts as equal. Sees all programs only as root.
 * ERR_SYS. */
int live_stragglers(bool (*same)(void *ctx, const char *path),
		    void (*each)(void *ctx, const struct straggler *s),
		    void *ctx, struct err *e);

#endif
