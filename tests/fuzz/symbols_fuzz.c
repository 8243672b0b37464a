/* A gzip file from anywhere, and a text from anywhere: what is told is capped,
 * and a text that a file gave makes a file, or says why not. */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/symbols.h"

#define MOST (1UL << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int
to_buf(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct buf *b = ctx;

	(void)e;
	buf_add(b, bytes, len);
	return 0;
}

static int
file_of(const void *bytes, size_t len)
{
	int fd = memfd_create("t", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	return fd;
}

static int
make(const void *text, size_t len, struct buf *out, struct err *e)
{
	struct symbols_maker *m = symbols_maker_new(to_buf, out);
	size_t half = len / 2;
	int got = symbols_maker_feed(m, text, half, e);

	if (got == 0)
		got = symbols_maker_feed(m, (const char *)text + half,
					 len - half, e);
	if (got == 0)
		got = symbols_maker_end(m, e);
	assert(got == 0 || (e->kind == ERR_INPUT && e->text[0]));
	symbols_maker_free(m);
	return got;
}

/* Any file's text makes some file, and that one has the same text. */
static void
tell_again(const struct buf *text)
{
	AUTO_CLEAR(buf) gz = { 0 }, again = { 0 };
	AUTO_CLOSE int fd = -1;
	struct err e = { 0 };

	assert(make(text->at, text->len, &gz, &e) == 0);
	fd = file_of(gz.at, gz.len);
	assert(symbols_read(fd, gz.len, MOST, to_buf, &again, &e) == 1);
	assert(again.len == text->len &&
	       memcmp(again.at, text->at, text->len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_CLEAR(buf) text = { 0 }, gz = { 0 };
	AUTO_CLOSE int fd = file_of(bytes, len), text_fd = -1;
	struct err e = { 0 };
	int got = symbols_read(fd, len, MOST, to_buf, &text, &e);

	assert(got >= 0 && text.len <= MOST);
	if (got == 1) {
		text_fd = file_of(text.at, text.len);
		assert(symbols_check(fd, len, text_fd, text.len, &e) >= 0);
		tell_again(&text);
	}
	make(bytes, len, &gz, &e);
	return 0;
}
