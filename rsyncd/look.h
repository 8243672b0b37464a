#ifndef RSYNCD_LOOK_H
#define RSYNCD_LOOK_H

#include "lib/arena.h"

#include "rsyncd/manifest.h"

/* What the kernel says of one thing in a tree: the inside of walk.c and of
 * walk_look. */
struct look {
	struct manifest_entry entry; /* without hash; path borrowed; type 0: a
					socket */
	dev_t dev;
	ino_t ino;
	uint64_t links;
	int64_t ctime_s;
	uint32_t ctime_ns;
	bool mount; /* something else is mounted here */
	bool thin;  /* f: fewer blocks than its size needs */
};

/* The letter of a manifest's line; NUL for a socket. */
char look_type(mode_t mode);

/* `name` in the folder `parent`. 1: there; 0: not there. ERR_SYS, ERR_INPUT;
 * messages name `path`. Link and attributes are kept in `arena`; NULL: they
 * are not read. */
int look_at(struct look *out, int parent, const char *name, const char *path,
	    struct arena *arena, struct err *e);

/* The same of an open file, without attributes. ERR_SYS. */
int look_fd(struct look *out, int fd, const char *path, struct err *e);

/* The same as looked at before: nothing that a manifest tells has changed. */
bool look_same(const struct look *a, const struct look *b);

/* The file has a hole that covers a whole aligned run of 4096 bytes. */
bool look_sparse(int fd, uint64_t size);

/* For messages: `path`, with what is no word's byte as \xHH, cut short. */
#define LOOK_SHOWN 160
const char *look_shown(const char *path, char out[LOOK_SHOWN]);

#endif
