#ifndef HOST_CONVERT_H
#define HOST_CONVERT_H

#include <stdbool.h>

#include "lib/err.h"

#include "host/host.h"

/* A host whose / is one plain root becomes one with versions beside one another
 * (docs/operations.md "Converting"), in place and while it runs.
 *
 * What it runs becomes /edeploy/roots/VERSION: hard links where nobody writes
 * into files, copies below merged paths and of what packages keep below /var.
 * Nothing else moves. /edeploy/state holds links to the machine's own
 * directories, which stay where they are, so that the old root stays bootable
 * with them: it is what GRUB goes back to as long as the first boot of the
 * version was not well ("plain" in boot.cfg). The boot loader stays, too; one
 * sector of its grub.cfg, written last, makes it read /edeploy/grub/grub.cfg.
 * So the disk boots at every moment, and boots what it booted before until that
 * sector is on it. */
#define CONVERT_PLAIN "plain" /* the old root's name in boot.cfg */

struct convert {
	bool at_boot;    /* do not move the running system at once */
	const char *sys; /* "/sys" */
	/* The version's root stands: see that its signed record is in `folder`,
	 * where the host's own is copied when it has one, and write down what
	 * of it is not the version's (roots/local.h); or NULL. */
	int (*record)(void *ctx, const char *folder, const char *root,
		      struct err *e);
	/* Put into the new root what every upgrade puts there (this command,
	 * what proves a trial); or NULL. */
	int (*complete)(void *ctx, const char *root, struct err *e);
	/* Before each step; non-zero ends it there. NULL but in tests. */
	int (*step)(void *ctx, const char *what);
	void *ctx;

	bool live;     /* out: the running system stands in the version */
	char *why_not; /* out, owned by the caller: why it does not */
};

/* ERR_REFUSED with the reason when this host's disk cannot hold versions; then
 * nothing has changed. After any other failure the disk boots as before, and
 * the call can be made again. */
int convert(const struct host *h, struct convert *c, struct err *e);

/* ---- its parts ---- */

struct classes;
struct enter_places;

/* Why what is mounted does not allow it, or NULL. Owned. */
struct mounts;
char *convert_unfit(const struct mounts *m, const struct classes *classes,
		    const char *sys);

/* Something is mounted below a state directory: a live move would cover it.
 * Borrowed from `m`, or NULL. */
const char *convert_covered(const struct mounts *m,
			    const struct enter_places *places);

/* The file system of / alone, with nothing that is mounted on it. -1: ERR_SYS.
 */
int convert_open_top(struct err *e);

/* `into`, a path on the file system `top`, becomes a root that holds what is
 * there, and is durable after the caller's syncfs. With `into` NULL nothing is
 * written. *bytes: what is not shared, at least. ERR_SYS, ERR_INPUT. */
int convert_tree(int top, const char *into, const struct classes *classes,
		 unsigned long long *bytes, struct err *e);

/* The boot loader's own grub.cfg, as the running system sees it; NULL when
 * there is none. */
const char *convert_find_cfg(void);

/* Let it read /edeploy/grub/grub.cfg of the file system `uuid`: one sector, at
 * once. A copy of what it was is kept beside it. ERR_SYS. */
int convert_redirect(const char *cfg, const char *uuid, struct err *e);

#endif
