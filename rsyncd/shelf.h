#ifndef RSYNCD_SHELF_H
#define RSYNCD_SHELF_H

#include "lib/buf.h"

#include "rsyncd/seal.h"

/* What stands below TOP/trees, for those who own it: publishing, sealing,
 * listing, cleaning. Signatures are not checked here; a client does. */

struct shelf_version {
	char name[SEAL_NAME];
	struct seal *live;    /* what HEAD names, or NULL */
	struct seal *waiting; /* unsigned and newer than `live`, or NULL */
	struct seal **older;  /* others that are newer than `live` */
	size_t olders;
	char key[SIGN_ID]; /* that signed `live`, or "" */
	char *broken; /* why it cannot be read, or NULL. Then both may be NULL
		       */
};

struct shelf {             /* one role */
	char *top, *trees; /* TOP, TOP/trees */
	char role[SEAL_NAME];
	struct shelf_version *at; /* by serial, the oldest first; broken ones
				     in front */
	size_t len;
	struct head head; /* the role's, role "" when there is none */
};

/* Read all versions of a role; a role that is not there has none. ERR_SYS, and
 * ERR_INPUT for a damaged HEAD of the role. */
int shelf_open(struct shelf **out, const char *top, const char *role,
	       struct err *e);
void shelf_free(struct shelf *s);
AUTO_DEFINE(shelf)

/* ERR_REFUSED when a version is broken: nothing is built upon half of what is
 * known. */
int shelf_whole(const struct shelf *s, struct err *e);

struct shelf_version *shelf_find(const struct shelf *s, const char *version);
/* What a version is: its newest seal, live or waiting. NULL: broken. */
const struct seal *shelf_seal(const struct shelf_version *v);
/* The highest serial that was given out, 0 for none. */
uint64_t shelf_serial(const struct shelf *s);

/* The roles below TOP/trees, sorted, NULL-ended; names_free. ERR_SYS. */
int shelf_roles(const char *top, char ***names, struct err *e);

/* "ROLE[/VERSION]": the newest version when none is said. *v points into
 * *out. ERR_INPUT: not such a name; ERR_REFUSED: there is none. */
int shelf_named(const char *top, const char *name, struct shelf **out,
		struct shelf_version **v, struct err *e);

/* Bytes [at, at + len) of a published file, which have this hash. ERR_INPUT
 * when they have not, or the file is not `size` bytes. */
struct shelf_piece {
	const char *path; /* below trees */
	uint64_t size, at, len;
	struct digest hash;
};
int shelf_read(const char *trees, const struct shelf_piece *p, struct buf *out,
	       struct err *e);

int shelf_manifest(const char *trees, const struct seal *s,
		   struct manifest **out, struct err *e);
int shelf_pack(const char *trees, const struct seal_file *full,
	       struct pack_table **out, struct err *e);

/* The content of a file of at most `max` bytes (a hard link is followed, a
 * symbolic one is not): of the rsync view if what stands there has the right
 * hash, else out of the packs. 0: no such file, 1: read. Owned,
 * NUL-terminated. */
int shelf_content(const struct shelf *s, const struct seal *seal,
		  const struct manifest *m, const char *path, size_t max,
		  char **text, size_t *len, struct err *e);

#endif
