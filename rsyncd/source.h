#ifndef RSYNCD_SOURCE_H
#define RSYNCD_SOURCE_H

#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

/* Where published files come from: http://HOST[:PORT]/PATH, https://..., or a
 * folder. One connection, kept open; one thread. */
struct source;

struct source_opts {
	const char *where;
	const char *ca;  /* file of certificates, or NULL: the system's */
	int tries;       /* in a row that bring nothing new; 0: 30 */
	int pause_max_s; /* between tries; 0: 60 */
	int stall_s;     /* without a byte; 0: 30 */
	/* While it waits or works, about twice a second; non-zero ends it. */
	int (*tick)(void *ctx);
	void (*say)(void *ctx, const char *line); /* a try failed */
	void *ctx;
};

int source_open(struct source **out, const struct source_opts *opts,
		struct err *e);
void source_close(struct source *s);

/* A small file, whole, at most `max` bytes. fresh: past every cache (HEADs).
 * 0: there is none (404); 1: here; -1: ERR_PEER, ERR_SYS, ERR_INPUT (larger).
 */
int source_small(struct source *s, const char *path, size_t max, bool fresh,
		 struct buf *out, struct err *e);

/* HEAD: as source_small, fresh. `tag` (or NULL): in, what an earlier answer was
 * called, or ""; out, what this one is called, or "". SOURCE_SAME: it is still
 * the one that `tag` names, and nothing is added to `out`. */
#define SOURCE_TAG 96
#define SOURCE_SAME 2
int source_head(struct source *s, const char *path, size_t max, char *tag,
		struct buf *out, struct err *e);
/* May this be sent as a tag? */
bool source_tag_is_safe(const char *tag);

/* Past every cache, since what one keeps may be damaged. Those that do not heed
 * Cache-Control heed another name: ?again=N. */
enum source_fresh { SOURCE_ANY, SOURCE_FRESH, SOURCE_RENAMED };

struct source_span {
	const char *path;
	uint64_t at, len; /* bytes [at, at + len); len > 0 */
	enum source_fresh fresh;
};

/* Bytes of a file, in order, to `take`, which sees each byte once: a broken
 * connection is taken up where it broke. take returns 0, or -1 with `e` set,
 * which ends it. A server that ignores ranges is borne only when `at` is 0.
 * ERR_INPUT: the file is not there, or ends before; ERR_PEER, ERR_SYS,
 * ERR_REFUSED (tick). */
int source_range(struct source *s, const struct source_span *span,
		 int (*take)(void *ctx, const void *bytes, size_t len,
			     struct err *e),
		 void *ctx, struct err *e);

/* Bytes that came over the wire or from files so far. */
uint64_t source_bytes(const struct source *s);

/* Bytes a second of the last span that was long enough to tell, with all that
 * asking takes; without what the taker does meanwhile, and without the time in
 * which others had the processor (pace.h). 0 before that. */
uint64_t source_speed(const struct source *s);
/* And how much longer work takes, in percent, since others work, too. */
unsigned source_slow(const struct source *s);

#endif
