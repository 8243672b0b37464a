#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "lib/err.h"

#define LISTEN_SHOWN 80

/* Listen on "ADDR:PORT" or "[IPv6]:PORT" (numeric; port 0: any free one).
 * Returns the socket and the address as it is now in `shown`, or -1: ERR_INPUT
 * when the text is no address, ERR_SYS. */
int listen_tcp(const char *text, char shown[LISTEN_SHOWN], struct err *e);

/* Listen on a unix socket that its owner and group may use (0660). Its
 * directory is made; a socket that nobody serves any more is replaced. `key` is
 * what names it in edeploy.conf. -1: ERR_REFUSED when another process serves
 * it, ERR_SYS. */
int listen_unix(const char *key, const char *path, struct err *e);

#endif
