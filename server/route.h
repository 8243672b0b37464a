#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "server/app.h"

/* What a request may send, known once its headers are there. */
struct route_plan {
	size_t max_body; /* bytes; more is 413 */
	bool spool;      /* the body goes to a file, not to memory */
	bool slow;       /* it may take longer to arrive: a log */
};

/* Judge a request by its headers (body not set yet). True: it may send its
 * body, as `plan` says. False: `out` is the answer already (404, 405, 403). */
bool route_open(struct app *a, const struct request *r, struct route_plan *plan,
		struct reply *out);

/* The one function from a finished request to its reply. Never fails: what
 * went wrong is the reply. `out` starts as REPLY_NONE. */
void route(struct app *a, const struct request *r, struct reply *out);

/* Log a refusal in one line, so that the journal tells what machines were
 * told. For whoever carries the reply. */
void route_log(const struct request *r, const struct reply *out);

#endif
