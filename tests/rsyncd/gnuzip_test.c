/* What GNU gzip makes is made again, bit by bit: the program is the judge. */
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/gnuzip.h"

#include "tests/test.h"

#define HEADER 10 /* of gzip -n */
#define TRAILER 8

static void
add_noise(struct buf *b, size_t len, unsigned bits)
{
	uint64_t x = 88172645463325252ULL + b->len;

	while (len--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf_char(b, (char)(x >> 20 & ((1U << bits) - 1)));
	}
}

static void
add_prose(struct buf *b, size_t len)
{
	static const char *const word[] = { "tree ", "role ",    "version ",
					    "of ",   "machine ", "the ",
					    "disk ", "installs " };
	size_t end = b->len + len;
	unsigned seed = 5;

	while (b->len < end) {
		seed = seed * 1103515245 + 12345;
		buf_str(b, word[seed >> 16 & 7]);
		if ((seed >> 20 & 15) == 0)
			buf_printf(b, "%u\n", seed >> 8);
	}
	b->len = end;
}

static void
add_zeros(struct buf *b, size_t len)
{
	memset(buf_room(b, len), 0, len);
	b->len += len;
}

static void
add_program(struct buf *b)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	size_t len = 0;

	CHECK(0, file_read("/proc/self/exe", 64UL << 20, &text, &len, &e) == 0);
	buf_add(b, text, len);
}

/* Parts of `len` bytes: n noise, h half of it, p prose, z zeros, 1 one bit;
 * x: this program. */
static const struct {
	const char *parts;
	size_t len;
} rows[] = {
	{ "", 0 },
	{ "z", 1 },
	{ "p", 2 },
	{ "p", 3 },
	{ "n", 4 },
	{ "p", 259 },
	{ "p", 32767 },
	{ "p", 32768 },
	{ "n", 32769 },
	{ "p", 65273 },
	{ "p", 65274 },
	{ "p", 65275 },
	{ "p", 65535 },
	{ "p", 65536 },
	{ "p", 65537 },
	{ "p", 98304 },
	{ "z", 120000 },
	{ "n", 120000 },
	{ "h", 120000 },
	{ "1", 120000 },
	{ "p", 345678 },
	{ "nz", 70000 },
	{ "pn", 70000 },
	{ "npz1h", 45678 },
	{ "zpzpzpzp", 9000 },
	{ "hphphp", 33333 },
	{ "pnpnpnpnpn", 3000 },
	{ "x", 0 },
};

static void
bytes_of(size_t i, struct buf *out)
{
	const char *p;

	for (p = rows[i].parts; *p; p++) {
		if (*p == 'x')
			add_program(out);
		else if (*p == 'p')
			add_prose(out, rows[i].len);
		else if (*p == 'z')
			add_zeros(out, rows[i].len);
		else
			add_noise(out, rows[i].len,
				  *p == 'n'   ? 8
				  : *p == 'h' ? 4
					      : 1);
	}
}

/* `gzip -LEVEL` of a file, without header and trailer. */
static void
ask_gzip(const char *path, int level, struct buf *out)
{
	AUTO_FREE char *line = base_printf("gzip -n -%d -c %s", level, path);
	AUTO_CLEAR(buf) all = { 0 };
	FILE *f = popen(line, "r");
	char room[4096];
	size_t got;

	CHECK(level, f != NULL);
	while (f && (got = fread(room, 1, sizeof(room), f)) > 0)
		buf_add(&all, room, got);
	CHECK(level, f && pclose(f) == 0 && all.len >= HEADER + TRAILER);
	if (all.len >= HEADER + TRAILER)
		buf_add(out, all.at + HEADER, all.len - HEADER - TRAILER);
}

static void
test_row(size_t i, const char *path)
{
	/* however the bytes come */
	static const size_t steps[] = { 65536, 1000, 99991 };
	AUTO_CLEAR(buf) bytes = { 0 };
	struct err e = { 0 };
	int level;

	bytes_of(i, &bytes);
	CHECK(i, file_write(path, buf_text(&bytes), bytes.len, 0600, &e) == 0);
	for (level = GNUZIP_LEVEL_MIN; level <= 9; level++) {
		/* long ones at gzip's default and its best only */
		if (bytes.len > 70000 && level != 6 && level != 9)
			continue;

		AUTO_CLEAR(buf) want = { 0 }, got = { 0 };
		struct gnuzip *z = gnuzip_new(level);
		size_t at, step = steps[(size_t)level % ARRAY_LEN(steps)], n;

		ask_gzip(path, level, &want);
		for (at = 0; at < bytes.len; at += n) {
			n = bytes.len - at < step ? bytes.len - at : step;
			gnuzip_feed(z, bytes.at + at, n, &got);
		}
		gnuzip_end(z, &got);
		gnuzip_free(z);
		CHECK_SHOW(i,
			   got.len == want.len && want.len > 0 &&
				   memcmp(got.at, want.at, got.len) == 0,
			   "level %d: %zu bytes, gzip %zu", level, got.len,
			   want.len);
	}
}

int
main(void)
{
	char dir[] = "/tmp/gnuzip-XXXXXX";
	AUTO_FREE char *path = NULL;
	struct err e = { 0 };
	size_t i;

	CHECK(0, mkdtemp(dir));
	path = base_printf("%s/file", dir);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		test_row(i, path);
	CHECK(0, dir_remove(dir, &e) == 0);
	return test_end();
}
