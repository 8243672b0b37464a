#ifndef SPECS_NETWORK_H
#define SPECS_NETWORK_H

#include <stdbool.h>

#include "lib/err.h"

/* An IPv4 or IPv6 network. */
struct network {
	int family; /* AF_INET or AF_INET6 */
	unsigned char address[16];
	unsigned bits;
};

/* Read 10.0.0.0/8, 10.0.0.0/255.0.0.0, 10.0.0.0/0.255.255.255, fe80::/10, or
 * an address alone. *host_bits tells that bits behind the mask were set; they
 * do not count. ERR_INPUT. */
int network_parse(struct network *n, const char *text, bool *host_bits,
		  struct err *e);

/* 1 inside, 0 outside, -1 when `text` is no address (an address of the other
 * family is outside). Network and broadcast addresses are inside. */
int network_has(const struct network *n, const char *text);

/* Every address of `inner` is one of `outer`. */
bool network_within(const struct network *inner, const struct network *outer);

#endif
