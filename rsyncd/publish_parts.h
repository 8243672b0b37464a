#ifndef RSYNCD_PUBLISH_PARTS_H
#define RSYNCD_PUBLISH_PARTS_H

#include "lib/lock.h"

#include "rsyncd/publish.h"
#include "rsyncd/shelf.h"

/* The rooms behind publish.h. */

struct publishing {
	const struct publish_opts *o;
	const char *stage; /* for progress */
	struct lock lock;  /* of the role */
	struct shelf *shelf;
	char *role_dir;  /* TOP/trees/ROLE */
	char *work;      /* ROLE/.publish-XXXXXX, becomes ROLE/VERSION; NULL
			    when it did */
	char *view;      /* TOP/install/VERSION/ROLE */
	char *view_work; /* TOP/install/.ROLE.publish-XXXXXX; NULL: none */
	bool in_place;   /* DIR is the view */

	struct manifest *found; /* DIR, as it was walked */
	struct manifest *made;  /* as it is published: times carried over */
	struct seal *seal;
	struct publish_result *result;
};

/* ---- publish_lock.c: who works on what ---- */

/* Take the role's lock, waiting for those who have it, unless the shelf is
 * being cleaned; then remove what an interrupted publish left there. */
int publish_lock(struct publishing *p, struct err *e);
/* The lock of all of TOP/trees, and of every role; for gc. ERR_REFUSED when
 * somebody publishes. */
int publish_lock_all(const char *top, struct lock *all, struct lock **roles,
		     size_t *len, struct err *e);
/* Remove what interrupted work left of a role, whose lock is held. */
int publish_sweep(const char *top, const char *role, struct err *e);

/* ---- publish_carry.c ---- */

/* `found` with the times of `old` where nothing else of an entry changed (of a
 * folder: nor which names are in it). */
int publish_carry(const struct manifest *found, const struct manifest *old,
		  struct manifest **out, struct err *e);
/* The first path at which they differ; NULL when they do not. */
const char *publish_differ(const struct manifest *a, const struct manifest *b);

/* ---- publish_ids.c ---- */

/* A name in the passwd or group of `dirfd` that has another number in those of
 * the old version: ERR_REFUSED naming them, or only told when `new_ids`. */
int publish_ids(const struct publishing *p, int dirfd,
		const struct shelf_version *old, const struct manifest *m,
		struct err *e);

/* ---- publish_view.c ---- */

/* A tree whose files the view may share. */
struct view_twin {
	int dirfd; /* -1: it has no view any more */
	struct manifest *m;
};

/* Make p->view_work from DIR, or settle the view in its place. */
int view_make(struct publishing *p, const struct view_twin *twin, size_t twins,
	      struct err *e);
/* The view as it is read from now on. -1: ERR_SYS. */
int view_open(const struct publishing *p, struct err *e);
/* Make it visible. Does nothing when it is. */
int view_show(struct publishing *p, struct err *e);
/* Metadata for each way from an older version to this one that has none: what
 * the tree brings for it, else the usual one; publish_metadata.c. */
int view_metadata(const struct publishing *p, struct err *e);

/* ---- publish_full.c ---- */

/* The packs that hold the contents of p->made: p->seal's `full` lines. */
struct full_source {
	const struct seal *seal; /* whose packs may be used again */
};
int full_make(struct publishing *p, const struct full_source *from,
	      size_t from_len, int dirfd, struct err *e);
/* Packs all that the first line of `old` has anew, and what the packs of other
 * lines have no more whole; the lines of those that are whole stay. */
int full_better(struct publishing *p, const struct seal *old, int dirfd,
		struct err *e);

/* ---- publish_files.c: what goes into p->work ---- */

/* A new file there, without its name; then with its name, which is `head`, the
 * hash of its table and `tail`. */
int part_begin(const struct publishing *p, struct err *e);
int part_end(struct publishing *p, int fd, const char *head, const char *tail,
	     const struct table_place *place, struct seal_file *out,
	     struct err *e);
int part_manifest(struct publishing *p, struct err *e);
/* A delta from each of the last versions, and the marks. */
int part_deltas(struct publishing *p, int dirfd, struct err *e);
int part_delta(struct publishing *p, const struct shelf_version *old, int dirfd,
	       bool thorough, struct err *e);
int part_marks(struct publishing *p, int dirfd, struct err *e);

/* ---- publish_live.c: seals and HEADs ---- */

/* The seal's date is now; its text, signed or not, goes into `dir`; signed it
 * brings its HEAD with it. */
int live_write(struct seal *s, const char *dir, const struct sign_key *key,
	       struct err *e);
/* The role's HEAD names this version if it is the newest signed one. */
int live_role(const char *role_dir, const struct seal *s,
	      const struct sign_key *key, struct err *e);

/* publish_seal for a version that is not broken, with p->o->key; takes its
 * seal out of `v`. */
int live_version(const struct publishing *p, struct shelf_version *v,
		 struct seal **out, struct err *e);

/* ---- for all ---- */

void publish_progress(void *ctx, uint64_t done, uint64_t all);
void publish_say(const struct publishing *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int publish_begin(struct publishing *p, const struct publish_opts *o,
		  struct publish_result *out, struct err *e);
int publish_work(struct publishing *p, struct err *e);
/* A seal for p->made, without files. */
void publish_begin_seal(struct publishing *p, uint64_t serial,
			uint64_t revision);
/* Also takes away what was not finished. */
void publish_end(struct publishing *p);
int publish_sync(const char *path, struct err *e);
/* fsync of a folder, so that names in it last. */
int publish_sync_dir(const char *path, struct err *e);

#endif
