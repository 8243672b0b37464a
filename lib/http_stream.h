#ifndef LIB_HTTP_STREAM_H
#define LIB_HTTP_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/err.h"

/* Large files by HTTP, piece by piece as they come, over one connection that is
 * kept from file to file. For one thread. Redirects are not followed. */
struct http_stream;

struct http_stream_opts {
	const char *ca; /* file of certificates, or NULL: the system's */
	int connect_ms; /* 0: 10 s */
	int stall_s;    /* without a byte; 0: 30 */
	/* About twice a second; non-zero ends the exchange (ERR_REFUSED). */
	int (*tick)(void *ctx);
	void *ctx;
};

struct http_stream *http_stream_new(const struct http_stream_opts *opts);
void http_stream_free(struct http_stream *s);
AUTO_DEFINE(http_stream)

#define HTTP_TAG 96 /* as large as an ETag may be, with NUL */
/* It can stand in a header: visible characters only. */
bool http_tag_is_safe(const char *tag);

struct http_get {
	const char *url;
	uint64_t at, len; /* bytes [at, at + len); len 0: the whole file */
	bool fresh;       /* no cache may answer from what it keeps */
	/* The ETag of an earlier answer, or "", or NULL; status 304 says that
	 * it is still that one. */
	const char *known;
	/* HTTP_TAG bytes for the ETag of this one, "" when it has none that can
	 * be used; or NULL. */
	char *tag;
	/* The bytes, in order. -1 with `e` set ends the exchange. */
	int (*take)(void *ctx, const void *bytes, size_t len, struct err *e);
	void *ctx;
};

/* 0: the answer came whole, *status is 200 or 206 and each byte that was asked
 * for was taken; or *status is another one, and nothing was taken; 416 also
 * where the file ends too early, and then what there was may have been. A
 * server that ignores ranges is borne when `at` is 0: what comes behind is not
 * taken. -1: ERR_PEER (the wire; what was taken is right as far as it went),
 * what `take` said, or ERR_REFUSED: by `tick`, or a certificate or URL that
 * will not do. */
int http_stream_get(struct http_stream *s, const struct http_get *get,
		    int *status, struct err *e);

#endif
