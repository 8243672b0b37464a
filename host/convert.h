#ifndef HOST_CONVERT_H
#define HOST_CONVERT_H

#include <stdbool.h>

#include "lib/err.h"

#include "rsyncd/manifest.h"

#include "host/host.h"
#include "host/versioned.h"

/* A host whose / is one plain root becomes one with versions beside one another
 * (docs/operations.md "Converting"), in place and while it runs.
 *
 * What it runs becomes /edeploy/roots/VERSION: hard links where nobody writes
 * into files, copies below merged paths and of what packages keep below /var.
 * Nothing else moves. /edeploy/state holds links to the machine's own
 * directories, those of the role's list and what no version brought in the top
 * (host/own.h), which stay where they are, so that the old root stays bootable
 * with them: it is what GRUB goes back to as long as the first boot of the
 * version was not well ("plain" in boot.cfg). The boot loader stays, too; one
 * sector of its grub.cfg, written last, makes it read /edeploy/grub/grub.cfg.
 * So the disk boots at every moment, and boots what it booted before until that
 * sector is on it.
 *
 * In the old root it can be done again: that sector is the old one again before
 * anything of /edeploy is touched, which by then nothing boots. */
#define CONVERT_PLAIN VERSIONED_PLAIN /* the old root's name in boot.cfg */

struct convert {
	bool at_boot;    /* do not move the running system at once */
	const char *sys; /* "/sys" */
	/* See that the version's signed record is in `folder`, where the host's
	 * own is copied when it has one, and read it; or NULL. `*tree` is owned
	 * by the caller. */
	int (*record)(void *ctx, const char *folder, struct manifest **tree,
		      struct err *e);
	/* The version's root stands: write down what of it is not the version's
	 * (roots/local.h); or NULL. */
	int (*local)(void *ctx, const char *root, struct manifest *tree,
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
 * there, and is durable after the caller's syncfs; of folders in `own` it has
 * the place alone. With `into` NULL nothing is written. *bytes: what is not
 * shared, at least. ERR_SYS, ERR_INPUT. */
int convert_tree(int top, const char *into, const struct classes *classes,
		 const struct enter_places *own, unsigned long long *bytes,
		 struct err *e);

/* The machine's own stays where it is: edeploy/state/PATH is a link to /PATH
 * where nothing is there yet. ERR_SYS. */
int convert_link(const char *path, struct err *e);

/* Folders in the top of the file system `top` that the version's `tree` has
 * not: they stay, too, for else a file that is made there until the version is
 * entered would be left behind. One that cannot be mounted (a blank in its
 * name), or on which something is mounted, is none of them, and comes along as
 * it is; so do files. They are linked to; ERR_REFUSED where edeploy/state has
 * another one of the name. ERR_SYS. */
int convert_own_find(int top, const struct manifest *tree,
		     const struct classes *classes, struct enter_places *out,
		     struct err *e);

/* What was made in the top of an older root of `version` while it ran is kept
 * (own_adopt). */
int convert_own_adopt(int top, const char *version, const struct manifest *tree,
		      struct err *e);

/* The boot loader's own grub.cfg, as the running system sees it; NULL when
 * there is none. */
const char *convert_find_cfg(void);

/* What a conversion that was killed while it wrote the copy beside `cfg` has
 * left there, away; no version is to have it. */
void convert_tidy(const char *cfg);

/* Let it read /edeploy/grub/grub.cfg of the file system `uuid`: one sector, at
 * once. A copy of what it was is kept beside it. ERR_SYS. */
int convert_redirect(const char *cfg, const char *uuid, struct err *e);

/* The other way: it is the old root's again. Nothing where it is so already.
 * ERR_SYS, ERR_REFUSED when the copy is gone. */
int convert_restore(const char *cfg, struct err *e);

#endif
