#ifndef ROOTS_ENTER_H
#define ROOTS_ENTER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* A root is a version's files with this machine's state mounted over them.
 * /edeploy/roots/VERSION.mounts says how, a line a place, in order:
 *
 *     # edeploy mounts 1
 *     state var
 *     state usr/local
 *     version var/lib/dpkg
 *
 * `state PATH`: /edeploy/state/PATH is mounted there, the same for all
 * versions. `version PATH`: the version's own directory again, below a state
 * one. */
#define ENTER_PLACES_MAX 64
#define ENTER_TEXT_MAX 16384

struct enter_place {
	bool state; /* else the version's own */
	char *path; /* "var/lib/dpkg" */
};

struct enter_places {
	struct enter_place *at;
	size_t len;
};

/* A path below the root that a line of a text can hold: relative, no part of
 * it empty, "." or "..", no blank. */
bool enter_path_ok(const char *path);

/* Strictly that. ERR_INPUT. Clear `out` in any case. */
int enter_places_parse(struct enter_places *out, const char *text,
		       const char *name, struct err *e);
/* Those of a version: DIR/roots/VERSION.mounts, DIR being "/edeploy" or where
 * that is mounted. ERR_SYS, too. */
int enter_places_read(struct enter_places *out, const char *dir,
		      const char *version, struct err *e);
char *enter_places_text(const struct enter_places *p);
void enter_places_add(struct enter_places *p, bool state, const char *path);
void enter_places_clear(struct enter_places *p);

enum enter_kind {
	ENTER_BIND,  /* from is seen at to */
	ENTER_GUARD, /* to: no setuid, no devices any more */
	ENTER_MOVE   /* from is no longer where it was */
};

struct enter_step {
	enum enter_kind kind;
	char *from, *to;
};

struct enter_plan {
	struct enter_step *step;
	size_t len;
};

/* What has to be mounted, in order, so that `top`/edeploy/sysroot is the root
 * of `version`; `top` is "" for the running system. */
void enter_plan_make(struct enter_plan *out, const char *top,
		     const char *version, const struct enter_places *places);
void enter_plan_clear(struct enter_plan *p);

/* Do it. On failure the steps that were done are undone. A place that the
 * version or the state lacks is made (a directory of root's, 0755). ERR_SYS. */
int enter_do(const struct enter_plan *p, struct err *e);

/* `root` has a program that a kernel could start as its first, found as the
 * root itself would find it: links are followed below it. ERR_INPUT. */
int enter_check_init(const char *root, struct err *e);

/* Whether two roots start with the same program, byte for byte. ERR_SYS,
 * ERR_INPUT. */
int enter_same_init(const char *a, const char *b, bool *same, struct err *e);

#endif
