/* A server that died while it wrote a CMDB file left a new file beside it. That
 * is nearly always what it was about to write, which the store knows better;
 * but in the moment between changing names and looking at what came out it may
 * be what somebody had just saved. So it is set aside, not deleted, under one
 * name for each file: many crashes leave one. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/lock.h"
#include "lib/log.h"
#include "site/core.h"
#include "site/leftover.h"

#define LOCK_WAIT_MS 2000 /* another server may be writing */
#define MARK ".cmdb.new."
#define RANDOM_LEN 6 /* of mkostemp */

static void
set_aside(const char *dir, const char *name, size_t stem)
{
	AUTO_FREE char *from = base_printf("%s/%s", dir, name);
	AUTO_FREE char *to =
		base_printf("%s/%.*s.cmdb.interrupted", dir, (int)stem, name);

	if (rename(from, to) < 0)
		log_line(LOG_WARNING,
			 "%s was left by a server that died and "
			 "cannot be set aside: %m",
			 from);
	else
		log_line(LOG_WARNING,
			 "a server died while it wrote %.*s.cmdb; what it left "
			 "is %s: remove it unless an edit of yours is missing",
			 (int)stem, name, to);
}

void
leftovers_set_aside(const struct conf *c)
{
	struct lock lock = LOCK_NONE;
	struct err e = { 0 };
	char **names;

	if (lock_take(&lock, c->lockfile, LOCK_WAIT_MS, &e) < 0)
		return; /* whoever writes now is not dead */
	names = dir_names(c->configdir);
	for (size_t i = 0; names && names[i]; i++) {
		const char *mark = strstr(names[i], MARK);

		if (mark && strlen(mark) == strlen(MARK) + RANDOM_LEN)
			set_aside(c->configdir, names[i],
				  (size_t)(mark - names[i]));
	}
	if (names)
		names_free(names);
	lock_clear(&lock);
}
