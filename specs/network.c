/* Networks, as network() of a profile means them. inet_pton is strict about
 * what an address is (no leading zeros, no missing octets), which is what a
 * fact deserves. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "specs/network.h"
#include "lib/num.h"

static unsigned
family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

/* AF_INET, AF_INET6, or -1. */
static int
read_address(const char *text, unsigned char out[16])
{
	if (inet_pton(AF_INET, text, out) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, out) == 1)
		return AF_INET6;
	return -1;
}

/* 255.255.0.0 and its mirror 0.0.255.255 are both 16; -1 for what is
 * neither. 0.0.0.0 is the mask of everything. */
static int
mask_bits(uint32_t mask)
{
	uint32_t ones = mask;
	int bits = 0;

	if (mask != 0 && !(mask & 0x80000000u))
		ones = ~mask;
	for (; ones & 0x80000000u; ones <<= 1)
		bits++;
	return ones ? -1 : bits;
}

static int
read_mask(struct network *n, const char *text)
{
	struct err e = { 0 };
	struct in_addr mask;
	uint64_t bits;
	int dotted;

	if (num_u64(text, 0, family_bits(n->family), &bits, "mask", &e) == 0) {
		n->bits = (unsigned)bits;
		return 0;
	}
	if (n->family != AF_INET || inet_pton(AF_INET, text, &mask) != 1)
		return -1;
	dotted = mask_bits(ntohl(mask.s_addr));
	if (dotted < 0)
		return -1;
	n->bits = (unsigned)dotted;
	return 0;
}

/* Clear the bits behind the mask; tells whether one was set. */
static bool
clear_host_bits(struct network *n)
{
	bool any = false;

	for (unsigned i = 0; i < family_bits(n->family) / 8; i++) {
		unsigned kept = n->bits > i * 8 ? n->bits - i * 8 : 0;
		unsigned char mask =
			kept >= 8 ? 0xff : (unsigned char)(0xff00u >> kept);

		any = any || (n->address[i] & ~mask);
		n->address[i] &= mask;
	}
	return any;
}

int
network_parse(struct network *n, const char *text, bool *host_bits,
	      struct err *e)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];

	memset(n, 0, sizeof(*n));
	if (len >= sizeof(address))
		return err_set(e, ERR_INPUT, "'%.60s' is not a network", text);
	memcpy(address, text, len);
	address[len] = '\0';
	n->family = read_address(address, n->address);
	if (n->family < 0)
		return err_set(e, ERR_INPUT, "'%.60s' is not a network", text);
	n->bits = family_bits(n->family);
	if (slash && read_mask(n, slash + 1) < 0)
		return err_set(e, ERR_INPUT,
			       "'%.20s' is not a mask (0 to %u, or dotted)",
			       slash + 1, family_bits(n->family));
	*host_bits = clear_host_bits(n);
	return 0;
}

int
network_has(const struct network *n, const char *text)
{
	struct network one = { .bits = n->bits };

	one.family = read_address(text, one.address);
	if (one.family < 0)
		return -1;
	if (one.family != n->family)
		return 0;
	clear_host_bits(&one);
	return memcmp(one.address, n->address, sizeof(one.address)) == 0;
}

bool
network_within(const struct network *inner, const struct network *outer)
{
	struct network wide = *inner;

	if (inner->family != outer->family || inner->bits < outer->bits)
		return false;
	wide.bits = outer->bits;
	clear_host_bits(&wide);
	return memcmp(wide.address, outer->address, sizeof(wide.address)) == 0;
}
