#ifndef RSYNCD_WALK_H
#define RSYNCD_WALK_H

#include "rsyncd/manifest.h"

struct walk_opts {
	const char *dir;
	int threads; /* that hash; 0: as many as processors, at most 8 */
	/* A path to leave out with all below it, or NULL. */
	bool (*skip)(void *ctx, const char *path);
	/* Refuse a tree in which something is mounted: what lies below cannot
	 * be seen. Else it is left out, and told. */
	bool no_mounts;
	/* Now and then, and at the end. */
	void (*progress)(void *ctx, uint64_t files, uint64_t bytes);
	/* What is no part of a tree and was left out: a socket. */
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

/* Look at a folder and hash all that is in it. Follows no link, does not cross
 * into another file system's mount but for the folder itself. A file that
 * changes meanwhile is ERR_REFUSED. ERR_SYS, ERR_INPUT (a name or
 * something else that a manifest cannot say, with the path). */
int walk(const struct walk_opts *opts, struct manifest **out, struct err *e);

/* One entry as it is on the disk now, without a content's hash: what
 * walk says of it. `dirfd` is the tree's top. *out borrows `path`; its other
 * pointers live until the next call with the same pool. 1: there; 0: nothing
 * there; -1: ERR_SYS, ERR_INPUT. A socket has type 0. Quick when paths come in
 * the order of a manifest: the folder that was last looked into stays open; say
 * walk_look_forget when one was replaced by another meanwhile. */
struct walk_look;
struct walk_look *walk_look_new(void);
int walk_look(struct walk_look *pool, int dirfd, const char *path,
	      struct manifest_entry *out, struct err *e);
void walk_look_forget(struct walk_look *pool);
void walk_look_free(struct walk_look *pool);
AUTO_DEFINE(walk_look)

#endif
