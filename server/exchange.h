#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <stdatomic.h>

#include "server/route.h"

/* One request while it arrives: its body is collected in memory or, for large
 * ones, in an unlinked file, within the route's cap and a budget for all. */
#define EXCHANGE_BUDGET (512u * 1024 * 1024) /* bytes of all bodies */
#define EXCHANGE_DRAIN (4u * 1024 * 1024)    /* of a refused body: read on */

/* What all exchanges of one front hold together. */
struct exchange_load {
	atomic_size_t held; /* bytes of bodies */
	atomic_uint bulk;   /* answers that are `bulk` */
	unsigned bulk_max;
};

struct exchange {
	struct request ask; /* points into what stands below */
	char *target, *path, *query, *peer;
	struct route_plan plan;
	bool begun;   /* its headers were judged */
	bool refused; /* `reply` is the answer, the body does not matter */
	struct reply reply;
	struct buf body;
	int spool; /* the file of a spooled body, or -1 */
	void *map;
	size_t received; /* bytes that came, kept or not */
	size_t kept;
	struct exchange_load *load;
	bool bulk; /* has one of the places */
};

struct exchange *exchange_new(const char *target, struct exchange_load *load);

/* Judge by headers. `length` is the declared one, -1 when there is none. */
void exchange_begin(struct exchange *x, struct app *a, int64_t length);

/* Refuse what has begun, unless it was refused before. */
void exchange_refuse(struct exchange *x, int status, const char *text);

/* Take a piece of the body. False: give up on this client. */
bool exchange_take(struct exchange *x, const char *spool_dir, const char *bytes,
		   size_t len);

/* All is there: fills x->reply. */
void exchange_finish(struct exchange *x, struct app *a);

void exchange_free(struct exchange *x);
AUTO_DEFINE(exchange)

#endif
