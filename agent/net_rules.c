/* The word IP=: read whole and checked before any interface is touched. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/num.h"

#include "agent/net.h"

static int
parse_address(struct net_rule *r, const char *config, struct err *e)
{
	const char *slash = strchr(config, '/');
	struct in_addr addr;
	uint64_t bits;
	char text[16];

	if (!slash || (size_t)(slash - config) >= sizeof(text))
		return err_set(e, ERR_INPUT,
			       "\"%.40s\" is not dhcp, none or ADDRESS/PREFIX",
			       config);
	snprintf(text, sizeof(text), "%.*s", (int)(slash - config), config);
	if (inet_pton(AF_INET, text, &addr) != 1)
		return err_set(e, ERR_INPUT, "\"%s\" is not an IPv4 address",
			       text);
	if (num_u64(slash + 1, 1, 32, &bits, "prefix", e) < 0)
		return -1;
	r->how = NET_STATIC;
	snprintf(r->cidr, sizeof(r->cidr), "%s/%u", text, (unsigned)bits);
	return 0;
}

static bool
interface_name_ok(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < IFNAMSIZ && name_is_safe(name);
}

static int
parse_rule(struct net_rule *r, char *item, struct err *e)
{
	char *config = strchr(item, ':'), *vlan;
	uint64_t n = 0;

	if (!config)
		return err_set(e, ERR_INPUT,
			       "\"%.40s\" is not NAME:CONFIG[@VLAN]", item);
	*config++ = '\0';
	if (!interface_name_ok(item))
		return err_set(e, ERR_INPUT, "\"%.40s\" is no interface name",
			       item);
	vlan = strchr(config, '@');
	if (vlan) {
		*vlan++ = '\0';
		if (num_u64(vlan, 1, 4094, &n, "VLAN", e) < 0)
			return -1;
	}
	snprintf(r->name, sizeof(r->name), "%s", item);
	r->vlan = (unsigned)n;
	if (str_eq(config, "dhcp"))
		r->how = NET_DHCP;
	else if (str_eq(config, "none"))
		r->how = NET_NONE;
	else
		return parse_address(r, config, e);
	return 0;
}

int
net_rules_parse(struct net_rules *out, const char *text, struct err *e)
{
	AUTO_FREE char *copy = base_strdup(text);
	char *at = copy, *item;

	*out = (struct net_rules){ 0 };
	while ((item = strsep(&at, ","))) {
		if (out->len == NET_RULES_MAX)
			return err_set(e, ERR_INPUT, "more than %d items",
				       NET_RULES_MAX);
		out->at = base_resize(out->at, out->len + 1, sizeof(*out->at));
		out->at[out->len] = (struct net_rule){ 0 };
		if (parse_rule(&out->at[out->len++], item, e) < 0)
			return -1;
	}
	return 0;
}

void
net_rules_clear(struct net_rules *r)
{
	free(r->at);
	*r = (struct net_rules){ 0 };
}

const struct net_rule *
net_rule_for(const struct net_rules *r, const char *interface)
{
	static const struct net_rule ask_dhcp = { .how = NET_DHCP };
	const struct net_rule *other = NULL;
	size_t i;

	for (i = 0; i < r->len; i++) {
		if (str_eq(r->at[i].name, interface) ||
		    str_eq(r->at[i].name, "all"))
			return &r->at[i];
		if (!other && str_eq(r->at[i].name, "other"))
			other = &r->at[i];
	}
	return other ? other : &ask_dhcp;
}
