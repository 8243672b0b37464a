#ifndef AGENT_TELL_H
#define AGENT_TELL_H

#include <stdint.h>

#include "lib/base.h"
#include "lib/err.h"
#include "lib/value.h"

/* What a run tells the server (docs/wire.md, "A run reports"): events in
 * order, each until it is acknowledged, and the log as it grows. One thread:
 * the caller calls tell_tick() about twice a second while anything works. */
#define TELL_QUEUE_MAX 2000 /* not yet acknowledged; then the least goes */

struct tell;

/* `url` is http://HOST:PORT; `run` the run's id; `log` a file, or NULL when
 * the log stays here. Nothing is sent before tell_token(). */
struct tell *tell_new(const char *url, const char *run, const char *log);
void tell_token(struct tell *t, const char *token);

void tell_phase(struct tell *t, const char *phase);
void tell_message(struct tell *t, const char *text);

/* Two progresses about the same thing that were not sent yet become one. */
struct progress {
	const char *what;
	double percent;
	int64_t bytes, bytes_per_s, eta_s; /* eta_s -1: unknown */
};
void tell_progress(struct tell *t, const struct progress *p);

void tell_done(struct tell *t, const char *action);

/* `details` (a dict to be merged into the event) is taken; may be NULL. */
void tell_failed(struct tell *t, const char *reason, struct value *details);

/* Send what is due, waiting at most about two seconds for the server; after
 * a failure it backs off up to 30 s. */
void tell_tick(struct tell *t);

/* Send everything, trying for up to `patience_ms`. `say` hears once a while
 * why it takes so long. ERR_PEER when something stays untold, ERR_REFUSED
 * when the server wants nothing of this run any more. */
typedef void tell_say(void *ctx, const char *line);
int tell_finish(struct tell *t, int64_t patience_ms, tell_say *say, void *ctx,
		struct err *e);

void tell_free(struct tell *t);
AUTO_DEFINE(tell)

#endif
