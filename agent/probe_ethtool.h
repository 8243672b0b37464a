#ifndef AGENT_PROBE_ETHTOOL_H
#define AGENT_PROBE_ETHTOOL_H

#include <stdbool.h>

/* What only an ioctl tells of an interface; words are "" when it does not. */
struct ethtool_words {
	char permanent[96]; /* hardware address burnt in, "aa:bb:…" */
	char firmware[33];
	char autonegotiation[4]; /* "on" or "off" */
};

/* Ask the kernel about the interface `name` of this machine. */
void ethtool_ask(const char *name, struct ethtool_words *out);

struct ipv4_words {
	char address[16], netmask[16], cidr[4], network[16];
};

/* The first IPv4 address of the interface `name` of this machine; false when
 * it has none. */
bool ipv4_ask(const char *name, struct ipv4_words *out);

/* The words for an address and its mask, both in network byte order. */
void ipv4_make(unsigned address, unsigned mask, struct ipv4_words *out);

#endif
