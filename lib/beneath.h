#ifndef LIB_BENEATH_H
#define LIB_BENEATH_H

#include <sys/types.h>

#include "lib/err.h"

/* openat(2) for paths that somebody else wrote: never out of the folder
 * `dirfd`, through no symbolic link (not even a last one, ELOOP), no "magic"
 * link of /proc. O_CLOEXEC, O_NOCTTY and O_NOFOLLOW are added to `flags`. The
 * descriptor, or -1 with errno. Without openat2(2), which a sandbox may have
 * taken away, ".." is refused (EXDEV) also where it stays inside. */
int open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* So the folder that holds `path`, to work on what is called *base there (in
 * `path`): an O_PATH descriptor, or -1 with ERR_SYS. */
int open_parent(int dirfd, const char *path, const char **base, struct err *e);

#endif
