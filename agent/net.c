/* The network of the initrd. One loop looks at every interface twice a second
 * and does what is due: link up, then an address, then a look at the server.
 * A DHCP client of each interface stays and renews its lease, so a long
 * install does not lose its address. There is no round that fails: cables and
 * switches come back, and the console says what is missing meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/text.h"

#include "agent/net.h"
#include "agent/nic.h"

#define LOOK_MS 500
#define CONNECT_MS 3000
#define SETTLE_MS 3000 /* for the other interfaces, once one works */
#define SAY_MIN_MS 5000
#define SAY_MAX_MS 60000
#define INTERFACES_MAX 256
#define LEASE_DIR "/run/edeploy/net"

struct net {
	const struct net_opts *opts;
	struct net_rules rules;
	struct nic *nic;
	size_t len;
	int64_t started_ms, say_ms, say_pause_ms;
	int64_t first_ms; /* when the server first answered; 0: not yet */
	bool said_waiting;
	char server_said[200]; /* why the last look at it failed */
};

static void say(struct net *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void
say(struct net *n, const char *fmt, ...)
{
	AUTO_CLEAR(buf) line = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	n->opts->say(n->opts->ctx, buf_text(&line));
}

static void
configure(struct net *n, struct nic *c)
{
	const struct net_rule *r = net_rule_for(&n->rules, c->name);
	struct err e = { 0 };

	if (nic_configure(c, r, &e) < 0)
		say(n, "%s: %s", c->name, e.text);
	else if (r->how == NET_NONE)
		say(n, "%s: left alone, as IP= says", c->name);
	else if (r->how == NET_DHCP)
		say(n, "%s: link is up, asking for an address", c->works);
	else
		say(n, "%s: link is up, address %s", c->works, r->cidr);
}

/* ---- all interfaces ---- */

static struct nic *
find_nic(struct net *n, const char *name)
{
	size_t i;

	for (i = 0; i < n->len; i++)
		if (str_eq(n->nic[i].name, name))
			return &n->nic[i];
	return NULL;
}

/* A port has a device below it; bridges, tunnels and our VLANs have none. */
static bool
is_port(const char *name)
{
	AUTO_FREE char *path = base_printf("/sys/class/net/%s/device", name);

	return strlen(name) < IFNAMSIZ && file_exists(path);
}

static void
take_new_ones(struct net *n)
{
	char **names = dir_names("/sys/class/net");
	size_t i;

	for (i = 0; names && names[i]; i++) {
		struct nic *c;

		if (!is_port(names[i]) || find_nic(n, names[i]) ||
		    n->len == INTERFACES_MAX)
			continue;
		n->nic = base_resize(n->nic, n->len + 1, sizeof(*n->nic));
		c = &n->nic[n->len++];
		*c = (struct nic){ 0 };
		snprintf(c->name, sizeof(c->name), "%s", names[i]);
		snprintf(c->works, sizeof(c->works), "%s", names[i]);
	}
	names_free(names);
}

static void
read_addresses(struct net *n)
{
	struct ifaddrs *all = NULL, *a;
	size_t i;

	for (i = 0; i < n->len; i++)
		n->nic[i].has_address = false;
	if (getifaddrs(&all) < 0)
		return;
	for (a = all; a; a = a->ifa_next)
		for (i = 0; i < n->len; i++) {
			struct sockaddr_in in;

			if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET ||
			    !str_eq(a->ifa_name, n->nic[i].works))
				continue;
			memcpy(&in, a->ifa_addr, sizeof(in));
			n->nic[i].has_address = true;
			inet_ntop(AF_INET, &in.sin_addr, n->nic[i].address,
				  sizeof(n->nic[i].address));
		}
	freeifaddrs(all);
}

/* One look at every interface: what is due is done. */
static void
look(struct net *n)
{
	size_t i;

	take_new_ones(n);
	for (i = 0; i < n->len; i++) {
		struct nic *c = &n->nic[i];

		if (!c->up) {
			c->up = nic_set_up(c->name) == 0;
			c->up_ms = clock_boot_ms();
		}
		c->carrier = c->up && nic_has_link(c->name);
		if (c->carrier && !c->configured)
			configure(n, c);
		/* a client that died (out of memory, no program) starts again
		 * at the next look */
		if (c->dhcp > 0 && waitpid(c->dhcp, NULL, WNOHANG) == c->dhcp)
			c->configured = false, c->dhcp = 0;
	}
	read_addresses(n);
}

/* ---- the server ---- */

static int
connect_to(const struct addrinfo *a, int wait_ms)
{
	AUTO_CLOSE int fd = socket(
		a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { fd, POLLOUT, 0 };
	int why = 0;
	socklen_t len = sizeof(why);

	if (fd < 0)
		return -1;
	if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -1;
	if (poll(&p, 1, wait_ms) <= 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0)
		return -1;
	errno = why;
	return why ? -1 : 0;
}

static bool
server_answers(struct net *n)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *all = NULL;
	char port[16];
	int bad;

	snprintf(port, sizeof(port), "%u", n->opts->server_port);
	bad = getaddrinfo(n->opts->server, port, &hints, &all);
	if (bad) {
		snprintf(n->server_said, sizeof(n->server_said), "%s",
			 gai_strerror(bad));
		return false;
	}
	bad = connect_to(all, CONNECT_MS);
	if (bad)
		snprintf(n->server_said, sizeof(n->server_said), "%s",
			 strerror(errno));
	freeaddrinfo(all);
	return !bad;
}

