#ifndef LIB_REMOVE_H
#define LIB_REMOVE_H

#include "lib/err.h"

/* Remove `name` in the folder `dirfd` (or AT_FDCWD), whatever it is, with all
 * that is below it; `path` is what messages call it. No link is followed. What
 * is mounted there stays with all that is on it, and ends the work:
 * ERR_REFUSED. What cannot be removed for another reason stays, and all else
 * goes: ERR_SYS, of the first. Nothing there is no failure. */
int remove_all(int dirfd, const char *name, const char *path, struct err *e);

/* And what somebody made immutable or append-only (chattr +i, +a). Another name
 * of such a file stays so. */
int remove_locked(int dirfd, const char *name, const char *path, struct err *e);

#endif
