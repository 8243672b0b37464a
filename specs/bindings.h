#ifndef SPECS_BINDINGS_H
#define SPECS_BINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"

/* What the variables of a profile are worth on one machine, in the order in
 * which they were bound. */
struct binding {
	char *name, *value;
	bool key; /* written $$name: chooses the CMDB entry */
	/* where the value came from, so that the site can tell a MAC from a
	 * disk name: class and property of the fact, and which word it was.
	 * Owned. */
	char *cls, *property;
	int word; /* FACT_CLASS ... FACT_VALUE */
};

struct bindings {
	struct binding *at;
	size_t len;
};

/* Value of `name`, or NULL. Borrowed. */
const char *bindings_get(const struct bindings *b, const char *name);
void bindings_free(struct bindings *b);
AUTO_DEFINE(bindings)

#endif
