#ifndef ROOTS_SEED_H
#define ROOTS_SEED_H

#include "lib/err.h"

/* What a version brings for a state directory comes there when it is not there
 * yet; what is there stays as it is, whatever the version says: it is the
 * machine's. `from` and `to` are directories, `to` is made. Not durable
 * before the caller's syncfs; called again after a failure it goes on.
 * ERR_SYS, ERR_INPUT (what no manifest can say), ERR_REFUSED (`from` changes
 * meanwhile). */
int seed(const char *from, const char *to, struct err *e);

#endif
