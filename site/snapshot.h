#ifndef SITE_SNAPSHOT_H
#define SITE_SNAPSHOT_H

#include <stdbool.h>

#include "cmdb/entry.h"
#include "lib/base.h"
#include "specs/patterns.h"
#include "specs/state.h"

/* The files of a site, read at one moment and compiled. A file that is wrong
 * leaves a problem where its content would be; what was good before stays in
 * force (snapshot_read takes it over from `old`). Immutable. */
#define CONFIGURE_MAX_BYTES (1024 * 1024)

struct profile {
	char *name;
	struct patterns *patterns; /* NULL: no .specs file, fits nothing */
	char *configure;           /* NULL with a problem, if missing */
	char *cmdb_text;           /* NULL: no CMDB */
	char *specs_text;
	char *problem; /* why machines that reach this profile wait */
};

struct problem {
	char *file, *message;
	unsigned line;
	bool warning;
};

struct snapshot {
	struct state *state; /* NULL: unreadable, and never was readable */
	char *state_text, *state_problem;
	struct profile *profiles; /* one for each row of the state */
	size_t len;
	struct problem *problems;
	size_t problems_len;
	char *signature; /* of all files: what changes when one does */
};

/* Read the site in `dir`. Never fails: what is wrong is in it. `old` may be
 * NULL. */
struct snapshot *snapshot_read(const char *dir, const struct snapshot *old);

/* What would be the signature of the site's files now; *age_ms is the age of
 * the youngest change. Owned. */
char *snapshot_signature(const char *dir, int64_t *age_ms);

const struct profile *snapshot_profile(const struct snapshot *s,
				       const char *name);

void snapshot_free(struct snapshot *s);
AUTO_DEFINE(snapshot)

#endif
