#ifndef SERVER_FCGI_H
#define SERVER_FCGI_H

#include "server/app.h"

/* The fence around libfcgi: a web server that speaks FastCGI brings requests
 * over a unix socket; they become the same values as those of server/http.h.
 * The web server keeps the deadlines of clients and sends whole requests. */
struct fcgi_server;

struct fcgi_opts {
	struct app *app;
	int fd;                /* listening socket; taken, also on failure */
	const char *spool_dir; /* where large bodies wait; unlinked files */
};

/* Serve until fcgi_server_free. ERR_SYS. Borrows what `o` points to. */
int fcgi_server_start(struct fcgi_server **out, const struct fcgi_opts *o,
		      struct err *e);

/* Accept no more connections; requests in flight go on. For good, and for all
 * servers of this process: libfcgi knows only one end. */
void fcgi_server_quiesce(struct fcgi_server *h);

/* Requests in flight: begun and not yet answered to the last byte. */
unsigned fcgi_server_busy(struct fcgi_server *h);

/* Cut what is still open and end all threads. NULL does nothing. */
void fcgi_server_free(struct fcgi_server *h);
AUTO_DEFINE(fcgi_server)

#endif
