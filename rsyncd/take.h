#ifndef RSYNCD_TAKE_H
#define RSYNCD_TAKE_H

#include "rsyncd/frame.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"

/* What comes over the wire, on its way to the disk: shared by take.c (the
 * wire), take_frame.c and take_patch.c (the workers), mend.c (files that are
 * partly at hand). Nobody else includes this. */

/* A content that comes in several pieces. */
struct coming {
	int fd; /* of its first entry; -1: not begun */
	uint32_t entry;
	struct digest_run run; /* of what is hashed */
	uint64_t hashed;
	uint64_t left;   /* to come, where it is hashed at the end */
	bool failed;     /* it did not become what it should */
	bool by_reading; /* parts of it were at hand: see mend.c */
};

enum patch_state { PATCH_OPEN, PATCH_MADE, PATCH_FAILED };

/* A content that is whole in the frame that is unpacked now. */
struct whole {
	size_t content;
	const unsigned char *bytes;
	uint32_t here; /* where it was put; HOLDERS_END: nowhere */
	struct digest got;
};

/* What a lane has in its hands. */
struct hands {
	struct frame_decoder *decoder;
	unsigned char *raw;
	size_t raw_room;
	struct whole *whole;
	struct digest_job *job; /* one for each */
	size_t wholes, whole_room;
	struct patching *patching; /* from its first piece to its last */
	struct patch_room *room;
	struct batch *batch; /* of small results */
};

struct take {
	struct job *j;
	const struct plan *p;
	const struct plan_want *want;
	const size_t *content;  /* of a want */
	size_t *want_of;        /* of a content; SIZE_MAX */
	struct coming **coming; /* of a content; NULL: comes whole */
	struct lanes *lanes;
	struct hands hand[LANES_MAX];
	enum patch_state *patch; /* of plan->patch */
	unsigned char *turn;     /* the same: when it is given */
	uint64_t makes;          /* bytes of all patches of a lone delta */
	size_t gate_used;
	/* of loads, by job number: frames first, then patches */
	struct {
		uint32_t pack, frame;
	} * frame;
	size_t frames;
	size_t next_job;
	/* what fetch_pieces gives now */
	size_t first_job;
	const size_t *piece_patch; /* of a piece: its patch; NULL: frames */
};

/* Workers. */
int take_frame(struct take *t, int lane, struct load *load, struct err *e);
int take_patch(struct take *t, int lane, struct load *load, struct err *e);
void patching_free(struct patching *x);
/* Under the lanes' lock: a patch gave what it should, or did not. */
void take_patch_ends(struct take *t, size_t number, bool made);

/* ---- take_small.c ---- */

bool take_is_small(const struct take *t, int lane, const struct load *load);
int take_small(struct take *t, int lane, struct load *load, struct err *e);
/* What is still in memory when all loads are done. */
int take_small_end(struct take *t, struct err *e);
void batch_free(struct batch *b);

/* A content is on the disk at `entry`: its other places, then it counts. */
int take_here(struct take *t, int lane, size_t content, uint32_t entry,
	      struct err *e);
/* The first place of a content that is still empty. */
uint32_t take_place(const struct job *j, size_t content);
/* A content that frames fill where it is not at hand. */
int mend_finish(struct take *t, int lane, size_t content, struct err *e);

/* ---- mend.c ---- */

/* Which parts of large wants the base's drifted files hold. */
struct mending {
	struct plan_part **part; /* of a want; owned */
	struct {
		int fd;
		struct plan_part *ours; /* where each part is in `fd` */
	} * from;
	size_t wants;
	size_t found; /* wants of which something is at hand */
};
int mend_look(struct job *j, struct plan_want *wants, const size_t *content,
	      size_t n, struct mending *m, struct err *e);
void mend_clear(struct mending *m);
/* Begin these files with what is at hand. */
int mend_begin(struct take *t, const struct mending *m, struct err *e);

#endif
