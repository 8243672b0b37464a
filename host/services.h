#ifndef HOST_SERVICES_H
#define HOST_SERVICES_H

#include "lib/err.h"
#include "lib/value.h"

/* What runs while the files below it become another version's. */

/* Append each program that runs old files: {"pid", "name", "unit", "path"}
 * (roots/live.h). ERR_SYS. */
int services_old(struct value *out, struct err *e);

/* systemd reads its units anew, and starts its own program anew when that is
 * another one now. Without systemd nothing is done. ERR_SYS. */
int services_reload(struct err *e);

/* Restart the units of `old` that are services and not in `spared`. Left alone
 * are those that a running system cannot restart without loss: sessions, the
 * bus, and the one that this very program runs in. Stopped are those whose unit
 * is gone: the version that runs has none. ERR_SYS when systemd could not
 * restart one; the others are. */
int services_restart(const struct value *old, const struct value *spared,
		     struct err *e);

#endif
