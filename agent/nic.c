/* One network interface: up, link, VLAN, address. Programs of busybox do what
 * would be pages of netlink here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "agent/net.h"
#include "agent/nic.h"

#define DHCP_SCRIPT "/etc/udhcpc.script"

static int
set(const char *name, bool up)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ask = { 0 };

	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ask) < 0)
		return -1;
	if (up)
		ask.ifr_flags |= IFF_UP;
	else
		ask.ifr_flags &= ~IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ask);
}

int
nic_set_up(const char *name)
{
	return set(name, true);
}

void
nic_all_down(void)
{
	struct if_nameindex *all = if_nameindex();

	for (struct if_nameindex *i = all; i && i->if_index != 0; i++)
		set(i->if_name, false);
	if (all)
		if_freenameindex(all);
}

bool
nic_has_link(const char *name)
{
	AUTO_FREE char *path = base_printf("/sys/class/net/%s/carrier", name);
	AUTO_FREE char *line = file_line("", path);

	return str_eq(line, "1");
}

static int
make_vlan(struct nic *c, unsigned vlan, struct err *e)
{
	char id[16];
	const char *const add[] = { "ip",    "link", "add",    "link",
				    c->name, "name", c->works, "type",
				    "vlan",  "id",   id,       NULL };

	snprintf(id, sizeof(id), "%u", vlan);
	if (snprintf(c->works, sizeof(c->works), "%s.%u", c->name, vlan) >=
	    IFNAMSIZ)
		return err_set(e, ERR_INPUT,
			       "%s.%u is longer than an interface name can be",
			       c->name, vlan);
	if (if_nametoindex(c->works) == 0 && proc_ok(add, NULL, e) < 0)
		return -1;
	if (nic_set_up(c->works) < 0)
		return err_sys(e, "%s: set up", c->works);
	return 0;
}

/* The client stays in the foreground of its own session and lives on: it
 * renews the lease until the machine reboots. */
static pid_t
start_dhcp(const char *name)
{
	const char *const argv[] = { "udhcpc", "-f", "-S",        "-i", name,
				     "-t",     "3",  "-T",        "2",  "-A",
				     "3",      "-s", DHCP_SCRIPT, NULL };
	pid_t pid = fork();
	int null;

	if (pid != 0)
		return pid;
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static int
give_static(const struct nic *c, const char *cidr, struct err *e)
{
	const char *const add[] = { "ip",  "addr",   "replace", cidr,
				    "dev", c->works, NULL };

	return proc_ok(add, NULL, e);
}

/* What an earlier client left would look like this one's answer, and go away
 * when this one starts. */
static void
forget_addresses(const struct nic *c)
{
	const char *const flush[] = { "ip",  "-4",     "addr", "flush",
				      "dev", c->works, NULL };
	struct err ignored;

	proc_ok(flush, NULL, &ignored);
}

int
nic_configure(struct nic *c, const struct net_rule *r, struct err *e)
{
	c->configured = true;
	c->link_ms = clock_boot_ms();
	snprintf(c->works, sizeof(c->works), "%s", c->name);
	if (r->how == NET_NONE)
		return 0;
	if (r->vlan && make_vlan(c, r->vlan, e) < 0)
		return -1;
	if (r->how == NET_STATIC)
		return give_static(c, r->cidr, e);
	forget_addresses(c);
	c->dhcp = start_dhcp(c->works);
	return c->dhcp < 0 ? err_sys(e, "udhcpc") : 0;
}
