/* The management controller, through the kernel's /dev/ipmi0. Facts have the
 * words of ipmitool, which is not needed for that. */
#include <fcntl.h>
#include <linux/ipmi.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "lib/base.h"

#include "agent/probe.h"
#include "agent/probe_ipmi.h"

#define ANSWER_MS 5000 /* a controller that is busy takes a second or two */
#define REPLY_MAX 64
#define CHANNELS 16
#define NETFN_APP 0x06
#define NETFN_TRANSPORT 0x0c
#define GET_CHANNEL_ACCESS 0x41
#define GET_CHANNEL_INFO 0x42
#define GET_LAN_PARAMETER 0x02
#define VOLATILE 0x80
#define MEDIUM_802_3 4
#define MEDIUM_OTHER_LAN 6

enum lan_form { FORM_SOURCE, FORM_IPV4, FORM_MAC, FORM_VLAN };

static const struct {
	uint8_t number;
	const char *name;
	enum lan_form form;
	size_t len;
} lan_parameters[] = {
	{ 4, "ip-address-source", FORM_SOURCE, 1 },
	{ 3, "ip-address", FORM_IPV4, 4 },
	{ 6, "subnet-mask", FORM_IPV4, 4 },
	{ 5, "mac-address", FORM_MAC, 6 },
	{ 12, "default-gateway-ip", FORM_IPV4, 4 },
	{ 20, "802.1q-vlan-id", FORM_VLAN, 2 },
};

/* ---- what it says ---- */

static char *
lan_text(enum lan_form form, const uint8_t *d)
{
	static const char *const sources[] = { "Unknown", "Static Address",
					       "DHCP Address",
					       "BIOS Assigned Address" };
	size_t source = d[0] & 0x0f;

	switch (form) {
	case FORM_SOURCE:
		return base_strdup(source < ARRAY_LEN(sources) ? sources[source]
							       : "Other");
	case FORM_IPV4:
		return base_printf("%u.%u.%u.%u", d[0], d[1], d[2], d[3]);
	case FORM_MAC:
		return base_printf("%02x:%02x:%02x:%02x:%02x:%02x", d[0], d[1],
				   d[2], d[3], d[4], d[5]);
	case FORM_VLAN:
		return d[1] & 0x80
			       ? base_printf("%u", (d[1] & 0x0fU) << 8 | d[0])
			       : base_strdup("Disabled");
	}
	return base_strdup("");
}

static int
add_lan(ipmi_ask *ask, void *ctx, uint8_t channel, struct facts *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(lan_parameters); i++) {
		const uint8_t want[] = { channel, lan_parameters[i].number, 0,
					 0 };
		uint8_t reply[REPLY_MAX] = { 0 };
		AUTO_FREE char *text = NULL;
		int n = ask(ctx, NETFN_TRANSPORT, GET_LAN_PARAMETER, want,
			    sizeof(want), reply, sizeof(reply));

		if (n < 0)
			return -1;
		/* code, revision, then the parameter */
		if (n < 2 || reply[0] || (size_t)n - 2 < lan_parameters[i].len)
			continue;
		text = lan_text(lan_parameters[i].form, reply + 2);
		facts_add(out, "ipmi", "lan", lan_parameters[i].name, text);
	}
	return 0;
}

/* 1: yes, 0: no, -1: silence. */
static int
has_access(ipmi_ask *ask, void *ctx, uint8_t channel)
{
	const uint8_t want[] = { channel, VOLATILE };
	uint8_t reply[REPLY_MAX] = { 0 };
	int n = ask(ctx, NETFN_APP, GET_CHANNEL_ACCESS, want, sizeof(want),
		    reply, sizeof(reply));

	return n < 0 ? -1 : n >= 3 && reply[0] == 0;
}

static int
is_lan(ipmi_ask *ask, void *ctx, uint8_t channel)
{
	uint8_t reply[REPLY_MAX] = { 0 };
	int n = ask(ctx, NETFN_APP, GET_CHANNEL_INFO, &channel, 1, reply,
		    sizeof(reply)),
	    medium = reply[2] & 0x7f;

	return n < 0 ? -1
		     : n >= 3 && reply[0] == 0 &&
			       (medium == MEDIUM_802_3 ||
				medium == MEDIUM_OTHER_LAN);
}

int
ipmi_facts(ipmi_ask *ask, void *ctx, struct facts *out)
{
	uint8_t channel;
	int yes = 0;
	char text[8];

	for (channel = 0; channel < CHANNELS && !yes; channel++) {
		yes = has_access(ask, ctx, channel);
		snprintf(text, sizeof(text), "%u", channel);
		if (yes > 0)
			facts_add(out, "system", "ipmi", "channel", text);
	}
	if (yes < 0)
		return -1;
	for (channel = 1; channel < CHANNELS - 1; channel++) {
		yes = is_lan(ask, ctx, channel);
		if (yes)
			return yes < 0 ? -1 : add_lan(ask, ctx, channel, out);
	}
	return 0;
}

/* ---- how it is asked ---- */

struct device {
	int fd;
	long last;
};

/* The answer to the last question; one to an earlier that came too late is
 * passed over. */
static int
take_answer(struct device *d, uint8_t *reply, size_t size)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	struct ipmi_addr from;

	while (poll(&p, 1, ANSWER_MS) > 0) {
		struct ipmi_recv r = {
			.addr = (unsigned char *)&from,
			.addr_len = sizeof(from),
			.msg = { .data = reply,
				 .data_len = (unsigned short)size }
		};

		if (ioctl(d->fd, IPMICTL_RECEIVE_MSG_TRUNC, &r) < 0)
			return -1;
		if (r.recv_type == IPMI_RESPONSE_RECV_TYPE &&
		    r.msgid == d->last)
			return r.msg.data_len;
	}
	return -1;
}

static int
ask_device(void *ctx, uint8_t netfn, uint8_t cmd, const uint8_t *data,
	   size_t len, uint8_t *reply, size_t size)
{
	struct device *d = ctx;
	struct ipmi_system_interface_addr to = {
		.addr_type = IPMI_SYSTEM_INTERFACE_ADDR_TYPE,
		.channel = IPMI_BMC_CHANNEL
	};
	struct ipmi_req q = {
		.addr = (unsigned char *)&to,
		.addr_len = sizeof(to),
		.msgid = ++d->last,
		.msg = { .netfn = netfn,
			 .cmd = cmd,
			 .data_len = (unsigned short)len,
			 .data = (unsigned char *)(uintptr_t)data }
	};

	if (ioctl(d->fd, IPMICTL_SEND_COMMAND, &q) < 0)
		return -1;
	return take_answer(d, reply, size);
}

int
probe_ipmi(const char *root, struct facts *out, struct err *e)
{
	AUTO_FREE char *node = base_printf("%s/dev/ipmi0", root);
	AUTO_CLOSE int fd = open(node, O_RDWR | O_CLOEXEC);
	struct device d = { .fd = fd };

	if (fd < 0)
		return 0; /* most have none */
	if (ipmi_facts(ask_device, &d, out) < 0)
		return err_set(e, ERR_SYS,
			       "the management controller does not answer");
	return 0;
}
