/* Interfaces of a network of its own go up and down. */
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base.h"

#include "agent/nic.h"

#include "tests/test.h"

static bool
is_up(const char *name)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ask = { 0 };

	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", name);
	return ioctl(fd, SIOCGIFFLAGS, &ask) == 0 && (ask.ifr_flags & IFF_UP);
}

int
main(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		puts("1..0 # SKIP no network of its own can be had");
		return 0;
	}
	CHECK(0, !is_up("lo"));
	CHECK(1, nic_set_up("lo") == 0 && is_up("lo"));
	nic_all_down();
	CHECK(2, !is_up("lo"));
	nic_all_down();
	CHECK(3, nic_set_up("nosuch") < 0);
	CHECK(4, nic_set_up("lo") == 0 && is_up("lo"));
	return test_end();
}
