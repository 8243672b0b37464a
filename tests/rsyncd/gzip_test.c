/* Gzip files: what is inside comes out, and how they were made is found. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"

#include "rsyncd/gzip.h"

#include "tests/test.h"

#define PLAIN "\x1f\x8b\x08\0\0\0\0\0\0\x03"
#define TEXT_LEN 150000

/* Words in no order, so that levels differ, but deflate finds something. */
static char *
prose(size_t len)
{
	static const char *const word[] = { "tree ", "role ",    "version ",
					    "of ",   "machine ", "the ",
					    "disk ", "installs " };
	struct buf b = { 0 };
	unsigned seed = 5;

	while (b.len < len) {
		seed = seed * 1103515245 + 12345;
		buf_str(&b, word[seed >> 16 & 7]);
		if ((seed >> 20 & 15) == 0)
			buf_printf(&b, "%u\n", seed >> 8);
	}
	b.at[len] = '\0';
	return buf_take(&b);
}

static int
file_of(const char *bytes, size_t len)
{
	int fd = memfd_create("t", MFD_CLOEXEC);
	struct err e = { 0 };

	CHECK(0, fd >= 0 && fd_write_all(fd, bytes, len, &e) == 0);
	return fd;
}

static int
to_buf(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, bytes, len);
	return 0;
}

static void
make(int level, int mem_level, const void *header, size_t header_len,
     const char *text, size_t len, struct buf *out)
{
	struct gzip_maker *m = gzip_maker_new(level, mem_level, header,
					      header_len, to_buf, out);
	struct err e = { 0 };

	CHECK(level, gzip_maker_feed(m, text, len, &e) == 0);
	CHECK(level, gzip_maker_end(m, &e) == 0);
	gzip_maker_free(m);
}

/* ---- headers ---- */

#define H(flags) "\x1f\x8b\x08" flags "\0\0\0\0\0\x03"

static const struct {
	const char *bytes;
	size_t len, want;
} headers[] = {
	{ H("\0"), 10, 10 },
	{ H("\0") "rest", 14, 10 },
	{ H("\x08") "name\0rest", 19, 15 },
	{ H("\x18") "name\0text\0rest", 24, 20 },
	{ H("\x04") "\x03\0abcrest", 19, 15 },
	{ H("\x1e") "\x01\0anm\0cm\0xxrest", 25, 21 },
	{ H("\x08") "name", 14, 0 },
	{ H("\x04") "\xff\xff"
		    "abc",
	  15, 0 },
	{ H("\x04") "\x01", 11, 0 },
	{ H("\x02") "x", 11, 0 },
	{ H("\x20") "x", 11, 0 },
	{ "\x1f\x8b\x07\0\0\0\0\0\0\x03", 10, 0 },
	{ "\x1f\x8b\x08", 3, 0 },
	{ "", 0, 0 },
};

static void
test_headers(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(headers); i++)
		CHECK(i, gzip_header_len((const void *)headers[i].bytes,
					 headers[i].len) == headers[i].want);
}

/* ---- open ---- */

static const struct {
	const char *what;
	int cut;          /* bytes off the end */
	const char *tail; /* behind it */
	long flip;        /* this byte, from the end; 0: none */
	uint64_t max;
	int want;
} opens[] = {
	{ "good", 0, "", 0, TEXT_LEN, 1 },
	{ "too large", 0, "", 0, TEXT_LEN - 1, 0 },
	{ "cut", 1, "", 0, TEXT_LEN, 0 },
	{ "without a trailer", 8, "", 0, TEXT_LEN, 0 },
	{ "followed by something", 0, "x", 0, TEXT_LEN, 0 },
	{ "two members", 0, PLAIN "\x03\0\0\0\0\0\0\0\0", 0, TEXT_LEN, 0 },
	{ "wrong length", 0, "", 1, TEXT_LEN, 0 },
	{ "wrong sum", 0, "", 8, TEXT_LEN, 0 },
	{ "damaged inside", 0, "", 900, TEXT_LEN, 0 },
};

static void
test_open(const char *text)
{
	AUTO_CLEAR(buf) gz = { 0 };
	size_t i, len;

	make(6, 8, PLAIN, 10, text, TEXT_LEN, &gz);
	for (i = 0; i < ARRAY_LEN(opens); i++) {
		AUTO_CLEAR(buf) file = { 0 }, out = { 0 };
		AUTO_CLOSE int fd = -1;
		struct err e = { 0 };

		buf_add(&file, gz.at, gz.len - (size_t)opens[i].cut);
		len = opens[i].tail[0] == 'x' ? 1 : opens[i].tail[0] ? 19 : 0;
		buf_add(&file, opens[i].tail, len);
		if (opens[i].flip)
			file.at[file.len - (size_t)opens[i].flip] ^= 1;
		fd = file_of(file.at, file.len);
		CHECK(i, gzip_open(fd, file.len, opens[i].max, to_buf, &out,
				   &e) == opens[i].want);
		if (opens[i].want == 1)
			CHECK(i, out.len == TEXT_LEN &&
					 memcmp(out.at, text, TEXT_LEN) == 0);
	}
}

/* ---- find ---- */

static void
test_find(const char *text)
{
	static const char named[] = "\x1f\x8b\x08\x08 ago\x02\x03name";
	AUTO_CLOSE int raw_fd = file_of(text, TEXT_LEN);
	int level, mem;

	for (level = 1; level <= 9; level += 4)
		for (mem = 8; mem <= 9; mem++) {
			AUTO_CLEAR(buf) gz = { 0 }, again = { 0 };
			AUTO_CLOSE int fd = -1;
			AUTO_FREE struct gzip_way *way =
				base_alloc(sizeof(*way));
			struct err e = { 0 };

			make(level, mem, named, sizeof(named), text, TEXT_LEN,
			     &gz);
			fd = file_of(gz.at, gz.len);
			CHECK(level, gzip_find(fd, gz.len, raw_fd, TEXT_LEN,
					       way, &e) == 1);
			make(way->level, way->mem_level, way->header,
			     way->header_len, text, TEXT_LEN, &again);
			CHECK(level,
			      again.len == gz.len &&
				      memcmp(again.at, gz.at, gz.len) == 0);
			/* a bit of the stream that zlib would not set so */
			gz.at[gz.len / 2] ^= 4;
			CHECK(level,
			      pwrite(fd, gz.at, gz.len, 0) == (ssize_t)gz.len);
			CHECK(level, gzip_find(fd, gz.len, raw_fd, TEXT_LEN,
					       way, &e) == 0);
		}
}

int
main(void)
{
	AUTO_FREE char *text = prose(TEXT_LEN);

	test_headers();
	test_open(text);
	test_find(text);
	return test_end();
}
