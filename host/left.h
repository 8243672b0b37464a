#ifndef HOST_LEFT_H
#define HOST_LEFT_H

#include "lib/value.h"

#include "host/versioned.h"

/* Each version has merged folders (/etc) of its own: an upgrade takes edits
 * along, the way back does not. It leads to what is known to have run, and an
 * edit made for the newer version may be what broke it. So it is told what was
 * edited under `from` since it came and is not so in `to`: a password, a key
 * that was taken back. Adds {"path", "what"} to `notes`. What was removed is
 * told when `to` has it still. ERR_SYS, ERR_INPUT; ERR_REFUSED (a file changes
 * meanwhile). */
int left_behind(const struct versioned *on, const char *from, const char *to,
		struct value *notes, struct err *e);

#endif
