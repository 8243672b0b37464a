#ifndef HOST_HISTORY_H
#define HOST_HISTORY_H

#include "lib/value.h"

#include "host/versioned.h"

/* What was done to this host's version: /edeploy/history, on a plain host
 * /var/lib/edeploy/history, a line each:
 *
 *     TIME ACTION FROM TO WORDS...
 *
 * and what init and health checks said of versions that fell, /edeploy/log:
 *
 *     TIME VERSION WORDS... */
#define HISTORY_PLAIN "/var/lib/edeploy/history"

/* Append. What cannot be written is no reason to fail: it is said on stderr. */
void history_add(const char *path, const char *action, const char *from,
		 const char *to, const char *words);
char *history_path(const struct versioned *v);

/* Begin the history `to` with that in `from`, unless it has begun. Said on
 * stderr when it cannot be. */
void history_carry(const char *from, const char *to);

/* Why a version fell, for `edeploy status`. */
void history_fell(const struct versioned *v, const char *version,
		  const char *words);

/* Both files in the order of their times: list of {"time", "action", "from",
 * "to", "words"}; of the log, actions are "fell" and "noted", and "from" is the
 * version. The newest 10,000 lines. NULL `log`: there is none. ERR_SYS. */
int history_read(struct value **out, const char *history, const char *log,
		 struct err *e);

/* What was done last, as a row of history_read; and the last fall of a version
 * when nothing was done behind it but what failed, too. Owned, NULL when there
 * is none. */
void history_news(const struct versioned *v, struct value **last,
		  struct value **fell);

#endif
