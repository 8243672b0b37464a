/* Gzip files told by their symbols, and made of them again: whoever made them,
 * however the bytes come; and all that is no gzip file, or no such text. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"

#include "rsyncd/symbols.h"

#include "tests/test.h"

#define MOST (16UL << 20)

static const unsigned char header[] = { 0x1f, 0x8b, 8, 8, 0,   0,
					0,    0,    0, 3, 't', 0 };

static int
to_buf(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, bytes, len);
	return 0;
}

static int
file_of(const struct buf *b)
{
	int fd = memfd_create("t", MFD_CLOEXEC);
	struct err e = { 0 };

	CHECK(0, fd >= 0 && fd_write_all(fd, b->at, b->len, &e) == 0);
	return fd;
}

static int
tell(const struct buf *gz, uint64_t max, struct buf *text)
{
	AUTO_CLOSE int fd = file_of(gz);
	struct err e = { 0 };

	return symbols_read(fd, gz->len, max, to_buf, text, &e);
}

static int
make(const struct buf *text, size_t step, struct buf *gz, struct err *e)
{
	struct symbols_maker *m = symbols_maker_new(to_buf, gz);
	int got = 0;
	size_t at, n;

	for (at = 0; at < text->len && got == 0; at += n) {
		n = text->len - at < step ? text->len - at : step;
		got = symbols_maker_feed(m, text->at + at, n, e);
	}
	if (got == 0)
		got = symbols_maker_end(m, e);
	symbols_maker_free(m);
	return got;
}

/* ---- files that others made ---- */

/* n noise, p prose, z zeros, l two letters */
static void
add_part(struct buf *b, char kind, size_t len)
{
	static const char *const word[] = { "tree ", "role ",    "version ",
					    "of ",   "machine ", "the ",
					    "disk ", "installs " };
	uint64_t x = 88172645463325252ULL + b->len;
	size_t end = b->len + len;

	while (b->len < end) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (kind == 'p')
			buf_str(b, word[x >> 16 & 7]);
		else
			buf_char(b, kind == 'n'   ? (char)(x >> 20)
				    : kind == 'l' ? (char)('a' + (x >> 20 & 1))
						  : 0);
	}
	b->len = end;
}

static const struct {
	const char *parts;
	size_t len; /* of each */
	int level, mem_level;
} made[] = {
	{ "p", 1, 6, 8 },
	{ "p", 300, 6, 8 },
	{ "p", 300, 1, 8 },
	{ "z", 1000, 9, 8 },
	{ "p", 500000, 1, 8 },
	{ "p", 500000, 6, 8 },
	{ "p", 500000, 9, 9 },
	{ "p", 500000, 6, GZIP_GNU },
	{ "p", 500000, 9, GZIP_GNU },
	{ "n", 200000, 6, 8 },
	{ "n", 200000, 6, GZIP_GNU },
	{ "npzl", 150000, 6, 8 },
	{ "npzl", 150000, 6, GZIP_GNU },
	{ "zlpn", 70001, 4, 1 },
	{ "l", 400000, 2, 9 },
	{ "l", 400000, 5, GZIP_GNU },
};

static void
gzip_of(size_t i, struct buf *gz)
{
	struct gzip_maker *m =
		gzip_maker_new(made[i].level, made[i].mem_level, header,
			       sizeof(header), to_buf, gz);
	AUTO_CLEAR(buf) b = { 0 };
	struct err e = { 0 };
	const char *p;

	for (p = made[i].parts; *p; p++)
		add_part(&b, *p, made[i].len);
	CHECK(i, gzip_maker_feed(m, b.at, b.len, &e) == 0);
	CHECK(i, gzip_maker_end(m, &e) == 0);
	gzip_maker_free(m);
}

static void
test_again(size_t i, const struct buf *gz)
{
	static const size_t steps[] = { 1, 7, 4099, 1UL << 20 };
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_CLOSE int fd = file_of(gz), text_fd = -1;
	struct err e = { 0 };
	size_t k, text_len;

	CHECK(i, tell(gz, MOST, &text) == 1);
	text_len = text.len;
	for (k = 0; k < ARRAY_LEN(steps); k++) {
		AUTO_CLEAR(buf) again = { 0 };

		CHECK_SHOW(i, make(&text, steps[k], &again, &e) == 0, "%s",
			   e.text);
		CHECK(i, again.len == gz->len &&
				 memcmp(again.at, gz->at, gz->len) == 0);
	}
	text_fd = file_of(&text);
	CHECK(i, symbols_check(fd, gz->len, text_fd, text.len, &e) == 1);
	buf_reset(&text);
	CHECK(i, tell(gz, text_len - 1, &text) == 0);
	CHECK(i, text.len < text_len);
}

static void
test_made(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(made); i++) {
		AUTO_CLEAR(buf) gz = { 0 };

		gzip_of(i, &gz);
		test_again(i, &gz);
	}
}

