#ifndef HOST_CHECK_H
#define HOST_CHECK_H

#include "host/host.h"
#include "host/versioned.h"

/* Is a version on the disk what was published, with what edeploy itself added?
 * Every content is read. */
enum check_kind {
	CHECK_DAMAGED, /* versioned paths, what edeploy added: not as it was */
	CHECK_EDITED,  /* merged paths: somebody's work */
	CHECK_STRANGER /* not part of the version; asked for */
};

struct check {
	const struct versioned *on;
	const char *version;
	bool strangers;
	bool quiet; /* no progress on stderr */
	void (*tell)(void *ctx, enum check_kind kind, const char *path,
		     const char *what);
	void *ctx;
};

/* How many are damaged; -1: ERR_SYS, ERR_INPUT, ERR_REFUSED (no record). */
int64_t check_version(const struct check *c, struct err *e);

/* Bring what is damaged from where the version was published. *mended: how
 * many; what was added here and cannot come from there is left. */
int check_fix(const struct host *h, const struct versioned *on,
	      const char *version, int64_t *mended, struct err *e);

#endif
