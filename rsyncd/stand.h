#ifndef RSYNCD_STAND_H
#define RSYNCD_STAND_H

#include "rsyncd/walk.h"

/* An entry of a manifest and what is on the disk at its place. */

enum stand_is {
	STAND_SAME,
	STAND_ABSENT,
	STAND_OTHER,  /* another kind, size, link text, device */
	STAND_DRESSED /* owner, mode, time or attributes differ */
};

/* Contents are not read. `what`: what differs, for a person (NULL: not wanted).
 * -1: ERR_SYS, ERR_INPUT. */
int stand_entry(struct walk_look *pool, int top,
		const struct manifest_entry *entry, const char **what,
		struct err *e);

/* By stat alone: attributes are not looked at either. For h only that it is
 * there. */
int stand_stat(int top, const struct manifest_entry *entry, const char **what,
	       struct err *e);

/* Is the h entry the same file as its target? */
bool stand_linked(int top, const struct manifest_entry *entry);

/* The h entry and its target lie on two file systems: it can only be a copy. */
bool stand_apart(int top, const struct manifest_entry *entry);

/* Owner, mode, time and attributes of two entries are equal. */
bool stand_dress_equal(const struct manifest_entry *a,
		       const struct manifest_entry *b, const char **what);

/* Each thing in the tree's folders that is not in the manifest: the first -1
 * ends it. What a mount point brings along (lost+found) is no stranger. */
int stand_strangers(int top, const struct manifest *m,
		    int (*stranger)(void *ctx, const char *path, struct err *e),
		    void *ctx, struct err *e);

#endif
