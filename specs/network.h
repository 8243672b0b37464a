#ifndef SPECS_NETWORK_H
#define SPECS_NETWORK_H

#include <stdbool.h>

#include "lib/err.h"

/* An IPv4 or IPv6 network. */
struct network {
	int family; /* AF_INET or AF_INET6 */
	unsigned char address[16], mask[16];
};

/* 192.168.2.0/24, /255.255.255.0, /0.0.0.255 (host mask), no mask (one
 * address), fe80::/10. Host bits may be set. ERR_INPUT. */
int network_parse(struct network *out, const char *text, struct err *e);

/* Is `text` an address (no mask, no leading zeros) inside it? */
bool network_has(const struct network *n, const char *text);

#endif
