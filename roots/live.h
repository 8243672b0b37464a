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
	/* Before each step; non-zero ends it, and all is as it was. Before the
	 * last one, "the old root", the system has moved: it is not heeded. */
	int (*step)(void *ctx, const char *what);
	void *ctx;
};

/* Where an automount stands directly on the root, with which the system cannot
 * move; NULL: nowhere. Owned. */
char *live_automount(void);

/* On failure nothing has changed. ERR_REFUSED when the caller's mounts are not
 * those of pid 1 (a container, a service with protections), or an automount is
 * in the way; ERR_SYS. */
int live_switch(const struct live_opts *o, struct err *e);

/* What a move that was killed has left mounted is taken off: a root that was
 * being put together; or, behind the instant, when the system stands in the new
 * root, the old one, which covers "/" still for whoever comes from outside.
 * Otherwise nothing is done. ERR_SYS. */
int live_finish(struct err *e);

/* The version that "/" is, as the mounts say. Owned. ERR_REFUSED when it is
 * none (a host laid out as plain), ERR_INPUT when the system, which is pid 1,
 * stands in another and this program was left behind by a move. */
char *live_running(struct err *e);

/* A kernel that goes on in another version loads its modules from
 * /lib/modules/RELEASE still. Where the running root has none of these, they
 * are seen there as the version `from` has them, until the next boot. Without
 * modules in `from` nothing is done. ERR_SYS. */
int live_keep_modules(const char *from, const char *release, struct err *e);

/* A program that still runs files of another version. */
struct straggler {
	pid_t pid;
	const char *name; /* "mariadbd" */
	const char *unit; /* its systemd unit, "" when it has none */
	const char *path; /* the first old file that it runs; "/" for a whole
			     old root, in a mount namespace of its own */
};

/* Each program whose executable or libraries are not what stands at their paths
 * now; a copy of the same content is no other file. What an interpreter has
 * read is not seen. Only root sees all programs. ERR_SYS. */
int live_stragglers(void (*each)(void *ctx, const struct straggler *s),
		    void *ctx, struct err *e);

#endif
