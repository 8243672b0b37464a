#ifndef HOST_STAGE_H
#define HOST_STAGE_H

#include "lib/sign.h"
#include "lib/value.h"

#include "rsyncd/pull.h"

#include "roots/classes.h"
#include "roots/merge.h"

#include "host/host.h"
#include "host/versioned.h"

/* A version that is built beside the one that runs: nothing that runs or boots
 * sees it before it is named in boot.cfg.
 *
 * How files are shared with the running version: what lies below a merged path
 * is copied, for both versions' people write there; what packages keep below
 * /var is reflinked or copied, since some write it in place; everything else
 * is one inode in both, whose bytes are hashed when it is shared, and again
 * before a rollback. What is replaced by a rename, as package managers do,
 * leaves the other version alone. */
struct stage {
	const struct host *host;
	const struct versioned *on;
	const char *to;
	bool allow_downgrade;
	bool strict; /* what is nobody's in merged folders stays behind */
	struct seal *was_seal;
	struct manifest *was; /* the running version as published */
	struct seal *will_seal;
	struct manifest *will;  /* the new one */
	struct manifest *local; /* added to the running one, or NULL */
	struct pull_result pulled;
	bool settled;
	struct classes classes;  /* of the tree whose folders are merged */
	struct enter_places own; /* folders of this machine (host/own.h);
				    `state`: they can be mounted */
	char **own_files;
	size_t own_files_len;
	struct value *notes; /* list of {"path", "what"}: what became of edits
				here; out */
};

/* Read what is known of the running version. Clear in any case. */
int stage_open(struct stage *s, const struct host *h,
	       const struct versioned *on, const char *to, struct err *e);
void stage_clear(struct stage *s);

/* What fetching it would take; nothing is written. s->pulled, s->will. */
int stage_look(struct stage *s, struct err *e);

/* Bytes that it will take beside the running version, both manifests known:
 * what is not shared. ERR_SYS, ERR_INPUT. */
int stage_room(const struct stage *s, uint64_t *bytes, struct err *e);

/* Bring it to roots/TO.new, every file checked. Goes on where it stopped. */
int stage_fetch(struct stage *s, struct err *e);

/* /etc and such merged, and what was added to the running version added to
 * this one. ERR_REFUSED for accounts that cannot be merged. */
int stage_merge(struct stage *s, struct err *e);

/* What was edited since stage_merge comes along, too: for a system that goes on
 * in the new version. Of a settled one. */
int stage_merge_again(struct stage *s, struct err *e);

/* roots/TO.new becomes roots/TO, with all that is beside it; durable. */
int stage_settle(struct stage *s, struct err *e);

/* Where the new root is: roots/TO.new, or roots/TO when it is settled. Owned.
 */
char *stage_dir(const struct stage *s);

/* ---- for the parts of it ---- */

/* The edits that are known when both manifests are (host/stage_merge.c): adds
 * to s->notes and writes nothing. */
int stage_merge_look(struct stage *s, struct err *e);

/* The running version's folder `prefix` as it is now; `tell`: notes for what
 * `strict` leaves behind. Owned by the caller. ERR_SYS, ERR_INPUT. */
int stage_ours(struct stage *s, const char *prefix, bool tell,
	       struct manifest **out, struct err *e);
bool stage_same_file(const struct manifest_entry *a,
		     const struct manifest_entry *b);

/* Classes that changed (host/stage_classes.c); s->classes are the new tree's.
 * ERR_REFUSED where edits would be left behind; notes for state that will not
 * be seen. */
int stage_classes(struct stage *s, struct err *e);

/* Of what is in a merged folder, without what is nobody's
 * (host/stage_strict.c); `tell`: notes for it. */
int stage_without_strangers(struct stage *s, struct manifest **ours, bool tell,
			    struct err *e);

/* Packages that were changed in the running version (host/stage_packages.c):
 * notes; both manifests are known. */
int stage_packages(struct stage *s, struct err *e);

/* Folders of the running version in which something is mounted, or is to be by
 * its fstab, and that the new version lacks; each behind those above it
 * (host/stage_points.c). Notes for what cannot be. */
struct stage_points {
	char **at;
	size_t len;
};
int stage_points_find(struct stage_points *out, struct stage *s,
		      const struct classes *classes, struct err *e);
void stage_points_clear(struct stage_points *p);
/* The notes alone. */
int stage_points_look(struct stage *s, struct err *e);

/* What is the running version's and nobody published (host/stage_carry.c). */
int stage_carry(struct stage *s, struct err *e);

/* What is this machine's own in the running root's top (host/stage_own.c):
 * s->own and notes, nothing is written. ERR_SYS, ERR_INPUT. */
int stage_own_find(struct stage *s, struct err *e);
/* And from the root `from` into the root `to`. ERR_SYS, ERR_REFUSED. */
int stage_own_put(struct stage *s, int from, int to, struct err *e);
/* `path` is one of these, or below one. */
bool stage_own_has(const struct stage *s, const char *path);
void stage_own_clear(struct stage *s);

int stage_sync(const char *dir, struct err *e);
void stage_note(struct stage *s, const char *path, const char *what);

#endif
