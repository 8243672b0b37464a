#ifndef RSYNCD_SPOOL_H
#define RSYNCD_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

/* A file without a name in the folder `dirfd`, for reading and writing; it is
 * gone when it is closed. -1: ERR_SYS. */
int spool_file(int dirfd, struct err *e);

/* Read exactly `len` bytes at `at`. ERR_SYS; ERR_INPUT when the file is
 * shorter, as one of a running system may be at any time. */
int read_at(int fd, uint64_t at, void *room, size_t len, struct err *e);

/* A sink that compares what it gets with a file, from `at` on. What differs, or
 * cannot be read, is ERR_INPUT with `differs` set, which is no failure of who
 * asks; nothing differed and at == size in the end: it is the same file. */
#define SPOOL_SAME_ROOM 65536
struct spool_same {
	int fd; /* by the caller, as its size */
	uint64_t at, size;
	bool differs;
	unsigned char room[SPOOL_SAME_ROOM];
};
int spool_compare(void *same, const void *bytes, size_t len, struct err *e);

/* Bytes that wait for their turn: in memory while they are few, else in a file
 * without a name. `{ .dirfd = dirfd, .fd = -1 }` is empty. */
#define SPOOL_MEM (512UL << 10)
struct spool {
	int dirfd, fd;
	uint64_t len;
	struct buf mem;
};
int spool_add(struct spool *s, const void *bytes, size_t len, struct err *e);
/* ERR_SYS. */
int spool_read(const struct spool *s, uint64_t at, void *room, size_t len,
	       struct err *e);
/* All of it to `fd`. ERR_SYS. */
int spool_give(const struct spool *s, int fd, struct err *e);
void spool_clear(struct spool *s);

#endif
