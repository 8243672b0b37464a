#ifndef AGENT_TREE_H
#define AGENT_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/err.h"

#include "agent/words.h"

/* How far the tree is. */
struct tree_progress {
	double percent;
	int64_t bytes, bytes_per_s, eta_s; /* eta_s -1: unknown */
};

/* ---- where the tree comes from ---- */

enum tree_way {
	TREE_PUBLISHED, /* signed, or an error */
	TREE_RSYNC,
	TREE_RSYNC_ELSE, /* published; by rsync when it is not */
	TREE_ARCHIVE     /* published; else an archive of the first eDeploy */
};

struct tree_choice {
	enum tree_way way;
	char *trees; /* where published trees are, NULL with TREE_RSYNC */
	char *other; /* URL when it is not published there, or NULL */
};

/* `asked`: the script's tree_from(), NULL when it said nothing. The script's
 * word counts before kernel words, and of those TREE before HSERV before
 * RSERV. */
void tree_choose(const struct words *w, const char *asked, const char *role,
		 const char *version, struct tree_choice *out);
void tree_choice_clear(struct tree_choice *c);

/* ---- bringing it ---- */

#define TREE_TRUST "/etc/edeploy/trees.pub" /* keys in the initrd */
#define TREE_RECORD "/var/lib/edeploy/tree" /* in a plain root: its record */

struct tree_opts {
	const struct tree_choice *choice;
	const char *role, *version;
	const char *into;   /* where the tree goes */
	const char *record; /* where its record goes */
	const char *trust;
	int pause_max_s; /* between tries; 0: 60 */
	int tries;       /* in a row that bring nothing new; 0: 30 */
	/* About twice a second while it works. */
	void (*progress)(void *ctx, const struct tree_progress *p);
	void (*tick)(void *ctx);
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

/* Does choice->trees have it, signed? 1, 0, or -1: ERR_PEER. Needs choice, role
 * and version. */
int tree_published(const struct tree_opts *opts, struct err *e);

/* Fill the root, taking up again where a broken connection left it;
 * `published`: what tree_published() said. ERR_REFUSED: what is there is not
 * to be trusted; ERR_PEER: the server could not give it; ERR_SYS: it could not
 * be written. */
int tree_bring(const struct tree_opts *opts, bool published, struct err *e);

#endif
