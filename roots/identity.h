#ifndef ROOTS_IDENTITY_H
#define ROOTS_IDENTITY_H

#include <stdbool.h>

#include "lib/err.h"

/* What makes this machine itself, though it stands in /etc: machine-id,
 * hostname, adjtime, the keys of sshd. It is no version's, and the machine's is
 * the same in each of them: an upgrade keeps it whatever the version brings, a
 * way back takes it along. */
bool identity_is(const char *path);

/* That of the root `from` into the root `to`, where it has the folder; each
 * file at once and durably, with mode and owner. What `from` lacks stays as it
 * is. ERR_SYS, ERR_INPUT for a file that is no such thing. */
int identity_bring(const char *from, const char *to, struct err *e);

#endif
