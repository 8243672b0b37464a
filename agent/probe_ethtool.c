/* What sysfs does not say of an interface: the address that it was made with
 * (a bond or a script may have changed the present one), its firmware, and
 * its IPv4 address. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/netdevice.h>
#include <linux/sockios.h>

#include "agent/probe_ethtool.h"
#include "lib/base.h"

static int
ask(int fd, const char *name, void *command)
{
	struct ifreq req = { 0 };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	req.ifr_data = command;
	return ioctl(fd, SIOCETHTOOL, &req);
}

static void
ask_permanent(int fd, const char *name, char out[96])
{
	union {
		struct ethtool_perm_addr head;
		unsigned char
			room[sizeof(struct ethtool_perm_addr) + MAX_ADDR_LEN];
	} said = { .head = { .cmd = ETHTOOL_GPERMADDR, .size = MAX_ADDR_LEN } };
	unsigned i, any = 0;
	size_t n = 0;

	if (ask(fd, name, &said) < 0 || said.head.size > MAX_ADDR_LEN)
		return;
	for (i = 0; i < said.head.size; i++) {
		any |= said.head.data[i];
		n += (size_t)snprintf(out + n, 96 - n, "%s%02x", i ? ":" : "",
				      said.head.data[i]);
	}
	if (!any) /* the driver does not know */
		*out = '\0';
}

void
ethtool_ask(const char *name, struct ethtool_words *out)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_cmd link = { .cmd = ETHTOOL_GSET };
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*out = (struct ethtool_words){ 0 };
	if (fd < 0)
		return;
	ask_permanent(fd, name, out->permanent);
	if (ask(fd, name, &info) == 0 && !str_eq(info.fw_version, "N/A"))
		snprintf(out->firmware, sizeof(out->firmware), "%.32s",
			 info.fw_version);
	if (ask(fd, name, &link) == 0)
		snprintf(out->autonegotiation, sizeof(out->autonegotiation),
			 "%s", link.autoneg ? "on" : "off");
}

void
ipv4_make(unsigned address, unsigned mask, struct ipv4_words *out)
{
	unsigned network = address & mask;

	*out = (struct ipv4_words){ 0 };
	inet_ntop(AF_INET, &address, out->address, sizeof(out->address));
	inet_ntop(AF_INET, &mask, out->netmask, sizeof(out->netmask));
	inet_ntop(AF_INET, &network, out->network, sizeof(out->network));
	snprintf(out->cidr, sizeof(out->cidr), "%d", __builtin_popcount(mask));
}

static unsigned
ipv4_of(const struct sockaddr *a)
{
	struct sockaddr_in in;

	memcpy(&in, a, sizeof(in));
	return in.sin_addr.s_addr;
}

bool
ipv4_ask(const char *name, struct ipv4_words *out)
{
	struct ifaddrs *all, *a;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (a = all; a && !found; a = a->ifa_next) {
		if (!str_eq(a->ifa_name, name) || !a->ifa_addr ||
		    !a->ifa_netmask || a->ifa_addr->sa_family != AF_INET)
			continue;
		ipv4_make(ipv4_of(a->ifa_addr), ipv4_of(a->ifa_netmask), out);
		found = true;
	}
	freeifaddrs(all);
	return found;
}
