#ifndef AGENT_TREE_RSYNC_H
#define AGENT_TREE_RSYNC_H

#include "agent/tree.h"

/* Read one line of `rsync --info=progress2 --no-human-readable`:
 * "  1048576  12%   10.52MB/s    0:00:12 (xfr#3, to-chk=9/15)". The time in it
 * is that which has passed; what is left is reckoned. 0 when it is such a
 * line, -1 otherwise. */
int tree_progress_parse(const char *line, struct tree_progress *out);

/* What an exit code of rsync means and what to do; never NULL. */
const char *tree_exit_text(int code);

struct tree_rsync_opts {
	const char *url;  /* rsync://HOST:PORT/PATH/VERS/ROLE/ */
	const char *into; /* directory */
	int pause_max_s;  /* between tries; 0: 60 */
	int tries;        /* in a row that bring nothing new; 0: 30 */
	/* About twice a second while it works. */
	void (*progress)(void *ctx, const struct tree_progress *p);
	void (*tick)(void *ctx);
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

/* Bring a tree, taking up again where a broken connection left it. ERR_PEER
 * when the server could not give it, ERR_SYS when it could not be written. */
int tree_rsync(const struct tree_rsync_opts *opts, struct err *e);

#endif
