#ifndef LIB_LOCK_H
#define LIB_LOCK_H

#include "lib/err.h"

/* A kernel lock (flock) on a file: it ends with the process that holds it, so
 * a file left behind means nothing. AUTO_CLEAR(lock) l = LOCK_NONE; */
struct lock {
	int fd; /* -1 when not held */
};
#define LOCK_NONE                                                              \
	{                                                                      \
		-1                                                             \
	}

/* Take the lock, making the file (0644) and its directory if needed. Waits up
 * to `wait_ms` (0: do not wait). ERR_REFUSED when another process holds it
 * (its pid is in the text when known), ERR_SYS otherwise. */
int lock_take(struct lock *l, const char *path, int wait_ms, struct err *e);

/* Let go; does nothing when not held. */
void lock_clear(struct lock *l);

#endif
