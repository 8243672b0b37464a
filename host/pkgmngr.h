#ifndef HOST_PKGMNGR_H
#define HOST_PKGMNGR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* Packages come with a version; changed by hand they are another host than its
 * version says, and gone with the next one. So they can be held: dpkg and rpm
 * then refuse to install, configure or remove, for whichever program asks them
 * (apt, aptitude, unattended-upgrades, dnf, yum, zypper), fail, and say why.
 * Looking, fetching and simulating go on. What runs in an upgrade (pre, post:
 * EDEPLOY_TO in its environment) is not held.
 *
 * It is a file of each manager's own configuration, and none of its programs:
 * so it is an edit of /etc, which the next version takes over, and no file of a
 * package is another than it was published. */
struct pkgmngr {
	const char *name;    /* "dpkg" */
	const char *path;    /* of its switch: "etc/dpkg/dpkg.cfg.d/edeploy" */
	const char *text;    /* in it */
	const char *program; /* who has that has this manager */
	const char *db[4];   /* what tells of its packages; NULL ends */
};

/* The next after `p` that the system below `root` has; NULL: the first; NULL
 * when there is no other. */
const struct pkgmngr *pkgmngr_next(const struct pkgmngr *p, const char *root);

/* One that it has is held. */
bool pkgmngr_held(const char *root);

/* `path` (relative) holds one. */
bool pkgmngr_is_switch(const char *path);

/* Hold all, or none any more. *changed: what was another way before. ERR_SYS;
 * ERR_REFUSED when the system has no manager that could be held. */
int pkgmngr_set(const char *root, bool held, bool *changed, struct err *e);

#endif
