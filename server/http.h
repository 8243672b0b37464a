#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "server/app.h"

/* The fence around libmicrohttpd: requests of one listening socket become
 * values, replies become bytes. */
struct http_server;

struct http_opts {
	struct app *app;
	int fd;                /* listening socket; taken, also on failure */
	const char *section;   /* whose unix socket; NULL: TCP */
	const char *spool_dir; /* where large bodies wait; unlinked files */
	int request_s;         /* a request must have arrived after that */
};

/* Serve until http_server_free. ERR_SYS. Borrows what `o` points to. */
int http_server_start(struct http_server **out, const struct http_opts *o,
		      struct err *e);

/* End what is over its deadline (408 for a request that is still arriving) and
 * what sends a file that became too short. To be called about once a second. */
void http_server_tick(struct http_server *h);

/* Accept no more connections; requests in flight go on. */
void http_server_quiesce(struct http_server *h);

/* Requests in flight: begun and not yet answered to the last byte. */
unsigned http_server_busy(struct http_server *h);

/* Cut what is still open and end all threads. NULL does nothing. */
void http_server_free(struct http_server *h);
AUTO_DEFINE(http_server)

#endif
