#ifndef RSYNCD_MANIFEST_FORM_H
#define RSYNCD_MANIFEST_FORM_H

#include "lib/arena.h"
#include "lib/buf.h"

#include "rsyncd/manifest.h"

/* Inside of manifest*.c: what reader and writer share. */

#define TIME_S_MAX 999999999999LL /* either way: +-31,000 years */
#define ID_MAX 4294967294U        /* the next one means "leave it" to chown */
#define MAJOR_MAX 4095U           /* of the kernel's device numbers */
#define MINOR_MAX 1048575U
#define SPARSE_RUN 4096U

struct manifest_pool {
	struct arena *arena;
	size_t room; /* entries that fit into manifest.entry */
};

/* The fields of a line after its type, in order: m mode, o uid gid, t time,
 * s size, # hash, r major minor, p path, l link. NULL: no such type. */
const char *manifest_fields(char type);

/* Order of struct manifest_xattr, for qsort. */
int manifest_xattr_cmp(const void *a, const void *b);

/* Append with what is no word's byte as \xHH. */
void manifest_escape(const char *bytes, struct buf *out);

/* All lines of entries that are in order. */
void manifest_write(const struct manifest *m, struct buf *out);

/* Entries are looked at one after the other, in the order of the text. */
struct manifest_check {
	const struct manifest *m;
	uint64_t bytes; /* of f so far */
	size_t depth;
	const struct manifest_entry *above[MANIFEST_PATH_MAX / 2 + 2];
};
void manifest_check_begin(struct manifest_check *c, const struct manifest *m);
/* NULL, or what is wrong with entry `i`, when all before it are good. */
const char *manifest_check_entry(struct manifest_check *c, size_t i);

/* The entry at `path` among the first `len`. */
const struct manifest_entry *manifest_find_in(const struct manifest *m,
					      size_t len, const char *path);

#endif
