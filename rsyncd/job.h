#ifndef RSYNCD_JOB_H
#define RSYNCD_JOB_H

#include <time.h>

#include "rsyncd/holders.h"
#include "rsyncd/inodes.h"
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
	bool linking;          /* link_untouched may yet bring it */
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
	char root[HASH_HEX];
	char *text; /* its recorded manifest, or NULL */
	/* all that follows is there after base_ready */
	struct reading *reading;
	struct manifest *m;
	struct timespec since; /* when its record was written, or it began to be
				  looked through; 0: nobody knows */
	struct holders h;
	uint8_t *state;  /* of a content */
	uint32_t *right; /* of a content: an entry that holds it */
	bool *linked;    /* of an entry: shared as an inode already */
};

/* What the record of `into` tells, before anything is asked for. */
struct done {
	struct seal *seal; /* NULL: nothing */
	struct manifest *m;
	char tag[SOURCE_TAG]; /* of the HEAD that named the seal; then of the
				 one that came; "": none */
	bool same;            /* the server says that HEAD is still that one */
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

	struct done done;
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
	struct inodes *inodes;  /* of files that are there; NULL: none was */
	uint32_t *link_from;    /* of each entry: the base's that it may be
				   linked to, or HOLDERS_END */
	struct aside *aside;    /* NULL: it has ended */
	struct want *want;      /* of each content */
	unsigned char *room[8]; /* of each lane: PLACE_ROOM */

	/* progress */
	const char *stage;
	uint64_t stage_done, stage_all; /* bytes; of fetch: the wire's */
	uint64_t told_done;
	int64_t told_ms, moved_ms; /* when bytes came last */
	double rate;
};

/* ---- done.c: is it there already? ---- */

/* Read the record; ERR_SYS. */
int done_read(struct job *j, struct err *e);
/* 1: `into` is what HEAD names, by stat; 0: not, or not known; -1. */
int done_is(struct job *j, struct err *e);
/* Note by which tag the server knows the HEAD that named this seal. */
void done_keep(const struct job *j, const char *seal_hash);

/* ---- release.c: what is published ---- */

/* The address of the HEAD that is asked for; owned by the caller. */
char *release_place(const struct job *j);
/* HEAD, checked; then the seal that it names. When the server says that HEAD
 * is the one that the record was made by, the record's seal tells what it is:
 * it was signed, too. */
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

/* What is recorded of it; its manifest is parsed by a thread of its own. */
int base_open(struct job *j, struct err *e);
int base_ready(struct job *j, struct err *e);
/* Before that: its manifest's text. */
const char *base_text(const struct base *b, size_t *len);
/* share.c: which entries may be linked to which: j->link_from. */
void base_choose(struct job *j);
/* Put what the base has in its place (a dry run: look whether it is right), and
 * all other copies of what is here; but for contents that are being linked. */
int base_share(struct job *j, struct err *e);
/* link.c: will link_untouched do something? Then what it may bring is marked
 * `linking`, until link_end. */
void link_begin(struct job *j);
/* What nobody has touched since it was hashed: in a thread of its own. */
int link_untouched(struct job *j, struct err *e);
void link_end(struct job *j);
/* link_read.c: the same for pull_opts.hash_all, all of it read; what became no
 * link has none in j->link_from any more. */
int link_read(struct job *j, struct err *e);
/* 1: done; 0: it cannot be a link. */
int link_at(int from, const char *a, int to, const char *b, struct err *e);
/* What became links is here, and was right in the base; how many. */
uint64_t link_note(struct job *j);
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
/* room.c: is there room for what is missing? Nothing is made before that. */
int into_room(struct job *j, struct err *e);
/* All that is not a file's content, in this order; then durable. */
int into_folders(struct job *j, struct err *e);
int into_others(struct job *j, struct err *e);
int into_finish(struct job *j, struct err *e);

/* ---- aside.c: into_room, into_folders, into_others, link_untouched ---- */

void aside_begin(struct job *j);
/* Wait until the folders are there; what failed until now. */
int aside_folders(struct job *j, struct err *e);
/* For those that work there: it is not wanted any more. */
bool aside_stopped(const struct job *j);
/* Wait until all is done, or soon where it is not wanted; what failed. */
int aside_end(struct job *j, bool wanted, struct err *e);

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
