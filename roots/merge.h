#ifndef ROOTS_MERGE_H
#define ROOTS_MERGE_H

#include "rsyncd/manifest.h"

/* The merged class of a new root (/etc): what the machine's people changed
 * since the old version came is carried over to the new one. Three sides, by
 * hash: `base`, the old version as it was published; `ours`, as it is now;
 * `theirs`, the new version as published. Content (with the type) and looks
 * (mode, owner, attributes) are merged apart: a version may change the owner of
 * a file that somebody edited. Times are nobody's edit. What makes the machine
 * itself (roots/identity.h) is ours as it is, when there is one. */
struct classes;

#define MERGE_BESIDE ".edeploy-new" /* behind a name */

enum merge_from {
	MERGE_OURS,
	MERGE_THEIRS,
	MERGE_LINES, /* accounts: both sides' lines, roots/accounts.h */
	MERGE_NONE   /* not there in the new root */
};

enum merge_note {
	MERGE_PLAIN,    /* nothing to tell */
	MERGE_KEPT,     /* an edit, carried over */
	MERGE_CONFLICT, /* both changed: ours stays, theirs is put beside it as
			   NAME.edeploy-new, which an older one makes room for
			 */
	MERGE_LOOKS,    /* both changed mode, owner or attributes: ours stay */
	MERGE_UNWANTED, /* ours was removed, theirs changed: it stays away */
	MERGE_ORPHAN    /* theirs removed it, ours was edited: it stays */
};

struct merge_row {
	const char *path; /* "etc/ssh/sshd_config" */
	enum merge_from content;
	struct manifest_entry look; /* mode, owner, attributes to be given;
				       type as in the new root */
	const struct manifest_entry *theirs; /* NULL: it has none */
	bool beside; /* theirs is written as NAME.edeploy-new */
	enum merge_note note;
};

struct merge_plan {
	struct merge_row *row; /* in a manifest's order, each folder before
				  what is in it; MERGE_NONE rows included when
				  there is something to tell */
	size_t len;
};

/* Pure. The manifests hold whole trees or only what is below `prefix`
 * ("etc"); rows are those at and below it. What is there and by `classes`
 * (NULL: all is) not of the merged class is as theirs has it. Borrows from all
 * three.
 */
void merge_make(struct merge_plan *out, const struct manifest *base,
		const struct manifest *ours, const struct manifest *theirs,
		const char *prefix, const struct classes *classes);
void merge_clear(struct merge_plan *p);

/* For a person: what became of this row; NULL when there is nothing to say. */
const char *merge_note_text(const struct merge_row *r);

#endif
