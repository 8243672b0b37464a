/* zlib's habits translated. The search for how a file was made compares while
 * it deflates: a wrong level shows itself within the first blocks, so only the
 * right one is carried through. */
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/gnuzip.h"
#include "rsyncd/gzip.h"
#include "rsyncd/spool.h"

#define ROOM (64UL << 10)

enum { HAS_CRC = 2, HAS_EXTRA = 4, HAS_NAME = 8, HAS_COMMENT = 16 };

/* ---- the header ---- */

/* Behind the text that begins at `at` and ends with a NUL; `len` + 1 when it
 * does not end. */
static size_t
behind_text(const unsigned char *bytes, size_t at, size_t len)
{
	while (at < len && bytes[at])
		at++;
	return at + 1;
}

size_t
gzip_header_len(const unsigned char *bytes, size_t len)
{
	size_t at = 10;
	int flags;

	if (len < at || bytes[0] != 0x1f || bytes[1] != 0x8b || bytes[2] != 8)
		return 0;
	flags = bytes[3];
	if (flags & ~(1 | HAS_CRC | HAS_EXTRA | HAS_NAME | HAS_COMMENT))
		return 0;
	if (flags & HAS_EXTRA)
		at += at + 2 > len
			      ? len
			      : 2 + (size_t)(bytes[at] | bytes[at + 1] << 8);
	if (flags & HAS_NAME)
		at = behind_text(bytes, at, len);
	if (flags & HAS_COMMENT)
		at = behind_text(bytes, at, len);
	if (flags & HAS_CRC)
		at += 2;
	return at <= len && at <= GZIP_HEADER_MAX ? at : 0;
}

/* ---- open ---- */

struct opener {
	z_stream z;
	gzip_sink *sink;
	void *ctx;
	uint64_t left; /* that may still come out */
	unsigned char in[ROOM], out[ROOM];
};

/* All that this input gives. 1: the member ended; 0: more input; 2: it is no
 * gzip, or holds too much; -1: the sink failed. */
static int
inflate_some(struct opener *o, struct err *e)
{
	size_t made;
	int got;

	do {
		o->z.next_out = o->out;
		o->z.avail_out = sizeof(o->out);
		got = inflate(&o->z, Z_NO_FLUSH);
		made = sizeof(o->out) - o->z.avail_out;
		if (made > o->left)
			return 2;
		o->left -= made;
		if (made > 0 && o->sink(o->ctx, o->out, made, e) < 0)
			return -1;
		if (got == Z_STREAM_END)
			return 1;
		if (got != Z_OK && got != Z_BUF_ERROR)
			return 2;
	} while (made == sizeof(o->out));
	return 0;
}

static int
open_all(struct opener *o, int fd, uint64_t size, struct err *e)
{
	uint64_t at = 0;
	int state = 0;

	while (state == 0 && at < size) {
		ssize_t got = pread(fd, o->in, sizeof(o->in), (off_t)at);

		if (got < 0)
			return err_sys(e, "read");
		if (got == 0)
			return 0;
		at += (uint64_t)got;
		o->z.next_in = o->in;
		o->z.avail_in = (uInt)got;
		state = inflate_some(o, e);
	}
	if (state < 0)
		return -1;
	return state == 1 && at == size && o->z.avail_in == 0;
}

int
gzip_open(int fd, uint64_t size, uint64_t max, gzip_sink *sink, void *ctx,
	  struct err *e)
{
	AUTO_FREE struct opener *o = base_alloc(sizeof(*o));
	int got;

	o->sink = sink;
	o->ctx = ctx;
	o->left = max;
	/* 16: a gzip header and trailer, both checked */
	if (inflateInit2(&o->z, MAX_WBITS + 16) != Z_OK)
		abort();
	got = open_all(o, fd, size, e);
	inflateEnd(&o->z);
	return got;
}

/* ---- make ---- */

struct gzip_maker {
	z_stream z;
	struct gnuzip *gnu; /* instead of z, or NULL */
	struct buf gnu_out;
	gzip_sink *sink;
	void *ctx;
	unsigned long crc;
	uint32_t len;
	size_t header_len; /* 0: it was given out */
	unsigned char header[GZIP_HEADER_MAX];
	unsigned char out[ROOM];
};