/* ---- no such files ---- */

/* Cut anywhere, with a byte more, and two in one. */
static void
test_cut(void)
{
	AUTO_CLEAR(buf) gz = { 0 }, text = { 0 };
	size_t len;

	gzip_of(1, &gz);
	for (len = 0; len < gz.len; len++) {
		struct buf cut = { .at = gz.at, .len = len };

		CHECK(len, tell(&cut, MOST, &text) == 0);
	}
	len = gz.len;
	buf_char(&gz, 0);
	CHECK(len, tell(&gz, MOST, &text) == 0);
	gz.len = len;
	buf_room(&gz, len);
	buf_add(&gz, gz.at, len);
	CHECK(len, tell(&gz, MOST, &text) == 0);
}

/* A bit of it is another: told or not, the text is checked before it counts. */
static void
test_flipped(void)
{
	AUTO_CLEAR(buf) gz = { 0 };
	size_t bit, told = 0, same = 0;
	struct err e = { 0 };

	gzip_of(1, &gz);
	for (bit = 0; bit < gz.len * 8; bit++) {
		AUTO_CLEAR(buf) text = { 0 };

		gz.at[bit / 8] ^= (char)(1 << bit % 8);
		if (tell(&gz, MOST, &text) == 1) {
			AUTO_CLOSE int fd = file_of(&gz);
			AUTO_CLOSE int text_fd = file_of(&text);
			int got = symbols_check(fd, gz.len, text_fd, text.len,
						&e);

			CHECK_SHOW(bit, got >= 0, "%s", e.text);
			told++;
			same += got == 1;
		}
		gz.at[bit / 8] ^= (char)(1 << bit % 8);
	}
	/* of the trailer, and what no reader looks at, all are as good */
	CHECK_SHOW(0, same >= 8 * 8 && same < told, "%zu of %zu", same, told);
}

/* ---- no such texts ---- */

#define GZ "\x0a\0\x1f\x8b\x08\0\0\0\0\0\0\x03"
#define TAIL "\0\0\0\0\0\0\0\0"
#define TEXT(bytes) bytes, sizeof(bytes) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *want; /* NULL: good */
} texts[] = {
	{ TEXT(GZ "\x05\x01x\0\0\0" TAIL), NULL },
	{ TEXT(GZ "\x05\0\0\0\0" TAIL), NULL },
	{ TEXT(GZ "\x06\0\0\0\0" TAIL), NULL },
	{ TEXT(GZ "\x01\x01x\0\0\0\x04\x02\0ab" TAIL), NULL },
	{ TEXT(GZ "\x05\x01x\xff\0\x80\0\0\0\0" TAIL), NULL },
	{ TEXT(GZ "\x05\x01x\xff\x01\x80\0\0\0\0" TAIL), "too far away" },
	{ TEXT(GZ "\x05\x01x\x01\0\0" TAIL), "without a distance" },
	{ TEXT(GZ "\x03"), "no such block" },
	{ TEXT(GZ "\x08"), "no such block" },
	{ TEXT("\x01\x04"), "a long header" },
	{ TEXT(""), "cut short" },
	{ TEXT(GZ), "cut short" },
	{ TEXT(GZ "\x05\x01x\0\0"), "cut short" },
	{ TEXT(GZ "\x04\x02\0a"), "cut short" },
	{ TEXT(GZ "\x05\0\0\0\0"
		  "\0\0\0"),
	  "cut short" },
	{ TEXT(GZ "\x05\0\0\0\0" TAIL "x"), "more behind the end" },
};

static void
test_texts(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO_CLEAR(buf) text = { 0 }, gz = { 0 };
		struct err e = { 0 };
		int got;

		buf_add(&text, texts[i].bytes, texts[i].len);
		got = make(&text, 3, &gz, &e);
		CHECK_SHOW(i, got == (texts[i].want ? -1 : 0), "%s", e.text);
		if (texts[i].want)
			CHECK_SHOW(i,
				   e.kind == ERR_INPUT &&
					   strstr(e.text, texts[i].want),
				   "%s", e.text);
	}
}

/* As many symbols as a block may have, and one more. */
static void
test_long_block(void)
{
	size_t more;

	for (more = 0; more < 2; more++) {
		AUTO_CLEAR(buf) text = { 0 }, gz = { 0 };
		struct err e = { 0 };
		size_t i;

		buf_add(&text, GZ "\x05", 13);
		for (i = 0; i < 32767 + more; i++)
			buf_add(&text, "\0\0\x01", 4);
		buf_add(&text, "\0\0\0\0" TAIL, 12);
		CHECK_SHOW(more, make(&text, 1000, &gz, &e) == -(int)more, "%s",
			   e.text);
		if (more)
			CHECK(more, strstr(e.text, "a long block"));
	}
}

int
main(void)
{
	test_made();
	test_cut();
	test_flipped();
	test_texts();
	test_long_block();
	return test_end();
}
