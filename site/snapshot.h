#ifndef SITE_SNAPSHOT_H
#define SITE_SNAPSHOT_H

#include <stdbool.h>

#include "cmdb/entry.h"
#include "lib/base.h"
#include "lib/swap.h"
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
	char *specs_text;
	char *problem; /* why machines that reach this profile wait */
	bool has_cmdb;
	/* The file as it stands now, to be made known to the store; NULL when
	 * that was done before, or when it is wrong: the store has what was
	 * good. */
	struct cmdb *cmdb;
	struct stamp cmdb_stamp;
	char *cmdb_error;  /* what is wrong with the file of that stamp */
	char *cmdb_remark; /* what its operator should know, or NULL */
};

/* One file of a site as it was when it was read. */
struct site_file {
	char *name;
	struct stamp stamp;
};

struct site_files {
	struct site_file *at; /* by name */
	size_t len;
};

struct problem {
	char *file, *message;
	unsigned line;
	bool warning;
	char *conflict_of; /* the profile whose CMDB it is about, or NULL */
};

struct snapshot {
	struct state *state; /* NULL: unreadable, and never was readable */
	char *state_text, *state_problem;
	struct profile *profiles; /* one for each row of the state */
	size_t len;
	struct problem *problems;
	size_t problems_len;
	struct site_files files;
};

/* Read the site in `dir`. Never fails: what is wrong is in it. `old` may be
 * NULL. */
struct snapshot *snapshot_read(const char *dir, const struct snapshot *old);

/* "state", or PROFILE with an ending that a site's file has. */
bool site_file_belongs(const char *name);

/* The files of the site in `dir` as they are now. Clear `out`. */
void site_files_read(struct site_files *out, const char *dir);
struct site_file *site_files_find(const struct site_files *f, const char *name);
void site_files_clear(struct site_files *f);

/* For how long nothing happened to the files that differ between the two, in
 * milliseconds; -1 when none differs. `now` is of this moment. */
int64_t site_files_quiet_ms(const struct site_files *old,
			    const struct site_files *now, const char *dir);

/* The file of `p` cannot be merged into the store: its machines wait. */
void snapshot_refuse_cmdb(struct snapshot *s, struct profile *p,
			  const char *why);
/* The file of `p` is not in `dir`, though its entries are known: they stay. */
void snapshot_note_vanished(struct snapshot *s, struct profile *p,
			    const char *dir);
/* The operator did not get all that the file of `p` says. */
void snapshot_note_conflict(struct snapshot *s, const struct profile *p,
			    unsigned line, const char *text);

const struct profile *snapshot_profile(const struct snapshot *s,
				       const char *name);

void snapshot_free(struct snapshot *s);
AUTO_DEFINE(snapshot)

#endif
