#ifndef AGENT_OWN_H
#define AGENT_OWN_H

#include "lib/err.h"

#include "agent/layout.h"
#include "agent/words.h"

/* What makes a role's tree this machine's own, once it is on the disk. */
struct own {
	const struct layout *layout;
	const struct words *words;
	const char *role, *version, *profile, *machine;
	const char *post_rsync; /* directory of the script's files */
	const char *modules;    /* lines for /etc/modules, or NULL */
	const char *passwords;  /* lines USER:HASH for /etc/shadow, or NULL */
	const char *facts;      /* JSON */
	const char *script;     /* as it was received */
	const char *journal;    /* path of the log so far */
	const char *command;    /* the host command's file, or NULL */
	const char *tree;       /* URL that it was published at, or NULL */
	const char *trust;      /* file of keys of trees; it may not be there */
	/* hears what is worth a line */
	void (*say)(void *ctx, const char *line);
	void *ctx;
};

/* Copy the script's files over the tree: owners, modes, links and names that
 * start with a dot as they are. A directory that the tree has keeps its own
 * owner and mode. ERR_INPUT when a directory would land behind an absolute
 * link of the tree. */
int own_copy_files(const struct own *o, struct err *e);

/* Write /etc/fstab, /var/lib/edeploy/conf and trees.pub, /etc/modules,
 * /usr/sbin/edeploy (with versions beside one another also the unit that proves
 * one) and what belongs into /var/log/edeploy (mode 0600; again at the end for
 * the log). */
int own_write(const struct own *o, struct err *e);
int own_write_log(const struct own *o, struct err *e);

/* fstab out of the text that is there and what was mounted. Lines for other
 * places are kept as they are; a line for a place of ours is kept when
 * `operator_wrote` the text, else replaced. Owned. */
char *own_fstab(const char *old, const struct layout *l, int operator_wrote);

/* The text of /etc/shadow with the hashes of `sets` (lines USER:HASH) in it.
 * Owned; NULL and ERR_INPUT when a user is not there. */
char *own_shadow(const char *old, const char *sets, struct err *e);

/* KEY=value lines: those of `old` with other keys, then these. Owned. */
struct own_key {
	const char *key, *value;
};
char *own_conf(const char *old, const struct own_key *keys, size_t len);

#endif
