#ifndef RSYNCD_PLAN_H
#define RSYNCD_PLAN_H

#include "rsyncd/patch.h"

/* Where each content that is missing comes from, for the fewest bytes; but for
 * gzip files, which are slow to make again: a quick wire brings their plain
 * patches or frames sooner. Pure: from tables to a list. */
#define PLAN_GZIP_SPEED 25000000    /* bytes that are deflated in a second */
#define PLAN_GZIP_BEST 10000000     /* at levels above 6 */
#define PLAN_SYMBOLS_SPEED 60000000 /* of a text that become a gzip file */
/* Texts that are made by one lane while others write and link, when all such
 * of a delta take no longer than that. */
#define PLAN_SYMBOLS_SMALL (4UL << 20)
#define PLAN_SYMBOLS_TINY (512UL << 10) /* these take no time to speak of */
#define PLAN_SMALL_MS 100

enum plan_way { PLAN_NOWHERE, PLAN_PATCH, PLAN_FRAMES };

/* Bytes [at, at + len) of a wanted content that are at hand already. */
struct plan_part {
	uint64_t at, len;
};

struct plan_want {
	unsigned char head[12];
	uint64_t size;
	bool no_patch; /* frames only: a patch did not give it */
	const struct plan_part *part;
	size_t parts; /* sorted, not overlapping */
	/* out */
	enum plan_way way;
	size_t pack, blob; /* when way is PLAN_FRAMES */
};

struct plan_in {
	struct plan_want *want;
	size_t wants;
	/* The base of an op is at hand, or is made by an op of an earlier
	 * table. The same order for a chain and for one that stands alone. */
	const struct patch_table *const *delta;
	size_t deltas;
	const struct pack_table *const *pack;
	size_t packs;
	bool (*at_hand)(void *ctx, const unsigned char head[12], uint64_t size);
	void *ctx;
	uint64_t speed; /* bytes a second on the wire; 0: nobody knows */
	unsigned slow;  /* percent of its time that work takes on a machine
			   where others work, too; 0: 100 */
};

struct plan_patch {
	size_t delta, op;
	size_t want; /* SIZE_MAX: what it makes is only the base of another */
};

struct plan {
	struct plan_patch *patch; /* by delta, then by place in its file */
	size_t patches;
	bool **frame; /* [pack][frame]: to be fetched */
	size_t packs;
	uint64_t wire;  /* bytes of all that */
	size_t nowhere; /* wants that nothing gives */
	bool slow;      /* has patches whose frames might be sooner there */
	bool plain;     /* has patches that are the larger of two */
};

struct plan *plan_make(const struct plan_in *in);

/* Which pack has a content: the first one that has it in this size. */
struct plan_index;
struct plan_index *plan_index_new(const struct pack_table *const *pack,
				  size_t packs);
/* w->pack, w->blob; SIZE_MAX and false: none. */
bool plan_index_find(const struct plan_index *x, struct plan_want *w);
void plan_index_free(struct plan_index *x);

/* A frame's bytes [*from, *to) are of the content that begins at `at`. */
void plan_overlap(const struct pack_frame *f, uint64_t at, uint64_t size,
		  uint64_t *from, uint64_t *to);
/* The first frame that has bytes behind offset `at`; of t->frames when none. */
size_t plan_frame_at(const struct pack_table *t, uint64_t at);
/* Is this frame wanted for that content: not all of its bytes are at hand? */
bool plan_lacks(const struct plan_want *w, const struct pack_frame *f,
		uint64_t blob_at);

void plan_free(struct plan *p);
AUTO_DEFINE(plan)

#endif
