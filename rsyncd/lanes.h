#ifndef RSYNCD_LANES_H
#define RSYNCD_LANES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* Workers of a pull, in two manners: over the numbers of a list, and over
 * loads that come from the wire. The first failure ends all of it and is the
 * one that is told. */

#define LANES_MAX 8

/* Call work(ctx, lane, i) once for each i below `count`, in order of beginning,
 * in `threads` threads (1: in this one; lanes are 0 to threads - 1). `tick` is
 * called about twice a second by the caller's thread; -1 with `e` set ends it.
 */
struct lanes_each {
	int threads;
	size_t count;
	int (*work)(void *ctx, int lane, size_t i, struct err *e);
	int (*tick)(void *ctx, struct err *e);
	void *ctx;
};
int lanes_each(const struct lanes_each *o, struct err *e);

/* Bytes on their way to a worker. Loads of one job are worked on one after the
 * other, in the order in which they were given, by one lane; jobs otherwise
 * begin in the order in which they were given. */
struct load {
	size_t job;
	size_t part;          /* the giver's number, for the worker */
	bool last;            /* of its job */
	unsigned char *bytes; /* of lanes_room; may be NULL: a word to the
				 worker */
	size_t len;
	struct load *next;
};

struct lanes;

struct lanes_opts {
	int threads;
	size_t budget; /* bytes that may wait or be worked on */
	int (*work)(void *ctx, int lane, struct load *load, struct err *e);
	int (*tick)(void *ctx, struct err *e); /* while the giver waits */
	void *ctx;
};

struct lanes *lanes_new(const struct lanes_opts *o);

/* Room for the next load's bytes: waits while the budget is used up. NULL: what
 * a worker or `tick` said. They are given on with the load, or back. */
unsigned char *lanes_room(struct lanes *l, size_t len, struct err *e);
void lanes_unroom(struct lanes *l, unsigned char *bytes);

/* Takes load->bytes, also when it fails. */
int lanes_give(struct lanes *l, const struct load *load, struct err *e);

/* A worker gives its load's bytes back early; they are NULL then. */
void lanes_drop(struct lanes *l, struct load *load);

/* A worker waits until ready(ctx) is true, which is asked under the lanes'
 * lock; false: something failed meanwhile. Whatever makes it true is done
 * between lanes_lock and lanes_wake. */
bool lanes_wait(struct lanes *l, bool (*ready)(void *ctx), void *ctx);
void lanes_lock(struct lanes *l);
void lanes_wake(struct lanes *l);

/* Wait until all that was given is done. */
int lanes_end(struct lanes *l, struct err *e);

/* Without having waited: what was given and not begun is thrown away. */
void lanes_free(struct lanes *l);
AUTO_DEFINE(lanes)

#endif
