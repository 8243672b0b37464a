#ifndef RSYNCD_WALK_FILES_H
#define RSYNCD_WALK_FILES_H

#include "rsyncd/look.h"

/* The contents of files that were looked at: their hashes, and whether they are
 * sparse. ERR_REFUSED when one is not any more what was looked at. */
struct walk_files {
	int top; /* the folder that their paths are in */
	struct look **file;
	size_t len;
	int threads; /* as team_opts has it */
	void (*progress)(void *ctx, uint64_t files, uint64_t bytes);
	void *ctx;
};
int walk_files(const struct walk_files *w, struct err *e);

/* What is said of such a file. Returns -1. */
int walk_changed(const char *path, struct err *e);

#endif
