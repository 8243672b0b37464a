#ifndef LIB_SWAP_H
#define LIB_SWAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

/* A file that a person edits and a program writes: who was it that the program
 * read, and is it still there. */
struct stamp {
	uint64_t dev, ino;
	int64_t size, mtime_ns, ctime_ns; /* size -1: there is no file */
};

/* Of the file that `path` leads to; no file is a stamp, too. ERR_SYS. */
int stamp_get(struct stamp *out, const char *path, struct err *e);
bool stamp_eq(const struct stamp *a, const struct stamp *b);

/* A file that was displaced by file_swap, kept for a while: an editor that had
 * it open may still write into it. */
struct displaced {
	int fd; /* -1: none */
	int64_t size, mtime_ns;
};
#define DISPLACED_NONE                                                         \
	{                                                                      \
		-1, 0, 0                                                       \
	}

/* Replace `path` atomically and durably if it is still the file that had the
 * stamp `was`, unchanged, and nobody has it open for writing. Owner and mode
 * are kept; a link stays a link and its target is replaced. ERR_REFUSED when
 * somebody else changed it or is writing it: nothing happened, read it again.
 * ERR_SYS: the old file is there. *now is the stamp of the new file; *old the
 * displaced one, to be looked at later with displaced_changed. */
int file_swap(const char *path, const struct stamp *was, const void *bytes,
	      size_t len, struct stamp *now, struct displaced *old,
	      struct err *e);

/* Somebody wrote into the displaced file after all: its text, at most `max`
 * bytes, owned by the caller. NULL when nobody did. */
char *displaced_changed(const struct displaced *d, size_t max);

/* Let go; does nothing when there is none. */
void displaced_clear(struct displaced *d);

#endif
