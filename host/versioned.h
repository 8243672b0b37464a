#ifndef HOST_VERSIONED_H
#define HOST_VERSIONED_H

#include <stdbool.h>

#include "lib/base.h"
#include "lib/err.h"

#include "rsyncd/manifest.h"
#include "rsyncd/seal.h"

#include "roots/state.h"

/* The versions of a host whose disk holds them beside one another
 * (roots/top.h). "running" is the version that "/" is; of a disk that is looked
 * at from elsewhere (--root) the good one. */
#define VERSIONED_PLAIN                                                        \
	"plain" /* boot.cfg's name of the old root that was                    \
		   converted, which is no version */

struct versioned {
	char *top; /* "" or a directory: the top of the file system */
	char *dir; /* top/edeploy */
	struct state state;
	char running[STATE_VERSION];
	bool live; /* "/" is the running version's root */
};

/* 1: read; 0: this host is not laid out so; -1: ERR_SYS, ERR_INPUT, and
 * ERR_REFUSED when the system that runs was not entered from /edeploy. Clear
 * `out` in any case. `root`: "" or a directory. */
int versioned_open(struct versioned *out, const char *root, struct err *e);
void versioned_clear(struct versioned *v);

/* /edeploy/roots/VERSION, and with a suffix (".record") what is beside. */
char *versioned_root(const struct versioned *v, const char *version);
char *versioned_beside(const struct versioned *v, const char *version,
		       const char *suffix);

/* The root that `running` is: one of them, or the old root. Owned. */
char *versioned_here(const struct versioned *v);

/* A name that cannot be meant for what is beside another version. */
bool versioned_name_ok(const char *version);

/* Versions whose root is complete, sorted; free with names_free. */
char **versioned_list(const struct versioned *v);
bool versioned_has(const struct versioned *v, const char *version);

/* What the next boot enters. */
const char *versioned_next(const struct versioned *v);

/* Nobody else changes versions meanwhile. Waits for half a minute where
 * somebody does; ERR_REFUSED behind that. */
struct lock;
int versioned_lock(const struct versioned *v, struct lock *l, struct err *e);

/* Read boot.cfg again. */
int versioned_refresh(struct versioned *v, struct err *e);

/* Whom this host believes, below the running version's root. */
#define VERSIONED_TRUST "var/lib/edeploy/trees.pub"
/* Read that.
 * ERR_REFUSED when there is none. */
int versioned_trust(const struct versioned *v, struct sign_trust *out,
		    struct err *e);

/* What `version` was published as. ERR_REFUSED when it has no record. */
int versioned_record(const struct versioned *v, const char *version,
		     struct seal **seal, struct manifest **m, struct err *e);

#endif
