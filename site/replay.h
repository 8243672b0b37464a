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

#endif
