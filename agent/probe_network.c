/* Network interfaces under the words that lshw had for them, and besides:
 * permanent-serial, the address that a machine is known by (the server counts
 * it unless `driver` and `businfo` tell that it is a USB dongle's or a BMC's).
 * An interface with no device below (VLAN, bond, bridge) counts when it has
 * an IPv4 address: then it is how the machine is reached. */
#include <stdio.h>

#include "agent/probe.h"
#include "agent/probe_ethtool.h"
#include "agent/sysfs.h"
#include "lib/base.h"
#include "lib/file.h"
#include "lib/num.h"

#define ARPHRD_ETHER "1"
#define ARPHRD_INFINIBAND "32"
#define NET_ADDR_PERM "0"

struct card {
	const char *root, *name;
	struct ipv4_words ipv4;
	struct ethtool_words told;
	bool has_ipv4;
};

static char *
net_line(const struct card *c, const char *word)
{
	return sys_line(c->root, "/sys/class/net/%s/%s", c->name, word);
}

static void
add(const struct card *c, struct facts *out, const char *property,
    const char *value)
{
	if (value && *value)
		facts_add(out, "network", c->name, property, value);
}

/* The deepest directory of the path whose name fits; owned, NULL when there
 * is none. */
static char *
component(const char *place, bool (*fits)(const char *))
{
	const char *at = strrchr(place, '/');
	const char *end = place + strlen(place);

	while (at && at > place) {
		AUTO_FREE char *word =
			base_strndup(at + 1, (size_t)(end - at - 1));

		if (fits(word))
			return STEAL(word);
		end = at;
		for (at--; at > place && *at != '/'; at--)
			;
	}
	return NULL;
}

static bool
is_pci(const char *word)
{
	unsigned domain, bus, slot, function;
	int n = 0;

	return sscanf(word, "%x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function,
		      &n) == 4 &&
	       word[n] == '\0';
}

static bool
is_virtio(const char *word)
{
	return str_starts(word, "virtio") && word[6] &&
	       word[6 + strspn(word + 6, "0123456789")] == '\0';
}

/* "1-2.3", not its interface "1-2.3:1.0". */
static bool
is_usb(const char *word)
{
	const char *dash = strchr(word, '-');

	return dash && dash > word &&
	       strspn(word, "0123456789") == (size_t)(dash - word) && dash[1] &&
	       dash[1 + strspn(dash + 1, "0123456789.")] == '\0';
}

static void
add_usb(const struct card *c, const char *place, char *port, struct facts *out)
{
	const char *cut = strstr(place, port);
	int len = (int)((cut ? (size_t)(cut - place) : 0) + strlen(port));
	AUTO_FREE char *vendor =
		sys_line(c->root, "%.*s/manufacturer", len, place);
	AUTO_FREE char *product = sys_line(c->root, "%.*s/product", len, place);

	*strchr(port, '-') = ':';
	facts_addf(out, "network", c->name, "businfo", "usb@%s", port);
	add(c, out, "vendor", vendor);
	add(c, out, "product", product);
}

static void
add_place(const struct card *c, struct facts *out)
{
	AUTO_FREE char *place =
		sys_real(c->root, "/sys/class/net/%s/device", c->name);
	AUTO_FREE char *usb = NULL, *virtio = NULL, *pci = NULL;
	AUTO_FREE char *vendor = NULL, *product = NULL;

	if (!place)
		return;
	usb = component(place, is_usb);
	if (usb) {
		add_usb(c, place, usb, out);
		return;
	}
	virtio = component(place, is_virtio);
	pci = component(place, is_pci);
	if (virtio)
		facts_addf(out, "network", c->name, "businfo", "virtio@%s",
			   virtio + 6);
	else if (pci)
		facts_addf(out, "network", c->name, "businfo", "pci@%s", pci);
	if (!pci)
		return;
	pci_names(c->root, pci, &vendor, &product);
	add(c, out, "vendor", vendor);
	add(c, out, "product", product);
}

/* Nothing while the link is down: the kernel then says -1 or refuses. */
static void
add_speed(const struct card *c, struct facts *out)
{
	AUTO_FREE char *line = net_line(c, "speed");
	AUTO_FREE char *duplex = net_line(c, "duplex");
	struct err e = { 0 };
	uint64_t mbit;

	if (line && num_u64(line, 1, 10000000, &mbit, "speed", &e) == 0) {
		facts_addf(out, "network", c->name, "size", "%llu",
			   (unsigned long long)mbit * 1000000);
		if (mbit % 1000 == 0)
			facts_addf(out, "network", c->name, "speed",
				   "%lluGbit/s",
				   (unsigned long long)mbit / 1000);
		else
			facts_addf(out, "network", c->name, "speed",
				   "%lluMbit/s", (unsigned long long)mbit);
	}
	if (!str_eq(duplex, "unknown"))
		add(c, out, "duplex", duplex);
}

static void
add_ipv4(const struct card *c, struct facts *out)
{
	if (!c->has_ipv4)
		return;
	add(c, out, "ipv4", c->ipv4.address);
	add(c, out, "ipv4-netmask", c->ipv4.netmask);
	add(c, out, "ipv4-cidr", c->ipv4.cidr);
	add(c, out, "ipv4-network", c->ipv4.network);
}

static void
add_addresses(const struct card *c, bool physical, struct facts *out)
{
	AUTO_FREE char *address = net_line(c, "address");
	AUTO_FREE char *origin = net_line(c, "addr_assign_type");

	add(c, out, "serial", address);
	if (!physical)
		return;
	if (*c->told.permanent)
		add(c, out, "permanent-serial", c->told.permanent);
	else if (str_eq(origin, NET_ADDR_PERM))
		add(c, out, "permanent-serial", address);
}

static void
add_card(struct card *c, struct facts *out)
{
	bool physical =
		sys_exists(c->root, "/sys/class/net/%s/device", c->name);
	AUTO_FREE char *type = net_line(c, "type");
	AUTO_FREE char *carrier = net_line(c, "carrier");
	AUTO_FREE char *driver = NULL;

	if (!*c->root) {
		c->has_ipv4 = ipv4_ask(c->name, &c->ipv4);
		ethtool_ask(c->name, &c->told);
	}
	if ((!str_eq(type, ARPHRD_ETHER) && !str_eq(type, ARPHRD_INFINIBAND)) ||
	    (!physical && !c->has_ipv4))
		return;
	add_place(c, out);
	driver = sys_link_name(c->root, "/sys/class/net/%s/device/driver",
			       c->name);
	add(c, out, "driver", driver);
	add(c, out, "firmware", c->told.firmware);
	add(c, out, "link", str_eq(carrier, "1") ? "yes" : "no");
	add_speed(c, out);
	add(c, out, "autonegotiation", c->told.autonegotiation);
	add_ipv4(c, out);
	add_addresses(c, physical, out);
}

int
probe_network(const char *root, struct facts *out, struct err *e)
{
	char **names = sys_names(root, "/sys/class/net");
	size_t i;

	(void)e;
	for (i = 0; names[i]; i++) {
		struct card c = { .root = root, .name = names[i] };

		add_card(&c, out);
	}
	names_free(names);
	return 0;
}
