#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

/* One HTTP exchange as a client. */
struct http_ask {
	const char *method; /* "GET", "HEAD", "POST", "PUT" */
	const char *url;
	const char *unix_socket; /* connect there instead, or NULL */
	const char *const
		*headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body; /* NULL: none */
	size_t body_len;
	int connect_ms;      /* 0: 10 s */
	int deadline_ms;     /* whole exchange; 0: 60 s */
	size_t max_body;     /* of the answer; 0: 16 MiB */
	const char *want[8]; /* answer headers to keep, the rest NULL */
};

struct http_answer {
	int status; /* 200, 404, ... */
	struct buf body;
	char *header[8]; /* those of want[], NULL when absent */
};

/* 0 when a whole answer came, whatever its status: an answer that
 * was cut anywhere or has no length of its own is ERR_PEER, as is everything
 * that the network did.
 * Redirects are not followed. Clear `out` in any case. */
int http_do(const struct http_ask *ask, struct http_answer *out, struct err *e);

void http_answer_clear(struct http_answer *a);

#endif
