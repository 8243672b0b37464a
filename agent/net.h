#ifndef AGENT_NET_H
#define AGENT_NET_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* The word IP=: a comma list of NAME:CONFIG[@VLAN]. NAME is an interface, or
 * "all" (which fits any, at its place in the list), or "other" (when no other
 * name fits). CONFIG is dhcp, none or ADDRESS/PREFIX. Nothing fits: dhcp. */
#define NET_RULES_MAX 64

enum net_how { NET_DHCP, NET_NONE, NET_STATIC };

struct net_rule {
	char name[16];
	enum net_how how;
	char cidr[20]; /* of NET_STATIC: 10.0.0.7/24 */
	unsigned vlan; /* 1 to 4094; 0: none */
};

struct net_rules {
	struct net_rule *at;
	size_t len;
};

/* ERR_INPUT, naming the item. Clear `out` in any case. */
int net_rules_parse(struct net_rules *out, const char *text, struct err *e);
void net_rules_clear(struct net_rules *r);

/* What the list says of one interface; never NULL. Borrowed. */
const struct net_rule *net_rule_for(const struct net_rules *r,
				    const char *interface);

/* What the network stage says while it works; `line` is for the console. */
typedef void net_say(void *ctx, const char *line);

struct net_opts {
	const char *ip; /* the word IP= */
	unsigned link_up_timeout_s;
	const char *server;   /* must answer a TCP connect ... */
	unsigned server_port; /* ... on this port */
	net_say *say;
	void *ctx;
};

/* Bring interfaces up and return as soon as one has an IPv4 address, the
 * server accepts a connection, and no other has something coming: a link in
 * its first `link_up_timeout_s`, or an address in the three seconds after. It
 * never gives up; every 5 to 60 s it says what is missing. Fails only for a
 * bad list or when /run cannot be written. */
int net_up(const struct net_opts *opts, struct err *e);

#endif
