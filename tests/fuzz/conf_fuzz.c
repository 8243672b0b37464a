/* A configuration from anywhere: what is taken has all that edeployd needs,
 * each section once, every path from the root on. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "site/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_path(const char *path, bool needed)
{
	assert(path || !needed);
	assert(!path || path[0] == '/');
}

static void
check_conf(const struct confs *all, const struct conf *c)
{
	assert(c->section && c->section[0]);
	assert(confs_find(all, c->section) == c);
	check_path(c->configdir, true);
	check_path(c->logdir, true);
	check_path(c->lockfile, true);
	check_path(c->storedir, true);
	check_path(c->bootdir, true);
	check_path(c->socket, true);
	check_path(c->hwdir, false);
	check_path(c->fastcgi, false);
	assert(!c->listen || c->listen[0]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	AUTO(confs) all = NULL;
	struct err e = { 0 };
	char path[64];

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (confs_read(&all, path, &e) < 0)
		assert(!all && e.text[0]);
	for (size_t i = 0; all && i < all->len; i++)
		check_conf(all, &all->at[i]);
	close(fd);
	return 0;
}
