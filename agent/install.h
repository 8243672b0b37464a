#ifndef AGENT_INSTALL_H
#define AGENT_INSTALL_H

#include <stdbool.h>

#include "lib/err.h"

#include "agent/deploy.h"
#include "agent/script.h"

/* What an installation of a published tree leaves for the upgrades to come, and
 * how it lies on the disk for them. */
#define INSTALL_INIT "/usr/lib/edeploy/init" /* in the initrd: roots/init.c */

/* Before the tree comes: d->layout becomes versioned where it can be, unless
 * plain was asked for (layout() of the script, else the word LAYOUT).
 * ERR_REFUSED when versioned was asked for and cannot be; ERR_SYS. */
int install_divide(struct deploy *d, const struct script_result *p,
		   bool published, struct err *e);

/* Folder of the record of what is brought. Owned. */
char *install_record(const struct layout *l);

/* When the tree came and nobody has changed it. */
int install_keep(struct deploy *d, struct err *e);

/* When all was added to it that this machine has of its own. */
int install_note(struct deploy *d, struct err *e);

#endif
