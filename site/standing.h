#ifndef SITE_STANDING_H
#define SITE_STANDING_H

#include "site/core.h"

/* What a machine has, or would get: a profile with its variables, or a reason
 * why there is none. */
struct standing {
	char *profile;      /* NULL: none */
	char *reason;       /* what was said last, or NULL */
	struct value *vars; /* NULL without a profile */
};

void standing_clear(struct standing *g);

/* By its row. `dir`: the site's folder, left out of the reason. */
int standing_of(const struct store_machine *m, const char *dir,
		struct standing *out, struct err *e);

/* A machine with these facts asks `s`, in a run of its own. */
int standing_ask(struct site *s, const struct facts *f, struct standing *out,
		 struct err *e);

/* False when a machine that has `was` would notice nothing; else `row` gets
 * "was", "becomes" and "changes" as docs/wire.md has them. */
bool standing_compare(const struct standing *was, const struct standing *now,
		      struct value *row);

/* `text` without each "dir/". Owned; NULL for NULL. */
char *without_dir(const char *text, const char *dir);

#endif
