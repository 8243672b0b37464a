#ifndef SITE_REPLAY_H
#define SITE_REPLAY_H

#include "site/scratch.h"
#include "site/standing.h"

/* A replay under way. */
struct replay {
	const struct site_watch *watch;
	struct site *now;      /* the site with the new files */
	struct value *scripts; /* of the old one, {profile: text} */
	struct value *differ;  /* {profile: machines that keep it} */
	struct value *rows;    /* machines for which something changes */
	size_t asked, left_out, done, total;
};

/* `r` is zero but for `watch` and `total`. Takes `scripts`. */
void replay_begin(struct replay *r, struct site *now, struct value *scripts);
void replay_clear(struct replay *r);

/* The configure scripts of a site, {profile: text}. Owned. */
struct value *replay_scripts(const struct snapshot *s);

/* Before each machine. ERR_REFUSED: whoever watches wants no more. */
int replay_go_on(struct replay *r, struct err *e);

/* A machine that had `was` gets `now`. */
void replay_note(struct replay *r, const char *name, const struct standing *was,
		 const struct standing *now);

/* What docs/wire.md calls REPLAY. Owned. */
struct value *replay_result(struct replay *r);

/* A site without a state to try is none. ERR_INPUT. */
int replay_check(const struct site *s, struct err *e);

#endif
