#ifndef RSYNCD_HOLDERS_H
#define RSYNCD_HOLDERS_H

#include "rsyncd/manifest.h"

/* Which entries of a manifest hold which content. */
#define HOLDERS_END UINT32_MAX

struct holders {
	const struct manifest *m;
	struct contents *contents;
	uint32_t *first; /* of a content: an entry's number */
	uint32_t *next;  /* of an entry: the next one with its content */
};

void holders_init(struct holders *h, const struct manifest *m);
void holders_clear(struct holders *h);

#endif
