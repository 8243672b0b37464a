#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/value.h"

#include "host/conf.h"

/* One call of the edeploy command on one host. */
struct host {
	const char *root; /* "" is this system, else a directory */
	bool json;
	struct conf conf;
};

#define STATE_DIR "/var/lib/edeploy"
#define UPGRADE_MARK STATE_DIR "/upgrade" /* an upgrade is under way */
#define POST_REBOOT 100 /* exit code of `post`: reboot when done */

/* ---- transfers (host/transfer.c) ---- */

/* A tree that a stock rsync daemon serves. */
enum what {
	WHAT_TREE,     /* RPATH/VERSION/ROLE/ */
	WHAT_METADATA, /* metadata/VERSION/ROLE/TO/ */
	WHAT_PATHS     /* metadata/VERSION/ROLE/: where one may go */
};
char *transfer_url(const struct host *h, enum what what, const char *to);

/* Fetch what an upgrade to `to` needs into `dir` (made here): pre and post of
 * the new tree's own /var/lib/edeploy/TO, then all of the metadata over it.
 * ERR_PEER when the daemon has no such way; ERR_INPUT when `exclude` or
 * `add_only` is not as it must be. */
int transfer_metadata(const struct host *h, const char *to, const char *dir,
		      struct err *e);

/* The versions that this one may go to, sorted; free with names_free. */
int transfer_list(const struct host *h, char ***names, struct err *e);

/* One pass of an upgrade, or of `verify`. Pass 1 makes everything that is not
 * excluded equal to the tree and deletes what the tree has not; pass 2 adds
 * files that are missing and that add_only names. */
struct pass {
	int number; /* 1 or 2 */
	const char *version;
	const char *exclude;  /* file; NULL: nothing of the role's */
	const char *add_only; /* of pass 2 */
	bool only_look;
	struct value *changes; /* list of {"pass", "what", "path"}, or NULL */
	int64_t bytes;         /* out: that would be or were transferred */
};
int transfer_pass(const struct host *h, struct pass *p, struct err *e);

/* ---- upgrades (host/upgrade.c) ---- */

/* The text of UPGRADE_MARK for a person, NULL when none is under way. Owned. */
char *upgrade_under_way(const struct host *h);

/* Move this host to version `to`. *reboot: the role asks for one. */
int upgrade(const struct host *h, const char *to, bool *reboot, struct err *e);

/* What upgrade() would change; changes nothing but a directory of its own
 * that it removes. Appends to `changes`. */
int upgrade_test(const struct host *h, const char *to, struct value *changes,
		 struct err *e);

/* What differs from the version this host is recorded as. Reads only. */
int upgrade_verify(const struct host *h, struct value *changes, struct err *e);

#endif