struct gzip_maker *
gzip_maker_new(int level, int mem_level, const unsigned char *header,
	       size_t header_len, gzip_sink *sink, void *ctx)
{
	struct gzip_maker *m = base_alloc(sizeof(*m));

	if (mem_level == GZIP_GNU)
		m->gnu = gnuzip_new(level);
	else if (deflateInit2(&m->z, level, Z_DEFLATED, -MAX_WBITS, mem_level,
			      Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	m->sink = sink;
	m->ctx = ctx;
	m->crc = crc32(0, NULL, 0);
	m->header_len = header_len;
	memcpy(m->header, header, header_len);
	return m;
}

static int
gnu_some(struct gzip_maker *m, bool last, struct err *e)
{
	int got = 0;

	if (last)
		gnuzip_end(m->gnu, &m->gnu_out);
	else
		gnuzip_feed(m->gnu, m->z.next_in, m->z.avail_in, &m->gnu_out);
	if (m->gnu_out.len > 0)
		got = m->sink(m->ctx, m->gnu_out.at, m->gnu_out.len, e);
	buf_reset(&m->gnu_out);
	return got;
}

static int
deflate_some(struct gzip_maker *m, int flush, struct err *e)
{
	size_t made;

	if (m->gnu)
		return gnu_some(m, flush == Z_FINISH, e);
	do {
		m->z.next_out = m->out;
		m->z.avail_out = sizeof(m->out);
		deflate(&m->z, flush);
		made = sizeof(m->out) - m->z.avail_out;
		if (made > 0 && m->sink(m->ctx, m->out, made, e) < 0)
			return -1;
	} while (made == sizeof(m->out));
	return 0;
}

static int
give_header(struct gzip_maker *m, struct err *e)
{
	size_t len = m->header_len;

	m->header_len = 0;
	return len == 0 ? 0 : m->sink(m->ctx, m->header, len, e);
}

int
gzip_maker_feed(struct gzip_maker *m, const void *bytes, size_t len,
		struct err *e)
{
	const unsigned char *at = bytes;

	if (give_header(m, e) < 0)
		return -1;
	while (len > 0) {
		/* in small steps, so that one sum is warm for the other */
		uInt step = len < ROOM ? (uInt)len : (uInt)ROOM;

		m->crc = crc32(m->crc, at, step);
		m->len += step;
		m->z.next_in = at;
		m->z.avail_in = step;
		if (deflate_some(m, Z_NO_FLUSH, e) < 0)
			return -1;
		at += step;
		len -= step;
	}
	return 0;
}

int
gzip_maker_end(struct gzip_maker *m, struct err *e)
{
	unsigned char tail[8];
	int i;

	if (give_header(m, e) < 0)
		return -1;
	m->z.avail_in = 0;
	if (deflate_some(m, Z_FINISH, e) < 0)
		return -1;
	for (i = 0; i < 4; i++) {
		tail[i] = (unsigned char)(m->crc >> (8 * i));
		tail[4 + i] = (unsigned char)(m->len >> (8 * i));
	}
	return m->sink(m->ctx, tail, sizeof(tail), e);
}

void
gzip_maker_free(struct gzip_maker *m)
{
	if (!m)
		return;
	if (!m->gnu)
		deflateEnd(&m->z);
	gnuzip_free(m->gnu);
	buf_clear(&m->gnu_out);
	free(m);
}

/* ---- find ---- */

/* Does this level give the file? 1, 0, or -1. */
static int
try_way(struct spool_same *s, int raw_fd, uint64_t raw,
	const struct gzip_way *way, struct err *e)
{
	AUTO_FREE char *room = base_alloc(ROOM);
	struct gzip_maker *m =
		gzip_maker_new(way->level, way->mem_level, way->header,
			       way->header_len, spool_compare, s);
	uint64_t at = 0;
	ssize_t got = 1;
	int bad = 0;

	s->at = 0;
	s->differs = false;
	while (!bad && got > 0 && at < raw) {
		got = pread(raw_fd, room, ROOM, (off_t)at);
		if (got > 0)
			bad = gzip_maker_feed(m, room, (size_t)got, e);
		at += got > 0 ? (uint64_t)got : 0;
	}
	if (got <= 0)
		bad = err_sys(e, "read");
	if (!bad)
		bad = gzip_maker_end(m, e);
	gzip_maker_free(m);
	if (bad)
		return s->differs ? 0 : -1;
	return s->at == s->size;
}

int
gzip_find(int fd, uint64_t size, int raw_fd, uint64_t raw, struct gzip_way *way,
	  struct err *e)
{
	/* by how often they are met: gzip's default, its best, its fastest */
	static const int levels[] = { 6, 9, 1, 2, 3, 4, 5, 7, 8 };
	static const int mem_levels[] = { 8, GZIP_GNU, 9 };
	AUTO_FREE struct spool_same *s = base_alloc(sizeof(*s));
	ssize_t head = pread(fd, s->room, sizeof(s->room), 0);
	size_t i;
	int got;

	s->fd = fd;
	s->size = size;
	way->header_len = head > 0 ? gzip_header_len(s->room, (size_t)head) : 0;
	if (way->header_len == 0)
		return 0;
	memcpy(way->header, s->room, way->header_len);
	for (i = 0; i < ARRAY_LEN(levels) * ARRAY_LEN(mem_levels); i++) {
		way->level = levels[i / ARRAY_LEN(mem_levels)];
		way->mem_level = mem_levels[i % ARRAY_LEN(mem_levels)];
		if (way->mem_level == GZIP_GNU && way->level < GNUZIP_LEVEL_MIN)
			continue;
		got = try_way(s, raw_fd, raw, way, e);
		if (got != 0)
			return got;
	}
	return 0;
}
