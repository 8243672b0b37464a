#ifndef RSYNCD_PATCH_TRY_H
#define RSYNCD_PATCH_TRY_H

#include "rsyncd/frame.h"
#include "rsyncd/patch.h"
#include "rsyncd/spool.h"

/* One way to make a new content of an old one: op, pieces (`at` counted from
 * its own begin) and their bytes. */
struct attempt {
	struct patch_op op;
	struct patch_piece *piece;
	size_t room;
	struct spool packed;
};
void attempt_clear(struct attempt *a);

/* A content while patches of it are made: in memory when it is small enough
 * for that, else in its file. */
struct side {
	int fd;
	const char *mem; /* or NULL */
	uint64_t size;
};

/* What a thread keeps: its coder, and room for two files or their parts. */
#define PATCH_OLD_ROOM (16UL << 20)
#define PATCH_NEW_ROOM (16UL << 20)
struct patch_worker {
	struct frame_coder *coder;
	struct frame_decoder *decoder;
	int tmp_dirfd;
	char *old_room, *new_room;
	struct buf frame, far;
};
struct patch_worker *patch_worker_new(int level, int tmp_dirfd);
void patch_worker_free(struct patch_worker *w);

/* Each adds its pieces to `a`, which is empty, and fills kind, piece count and
 * what only its kind has. -1: ERR_SYS.
 * old NULL: whole. */
int try_zstd(struct patch_worker *w, const struct side *old,
	     const struct side *new, struct attempt *a, struct err *e);
int try_rsync(struct patch_worker *w, const struct side *old,
	      const struct side *new, struct attempt *a, struct err *e);
/* 1: done, and replayed; 0: the two are no gzip files, or not to be made
 * again. The worker's room is wanted for what is inside, so neither side is
 * in memory any more. */
int try_gzip(struct patch_worker *w, struct side *old, struct side *new,
	     struct attempt *a, struct err *e);
int try_symbols(struct patch_worker *w, struct side *old, struct side *new,
		struct attempt *a, struct err *e);

/* The attempt taken as a client takes it: what comes out must have `hash`.
 * ERR_REFUSED when it has not, ERR_SYS. */
int try_replay(const struct attempt *a, int old_fd, int tmp_dirfd,
	       const struct digest *hash, struct err *e);

#endif
