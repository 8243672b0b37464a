#ifndef ROOTS_CLASSES_H
#define ROOTS_CLASSES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

#include "roots/enter.h"

/* To whom the paths of a root belong (docs/formats.md "classes"):
 *   versioned  the version: read from its tree, gone with it
 *   merged     both: a copy for each version, edits are carried over by hash
 *   state      the machine: one copy, seen by whatever version runs
 * The longest path that is listed decides. */
enum path_class { CLASS_VERSIONED, CLASS_MERGED, CLASS_STATE };

#define CLASSES_MAX 200
#define CLASSES_TEXT_MAX 65536
#define CLASSES_FILE                                                           \
	"usr/share/edeploy/classes" /* of a role, may be absent                \
				     */

struct class_row {
	enum path_class class;
	char *path; /* "var/lib/dpkg" */
};

struct classes {
	struct class_row *row;
	size_t len;
};

/* What holds for every role. */
void classes_default(struct classes *out);

/* A role's own rows on top of what is there; one for the same path takes its
 * place. Strict. ERR_INPUT. */
int classes_parse(struct classes *c, const char *text, const char *name,
		  struct err *e);

/* The defaults and the list in the tree `root`, if it has one. Clear `out` in
 * any case. ERR_SYS, ERR_INPUT. */
int classes_of_root(struct classes *out, const char *root, struct err *e);

enum path_class classes_of(const struct classes *c, const char *path);

/* Row `row` is a merged path, and below no other one. */
bool classes_merged_top(const struct classes *c, size_t row);

/* What has to be mounted so: state paths, and versioned ones below them; those
 * only that the tree `root` has as directories. ERR_INPUT when a state path is
 * something else there. */
int classes_places(const struct classes *c, const char *root,
		   struct enter_places *out, struct err *e);

/* State that the machine has below `state` and the tree lacks is the machine's
 * in this version, too: added to what classes_places() gave. */
void classes_keep(const struct classes *c, const char *state,
		  struct enter_places *out);

void classes_clear(struct classes *c);

#endif
