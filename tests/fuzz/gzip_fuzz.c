/* A gzip file from anywhere: what is inside is capped; when it is said how it
 * was made, making it so gives it again. */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/gzip.h"

#define MOST (256UL << 10)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int
to_buf(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct buf *b = ctx;

	(void)e;
	buf_add(b, bytes, len);
	assert(b->len <= MOST);
	return 0;
}

static int
file_of(const void *bytes, size_t len)
{
	int fd = memfd_create("t", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	return fd;
}

static void
make_again(const struct gzip_way *way, const struct buf *inside,
	   const uint8_t *bytes, size_t len)
{
	AUTO_CLEAR(buf) again = { 0 };
	struct gzip_maker *m =
		gzip_maker_new(way->level, way->mem_level, way->header,
			       way->header_len, to_buf, &again);
	struct err e = { 0 };

	assert(gzip_maker_feed(m, inside->at, inside->len, &e) == 0);
	assert(gzip_maker_end(m, &e) == 0);
	assert(again.len == len && memcmp(again.at, bytes, len) == 0);
	gzip_maker_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_CLEAR(buf) inside = { 0 };
	AUTO_CLOSE int fd = file_of(bytes, len), raw_fd = -1;
	static struct gzip_way way;
	struct err e = { 0 };
	int got = gzip_open(fd, len, MOST, to_buf, &inside, &e);

	assert(got >= 0);
	if (got == 0 || inside.len == 0)
		return 0;
	raw_fd = file_of(inside.at, inside.len);
	got = gzip_find(fd, len, raw_fd, inside.len, &way, &e);
	assert(got >= 0);
	if (got == 1)
		make_again(&way, &inside, bytes, len);
	return 0;
}
