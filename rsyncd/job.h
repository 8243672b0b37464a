#ifndef RSYNCD_JOB_H
#define RSYNCD_JOB_H

#include <time.h>

#include "rsyncd/holders.h"
#include "rsyncd/plan.h"
#include "rsyncd/pull.h"

/* What the parts of a pull share; nobody else includes this. */

#define JOB_WORK ".edeploy-pull" /* below `into`, while it lasts */
#define JOB_PACKS 64
#define JOB_DELTAS 16

/* One content of the tree. */
enum want_state {
	WANT_MISSING,
	WANT_HELD, /* a dry run found it in the base */
	WANT_HERE  /* in `into`, right, at want.here */
};
struct want {
	enum want_state state; /* under the lanes' lock while these run */
	uint32_t here;         /* entry */
	bool no_patch;         /* a patch did not give it */
};

enum entry_state {
	ENTRY_ABSENT,
	ENTRY_CONTENT, /* bytes right, the rest is still to be put on it */
	ENTRY_DONE
};

/* What is there already, and recorded or looked through. */
enum base_state {
	BASE_UNKNOWN,
	BASE_LIKELY, /* as recorded, by stat: enough for a patch, whose result
			is hashed */
	BASE_RIGHT,
	BASE_DRIFTED
};
struct base {
	int fd;            /* -1: no base */
	struct seal *seal; /* NULL: it had no record */
	struct manifest *m;
	struct timespec since; /* when its record was written; 0: never */
	struct holders h;
	uint8_t *state;  /* of a content */
	uint32_t *right; /* of a content: an entry that holds it */
	bool *linked;    /* of an entry: shared as an inode already */
};

/* Deltas in the order of a chain, or each for itself. */
struct route {
	struct seal_file file[JOB_DELTAS];
	struct patch_table *table[JOB_DELTAS];
	size_t len;
	bool chain; /* they lead from the base's root to ours */
};

struct job {
	const struct pull_opts *o;
	struct pull_result *r;
	struct source *src;
	int threads;
	bool reflink_never;
	bool probed; /* how quick is the wire? */

	struct head head;
	struct seal *seal;
	char *seal_text;
	struct buf manifest_zst; /* as published, when it came that way */
	struct manifest *m;
	struct holders h;
	struct base base;
	struct route route;
	struct pack_table *pack[JOB_PACKS]; /* of seal->full */
	size_t packs;

	int into;               /* directory */
	int work;               /* JOB_WORK in it, or -1 */
	uint8_t *entry;         /* enum entry_state */
	struct want *want;      /* of each content */
	unsigned char *room[8]; /* of each lane: PLACE_ROOM */

	/* progress */
	const char *stage;
	uint64_t stage_done, stage_all; /* bytes; of fetch: the wire's */
	uint64_t told_done;
	int64_t told_ms;
	double rate;
};

/* ---- release.c: what is published ---- */

/* HEAD, checked; then the seal that it names. */
int release_head(struct job *j, struct err *e);
int release_read(struct job *j, struct err *e);
/* The seal that this version's HEAD names; another version of the role. */
int release_seal(struct job *j, const char *version, struct seal **seal,
		 char **text, struct err *e);
/* The manifest, by the delta whose table is loaded or whole. */
int release_manifest(struct job *j, struct err *e);
/* Tables of all full packs. */
int release_packs(struct job *j, struct err *e);
int release_delta(struct job *j, const struct seal_file *f,
		  struct patch_table **out, struct err *e);
int release_marks(struct job *j, struct mark_table **out, struct err *e);

/* ---- route.c: which deltas ---- */

int route_find(struct job *j, struct err *e);
void route_clear(struct route *r);

/* ---- base.c ---- */

int base_open(struct job *j, struct err *e);
/* share.c: put what the base has in its place (a dry run: look whether it is
 * right), and all other copies of what is here. */
int base_share(struct job *j, struct err *e);
/* link.c: what nobody has touched since it was recorded; `from`: of each of our
 * entries, the base's that it may be linked to, or HOLDERS_END. */
int link_untouched(struct job *j, const uint32_t *from, struct err *e);
/* Only look whether the base has it right: 1, 0, -1. */
int base_prove_one(struct job *j, int lane, const struct content *c,
		   struct err *e);
/* A file below a folder that others may write into; -1: no regular file. */
int base_file(int top, const char *path);
/* One more file of the base is not as recorded. */
void base_drifted(struct job *j);
/* Look at what patches would stand on: by stat where that may do. */
int base_prove(struct job *j, struct err *e);
/* A patch that stands on this did not give what it should. */
void base_doubt(struct job *j, const unsigned char head[12]);
/* plan_in's at_hand: is it in the base, as far as is known, or here? */
bool base_at_hand(void *job, const unsigned char head[12], uint64_t size);
/* A descriptor of a content at hand or made meanwhile; -1. */
int base_content(struct job *j, const unsigned char head[12], uint64_t size,
		 struct err *e);
/* The name in j->work of a content that is only made for another. */
void base_temp_name(const unsigned char head[12], char out[32]);
void base_close(struct base *b);

/* ---- into.c: `into` ---- */

int into_open(struct job *j, struct err *e);
/* What is there and right. Strangers. */
int into_through(struct job *j, struct err *e);
/* room.c: is there room for what is missing? */
int into_room(struct job *j, struct err *e);
/* All that is not a file's content; then durable. */
int into_folders(struct job *j, struct err *e);
int into_finish(struct job *j, struct err *e);

/* ---- take.c: what comes over the wire ---- */

struct mending;
struct take_plan {
	const struct plan *plan;
	const struct plan_want *want; /* what the plan was made for */
	const size_t *content;        /* of each want */
	size_t wants;
	const struct mending *mending; /* or NULL */
};
int take_planned(struct job *j, const struct take_plan *what, struct err *e);

/* ---- progress.c ---- */

void stage_begin(struct job *j, const char *stage, uint64_t all);
/* For lanes_each and lanes: tell how far it is. */
int stage_tick(void *job, struct err *e);
void stage_add(struct job *j, uint64_t bytes);
void stage_end(struct job *j);

#endif
