#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/err.h"
#include "lib/value.h"

/* One finished request and its reply, as values: whoever carries them
 * (libmicrohttpd or libfcgi) is not seen from here. */
struct request {
	const char *method;  /* "GET", ...; HEAD comes as it is */
	const char *path;    /* as path_clean made it */
	const char *query;   /* raw, without the "?"; NULL: none */
	const char *peer;    /* address it came from */
	bool local;          /* over a section's unix socket */
	const char *section; /* whose socket; NULL over TCP */
	/* headers, NULL when absent */
	const char *type, *host, *run, *token;
	const char *range, *if_range, *if_none_match;
	const char *body; /* whole; "" when there is none */
	size_t body_len;
};

#define REPLY_HEADERS 12

struct reply_header {
	const char *name; /* a literal */
	char *value;      /* owned; printable, checked by reply_header */
};

struct reply {
	int status;
	struct reply_header header[REPLY_HEADERS];
	size_t headers;
	struct buf body;
	int file; /* when not -1: sent instead of body */
	uint64_t file_offset, file_size;
	bool bulk; /* much, and may wait: takes one of the places for that */
};
#define REPLY_NONE                                                             \
	{                                                                      \
		.file = -1                                                     \
	}

/* Set a header. Bytes that could end a header line become '?'. */
void reply_header(struct reply *r, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Value of a header that was set, or NULL. Borrowed. */
const char *reply_header_get(const struct reply *r, const char *name);

/* An error: status and its reason as text/plain. */
void reply_error(struct reply *r, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same from an error value: ERR_INPUT 400, ERR_REFUSED `refused`, anything
 * else 500. */
void reply_err(struct reply *r, const struct err *e, int refused);

/* 200 with a document. */
void reply_json(struct reply *r, const struct value *v);

void reply_clear(struct reply *r);

/* ---- the request line, strictly ---- */

#define PATH_MAX_BYTES 1024
#define QUERY_MAX_BYTES 4096

/* Split a raw target ("//a//b?x=1") into a path where doubled slashes count as
 * one, and the query behind "?" (NULL: none). Refused (ERR_INPUT): not starting
 * with "/", bytes that are not printable ASCII, components "." and "..", longer
 * than the caps. Both are owned by the caller. */
int target_split(const char *raw, char **path, char **query, struct err *e);

/* The decoded value of a query's key: *out NULL when absent; owned by the
 * caller. ERR_INPUT: given twice, a malformed escape, longer than `max`. */
int query_get(const char *query, const char *key, size_t max, char **out,
	      struct err *e);

/* `path` fits `pattern`: equal, where "*" is exactly one component, decoded
 * into *arg (owned by the caller), a pattern that starts with "**" fits what
 * ends with the rest of it, and one that ends with a slash and "**" all that
 * lies below, which comes into *arg as it is. */
bool path_match(const char *pattern, const char *path, char **arg);

/* ---- one byte range of a file ---- */

enum range_kind { RANGE_ALL, RANGE_PART, RANGE_BAD };

/* Read a Range header (NULL: none) against a size. Anything but one range in
 * bytes is RANGE_ALL, as RFC 9110 wants; RANGE_BAD is 416. */
enum range_kind range_parse(const char *text, uint64_t size, uint64_t *offset,
			    uint64_t *len);

#endif
