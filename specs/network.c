#include <arpa/inet.h>
#include <stdio.h>

#include "specs/network.h"
#include "lib/base.h"
#include "lib/num.h"

static size_t
size_of(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void
mask_of_length(unsigned char mask[16], uint64_t bits)
{
	size_t i;

	for (i = 0; i < 16; i++, bits -= bits < 8 ? bits : 8)
		mask[i] = bits >= 8 ? 0xff : (unsigned char)(0xff00 >> bits);
}

/* 255.255.255.0 or 0.0.0.255: ones and zeros must not alternate. */
static int
dotted_mask(unsigned char mask[16], const char *text)
{
	uint32_t m, inverted;

	if (inet_pton(AF_INET, text, &m) != 1)
		return -1;
	m = ntohl(m);
	if (m && !(m & 0x80000000u))
		m = ~m;
	inverted = ~m;
	if (inverted & (inverted + 1))
		return -1;
	m = htonl(m);
	memcpy(mask, &m, sizeof(m));
	return 0;
}

int
network_parse(struct network *out, const char *text, struct err *e)
{
	AUTO_FREE char *copy = base_strdup(text);
	struct err ignored = { 0 };
	uint64_t bits, most;
	char *slash = strchr(copy, '/');

	*out = (struct network){ 0 };
	if (slash)
		*slash++ = '\0';
	out->family = strchr(copy, ':') ? AF_INET6 : AF_INET;
	most = 8 * size_of(out->family);
	bits = most;
	if (inet_pton(out->family, copy, out->address) != 1)
		return err_set(e, ERR_INPUT, "\"%.40s\" is not a network",
			       text);
	mask_of_length(out->mask, most);
	if (!slash)
		return 0;
	if (num_u64(slash, 0, most, &bits, "mask", &ignored) == 0)
		mask_of_length(out->mask, bits);
	else if (out->family != AF_INET || dotted_mask(out->mask, slash) < 0)
		return err_set(e, ERR_INPUT,
			       "\"%.40s\": \"%.20s\" is not a mask", text,
			       slash);
	return 0;
}

bool
network_has(const struct network *n, const char *text)
{
	unsigned char a[16];
	size_t i;

	if (inet_pton(n->family, text, a) != 1)
		return false;
	for (i = 0; i < size_of(n->family); i++)
		if ((a[i] ^ n->address[i]) & n->mask[i])
			return false;
	return true;
}
