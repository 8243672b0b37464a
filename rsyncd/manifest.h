#ifndef RSYNCD_MANIFEST_H
#define RSYNCD_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base.h"
#include "lib/err.h"
#include "lib/hash.h"

/* All that is in a tree, as docs/formats.md "Manifest" writes it. */
#define MANIFEST_ENTRIES_MAX 4000000
#define MANIFEST_TEXT_MAX (1UL << 30)
#define MANIFEST_PATH_MAX 4095
#define MANIFEST_XATTRS_MAX 64
#define MANIFEST_XATTR_BYTES_MAX 65536

struct manifest_xattr {
	const char *name;
	const unsigned char *value;
	size_t len;
};

struct manifest_entry {
	char type;   /* d f h l c b p */
	bool sparse; /* f */
	uint8_t xattrs_len;
	mode_t mode; /* permission bits; 0777 for l, 0 for h */
	uid_t uid;
	gid_t gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size;         /* f */
	struct digest hash;    /* f */
	uint32_t major, minor; /* c b */
	const char *path;      /* "." or "usr/bin/x": no bytes escaped */
	const char *link;      /* l: its text; h: path of the entry above */
	const struct manifest_xattr *xattrs;
};

struct manifest {
	struct manifest_entry *entry; /* in the order of the text */
	size_t len;
	uint64_t bytes; /* of all f */
	char root[HASH_HEX];
	char *text; /* canonical; what root is the hash of */
	size_t text_len;
	struct manifest_pool *pool; /* what the pointers point into */
};

/* Strictly the canonical form: what is written from the result are the same
 * bytes. `name` for messages, which tell the line. Copies what it needs.
 * ERR_INPUT. */
int manifest_parse(struct manifest **out, const char *text, size_t len,
		   const char *name, struct err *e);

/* A manifest is made by adding entries in any order (strings and attributes
 * are copied), then manifest_seal: sorts, checks (parents there, no path
 * twice, links lead to an entry above), writes text and root. */
struct manifest *manifest_new(void);
void manifest_add(struct manifest *m, const struct manifest_entry *entry);
int manifest_seal(struct manifest *m, struct err *e);

/* The entry at `path`, or NULL. */
const struct manifest_entry *manifest_find(const struct manifest *m,
					   const char *path);

/* Their extended attributes are the same. */
bool manifest_has_xattr(const struct manifest_entry *m, const char *name);
bool manifest_xattrs_equal(const struct manifest_entry *a,
			   const struct manifest_entry *b);

/* Where `a` stands to `b` in a manifest: <0, 0, >0. */
int manifest_path_cmp(const char *a, const char *b);

void manifest_free(struct manifest *m);
AUTO_DEFINE(manifest)

/* The different contents of a manifest, found by hash. Sizes above 0 only.
 * Borrows from the manifest. */
struct contents;

struct content {
	struct digest hash;
	uint64_t size;
	const struct manifest_entry *first; /* of the entries that have it */
	size_t at; /* 0, 1, ... in order of first appearance */
};

struct contents *contents_of(const struct manifest *m);
size_t contents_len(const struct contents *c);
const struct content *contents_at(const struct contents *c, size_t i);
/* By whole hash; by the first 12 bytes (NULL when none, or when two contents
 * share them). */
const struct content *contents_find(const struct contents *c,
				    const struct digest *hash);
const struct content *contents_short(const struct contents *c,
				     const unsigned char head[12]);
void contents_free(struct contents *c);
AUTO_DEFINE(contents)

#endif
