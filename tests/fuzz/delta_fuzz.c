/* Signatures and deltas of librsync from anywhere, against a file that is
 * always the same. */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"

#include "rsyncd/delta.h"

#define BASE 8192
#define MOST 65536

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* As tests/fuzz/corpus/delta was made for: words that come again. */
static int
base_fd(void)
{
	static int fd = -1;
	char text[BASE];
	size_t i;

	if (fd >= 0)
		return fd;
	for (i = 0; i < BASE; i++)
		text[i] = (char)("edeploy trees "[i % 14] + (char)(i / 700));
	fd = memfd_create("base", MFD_CLOEXEC);
	assert(fd >= 0 && write(fd, text, BASE) == BASE);
	return fd;
}

static int
count(void *ctx, const void *bytes, size_t len, struct err *e)
{
	size_t *sum = ctx;

	(void)bytes;
	(void)e;
	*sum += len;
	assert(*sum <= MOST);
	return 0;
}

static void
try_patch(const uint8_t *bytes, size_t len)
{
	size_t sum = 0, half = len / 2;
	AUTO(delta_patch) p = delta_patch_new(base_fd(), MOST, count, &sum);
	struct err e = { 0 };

	if (delta_patch_feed(p, bytes, half, &e) == 0 &&
	    delta_patch_feed(p, bytes + half, len - half, &e) == 0 &&
	    delta_patch_end(p, &e) == 0)
		return;
	assert(e.kind == ERR_INPUT && e.text[0]);
}

static void
try_signature(const uint8_t *bytes, size_t len)
{
	AUTO_FREE struct delta_run *run = NULL;
	struct err e = { 0 };
	uint64_t end = 0;
	size_t n = 0, i;

	if (delta_find(bytes, len, BASE, base_fd(), BASE, &run, &n, &e) < 0) {
		assert(e.kind == ERR_INPUT && e.text[0]);
		return;
	}
	for (i = 0; i < n; i++) {
		assert(run[i].theirs >= end && run[i].len > 0);
		end = run[i].theirs + run[i].len;
		assert(end <= BASE && run[i].ours + run[i].len <= BASE);
	}
}

/* The first byte says which. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	if (bytes[0] & 1)
		try_signature(bytes + 1, len - 1);
	else
		try_patch(bytes + 1, len - 1);
	return 0;
}