/* ---- patience ---- */

/* An item of IP= that no interface has the name of. */
static void
say_unknown(struct net *n)
{
	size_t i;

	for (i = 0; i < n->rules.len; i++) {
		const char *name = n->rules.at[i].name;

		if (!str_eq(name, "all") && !str_eq(name, "other") &&
		    !find_nic(n, name))
			say(n, "%s: IP= names it, and it is not here", name);
	}
}

static void
say_missing(struct net *n)
{
	size_t i, addresses = 0;

	for (i = 0; i < n->len; i++) {
		struct nic *c = &n->nic[i];

		addresses += c->has_address;
		if (c->has_address)
			say(n, "%s: %s", c->works, c->address);
		else if (!c->carrier)
			say(n, "%s: no link: look at cable and switch port",
			    c->name);
		else if (c->dhcp)
			say(n, "%s: no answer from a DHCP server yet",
			    c->works);
	}
	say_unknown(n);
	if (n->len == 0)
		say(n, "no network interface found: its driver may be missing "
		       "from this initrd");
	if (addresses > 0)
		say(n,
		    "server %s, port %u: %s: look at edeployd and at the "
		    "words SERV and HTTP_PORT",
		    n->opts->server, n->opts->server_port, n->server_said);
}

static void
say_when_due(struct net *n)
{
	int64_t now = clock_boot_ms();

	if (now < n->say_ms)
		return;
	say(n, "the network is not there after %d s; still trying",
	    (int)((now - n->started_ms) / 1000));
	say_missing(n);
	n->say_pause_ms *= 2;
	if (n->say_pause_ms > SAY_MAX_MS)
		n->say_pause_ms = SAY_MAX_MS;
	n->say_ms = now + n->say_pause_ms;
}

/* Ports agree with their switches for seconds, each in its own time. */
static bool
waits_for_link(const struct net *n, const struct nic *c)
{
	int64_t patience_ms = 1000 * (int64_t)n->opts->link_up_timeout_s;

	return c->up && !c->carrier &&
	       net_rule_for(&n->rules, c->name)->how != NET_NONE &&
	       clock_boot_ms() - c->up_ms < patience_ms;
}

static bool
waits_for_address(const struct net *n, const struct nic *c)
{
	int64_t since = c->link_ms > n->first_ms ? c->link_ms : n->first_ms;

	return c->dhcp && c->carrier && !c->has_address &&
	       clock_boot_ms() - since < SETTLE_MS;
}

static void
say_waiting(struct net *n)
{
	AUTO_CLEAR(buf) names = { 0 };
	size_t i;

	for (i = 0; i < n->len; i++)
		if (waits_for_link(n, &n->nic[i]))
			buf_printf(&names, " %s", n->nic[i].name);
	if (names.len && !n->said_waiting)
		say(n,
		    "the server answers; up to %u s for a link of%s (see the "
		    "words LINK_UP_TIMEOUT and IP)",
		    n->opts->link_up_timeout_s, buf_text(&names));
	n->said_waiting = true;
}

/* Facts about links and addresses choose profiles, and must be the same at
 * each run: the server may be within reach by the first interface, the others
 * get their time all the same. */
static bool
others_pending(struct net *n)
{
	size_t i;

	for (i = 0; i < n->len; i++)
		if (waits_for_link(n, &n->nic[i]) ||
		    waits_for_address(n, &n->nic[i]))
			return true;
	return false;
}

static bool
ready(struct net *n)
{
	size_t i;

	for (i = 0; i < n->len && !n->nic[i].has_address; i++)
		;
	if (i == n->len || (!n->first_ms && !server_answers(n)))
		return false;
	if (!n->first_ms)
		n->first_ms = clock_boot_ms();
	if (!others_pending(n))
		return true;
	say_waiting(n);
	return false;
}

int
net_up(const struct net_opts *opts, struct err *e)
{
	struct net n = { .opts = opts,
			 .started_ms = clock_boot_ms(),
			 .say_pause_ms = SAY_MIN_MS };
	size_t i;

	if (net_rules_parse(&n.rules, opts->ip, e) < 0 ||
	    dir_make(LEASE_DIR, 0755, e) < 0) {
		net_rules_clear(&n.rules);
		return err_add(e, "network");
	}
	n.say_ms = n.started_ms + 1000 * (int64_t)opts->link_up_timeout_s +
		   SAY_MIN_MS;
	for (look(&n); !ready(&n); look(&n)) {
		say_when_due(&n);
		usleep(LOOK_MS * 1000);
	}
	for (i = 0; i < n.len; i++)
		if (n.nic[i].has_address)
			say(&n, "%s has %s", n.nic[i].works, n.nic[i].address);
	net_rules_clear(&n.rules);
	free(n.nic);
	return 0;
}
