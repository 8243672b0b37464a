#ifndef AGENT_NIC_H
#define AGENT_NIC_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"

struct net_rule;

/* A network interface of the initrd, as the network stage sees it. */
struct nic {
	char name[IFNAMSIZ];  /* of the port */
	char works[IFNAMSIZ]; /* where the address goes: the port or a VLAN */
	bool up, configured, carrier, has_address;
	int64_t up_ms, link_ms; /* when it was set up, when it had a link */
	char address[INET_ADDRSTRLEN];
	pid_t dhcp; /* 0: none */
};

int nic_set_up(const char *name); /* -1 with errno */

/* All interfaces down, as far as that works: for the end of a run. */
void nic_all_down(void);

bool nic_has_link(const char *name);

/* Give it what the rule says: nothing, an address, or a DHCP client that lives
 * on and renews its lease; in a VLAN interface that is made for it, if the
 * rule names one. To be called once it has a link; it counts as configured
 * even when this fails. */
int nic_configure(struct nic *c, const struct net_rule *r, struct err *e);

#endif
