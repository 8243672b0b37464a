#ifndef SERVER_APP_H
#define SERVER_APP_H

#include <stdatomic.h>
#include <stddef.h>

#include "server/request.h"
#include "site/site.h"

/* What the handlers work on: the sites, one a section. */
struct app {
	struct site **site; /* in the order of the configuration */
	size_t len;
	const char *trees;    /* folder of published trees, or NULL: none */
	atomic_bool stopping; /* long waits end early */
};

/* The site that `section` names (NULL: the request's socket, else "SERVER").
 * NULL with a 404 in `out` when there is none. Over a section's own socket,
 * only that section is there. */
struct site *app_site(const struct app *a, const struct request *r,
		      const char *section, struct reply *out);

/* The same, by the query's `section`. */
struct site *app_site_asked(const struct app *a, const struct request *r,
			    struct reply *out);

#endif
