#ifndef SITE_SYNC_H
#define SITE_SYNC_H

#include "site/core.h"

/* What an operator wrote into a .cmdb file and did not get. */
struct conflict {
	unsigned line; /* 0: none */
	char *text;
};

struct conflicts {
	struct conflict *at;
	size_t len;
};

void conflicts_clear(struct conflicts *c);

/* On the writer thread: make the store's entries equal to p->cmdb, but for
 * what `told` is filled with. *refusal (owned) when the file as a whole cannot
 * be merged: nothing was changed, and machines that need it must wait. */
int entries_sync(struct site *s, struct profile *p, struct conflicts *told,
		 char **refusal, struct err *e);

#endif
