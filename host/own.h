#ifndef HOST_OWN_H
#define HOST_OWN_H

#include "rsyncd/manifest.h"

#include "roots/classes.h"

#include "host/versioned.h"

/* What somebody put into the top of a root, and no version brought (/data,
 * /swapfile), is this machine's own, as /srv is: it comes along, and goes with
 * no version. A folder is one for all versions from the next one on. It stays
 * where it was made as long as that version is there, edeploy/state/NAME is a
 * link that leads to it, and moves to that place when the version goes. */

/* `path` is such a thing or below one: nothing in `tree` is above it, nor has a
 * class been given there. */
bool own_is(const struct manifest *tree, const struct classes *c,
	    const char *path);

/* Let edeploy/state/NAME lead to the folder NAME of `version`; nothing where
 * that is so, or where its place is. ERR_SYS, ERR_REFUSED: another one is
 * there. */
int own_lead(const struct versioned *v, const char *version, const char *name,
	     struct err *e);

/* `below` ("data/x") of the root of `version` is, or is in, a folder that is
 * led to. */
bool own_is_led(const struct versioned *v, const char *version,
		const char *below);

/* An empty folder holds nothing that could be lost; one that cannot be read
 * may. */
bool own_holds_files(const char *path);

/* Before the root of `version` is removed, or made anew: the folders there that
 * are led to move to their places, each at once. What no upgrade has seen (it
 * was made behind it, or in a version that fell) is put into edeploy/state, and
 * said. ERR_SYS. */
int own_adopt(const struct versioned *v, const char *version, struct err *e);

/* The same, where it is known as what it was published. */
int own_adopt_of(const struct versioned *v, const char *version,
		 const struct manifest *tree, struct err *e);

#endif
