#ifndef RSYNCD_PLACE_H
#define RSYNCD_PLACE_H

#include "rsyncd/manifest.h"

/* Entries of a tree on the disk, below the folder `top`: no path leaves it, no
 * link is followed, and a file is never written into: a new one takes its
 * place, since the old one may be somebody else's, too. ERR_SYS with the path.
 */

/* A new empty file; what is no folder gives way. -1 or a descriptor. */
int place_open(int top, const char *path, struct err *e);

/* Bytes at `at`; with `sparse`, blocks of zeros are left out. */
struct place_bytes {
	const void *bytes;
	size_t len;
	uint64_t at;
	bool sparse;
};
int place_write(int fd, const struct place_bytes *b, const char *path,
		struct err *e);

/* Size (of a sparse one), owner, mode, attributes, time; `fd` is closed in any
 * case. */
int place_close(int fd, const struct manifest_entry *entry, struct err *e);

/* The content of `from` for this entry (its hash goes to *hash): as a whole by
 * sharing blocks when `reflink` and the file system can, else copied. */
struct place_from {
	int fd;
	bool reflink;
	bool shared;         /* out: it was */
	unsigned char *room; /* PLACE_ROOM bytes */
};
#define PLACE_ROOM (8 * DIGEST_PART) /* whose parts are hashed together */
int place_copy(int top, const struct manifest_entry *entry,
	       struct place_from *from, struct digest *hash, struct err *e);

/* Hash of `size` bytes of a file, which must have no more. ERR_SYS; ERR_INPUT
 * when its size is another. */
int place_hash(int fd, uint64_t size, unsigned char *room, struct digest *hash,
	       const char *path, struct err *e);

/* As open_parent(), with a descriptor that is kept: for many paths of one
 * folder. Borrowed; -1 with errno. Begins with fd -1. */
struct place_folder {
	char *path;
	int fd;
};
int place_folder(struct place_folder *f, int top, const char *path,
		 const char **base);
void place_folder_close(struct place_folder *f);

/* Away with it, whatever it is; with all that is below when `all`. Nothing
 * there is no failure. */
int place_remove(int top, const char *path, bool all, struct err *e);

/* An entry that is no f: made anew, for d with mode 0700 when it is not there
 * yet (place_dress comes later), for h as a link to its target. */
int place_make(int top, const struct manifest_entry *entry, struct err *e);

/* A folder's owner, mode, attributes (others are removed) and time. */
int place_dress(int top, const struct manifest_entry *entry, struct err *e);

#endif
