#ifndef SERVER_FRONTS_H
#define SERVER_FRONTS_H

#include "server/app.h"

/* All the sockets at which the server answers: TCP, FastCGI, and for each
 * section its unix socket. */
struct fronts;

struct fronts_opts {
	struct app *app;
	const struct confs *confs;
	const char *conf_path; /* for messages */
	const char *listen;    /* instead of each LISTEN; NULL: none */
	const char *fastcgi;   /* instead of each FASTCGI; NULL: none */
	int request_s;         /* a request must have arrived after that */
};

/* Serve until fronts_free. ERR_INPUT: the configuration is wrong; ERR_REFUSED,
 * ERR_SYS: the system says no. Borrows what `o` points to. */
int fronts_open(struct fronts **out, const struct fronts_opts *o,
		struct err *e);

/* Deadlines; to be called about once a second. */
void fronts_tick(struct fronts *f);

/* Accept no more connections; requests in flight go on. */
void fronts_quiesce(struct fronts *f);

/* Requests in flight. */
unsigned fronts_busy(const struct fronts *f);

/* Cut what is still open, end all threads, remove the sockets. NULL does
 * nothing. */
void fronts_free(struct fronts *f);
AUTO_DEFINE(fronts)

#endif
