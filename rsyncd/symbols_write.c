/* A gzip file of its text. Whole items are taken as they come: an item is the
 * header, a block's type, what is stored, literals with the match behind them,
 * the trailer. The codes of a block follow from how often each symbol is in
 * it, by the rule that zlib and GNU gzip share. */
#include <string.h>
#include <unistd.h>

#include "lib/base.h"

#include "rsyncd/gnuzip_block.h"
#include "rsyncd/spool.h"
#include "rsyncd/symbols.h"

#define ROOM (64UL << 10)
#define TRAILER 8
#define LAST 4
#define RUN_FULL 255

enum state { IN_HEADER, IN_TYPE, IN_STORED, IN_SYMBOLS, IN_TRAILER, ENDED };

struct symbols_maker {
	enum state state;
	enum gnuzip_form form;
	bool last;
	gzip_sink *sink;
	void *ctx;
	struct buf rest; /* the begin of an item */
	struct buf out;
	struct gnuzip_block block;
};

struct symbols_maker *
symbols_maker_new(gzip_sink *sink, void *ctx)
{
	struct symbols_maker *m = base_alloc(sizeof(*m));

	m->sink = sink;
	m->ctx = ctx;
	gnuzip_block_begin(&m->block);
	return m;
}

static int
bad(struct err *e, const char *why)
{
	return err_set(e, ERR_INPUT, "the symbols of a gzip file: %s", why);
}

static size_t
two(const unsigned char *at)
{
	return at[0] | (size_t)at[1] << 8;
}

/* ---- items: how many bytes were taken; 0: more are wanted; -1: wrong ---- */

static ptrdiff_t
take_header(struct symbols_maker *m, const unsigned char *at, size_t len,
	    struct err *e)
{
	size_t n;

	if (len < 2)
		return 0;
	n = two(at);
	if (n > GZIP_HEADER_MAX)
		return bad(e, "a long header");
	if (len - 2 < n)
		return 0;
	buf_add(&m->out, at + 2, n);
	m->state = IN_TYPE;
	return (ptrdiff_t)n + 2;
}

static ptrdiff_t
take_type(struct symbols_maker *m, const unsigned char *at, struct err *e)
{
	m->last = at[0] & LAST;
	m->form = (enum gnuzip_form)(at[0] & ~LAST);
	if (m->form > FORM_DYNAMIC)
		return bad(e, "no such block");
	m->state = m->form == FORM_STORED ? IN_STORED : IN_SYMBOLS;
	return 1;
}

static ptrdiff_t
take_stored(struct symbols_maker *m, const unsigned char *at, size_t len)
{
	size_t n;

	if (len < 2 || len - 2 < two(at))
		return 0;
	n = two(at);
	gnuzip_block_stored(&m->block, at + 2, n, m->last, &m->out);
	m->state = m->last ? IN_TRAILER : IN_TYPE;
	return (ptrdiff_t)n + 2;
}

static ptrdiff_t
end_block(struct symbols_maker *m, size_t taken, unsigned len, struct err *e)
{
	if (len != 0)
		return bad(e, "a match without a distance");
	gnuzip_block_put(&m->block, m->form, m->last, &m->out);
	m->state = m->last ? IN_TRAILER : IN_TYPE;
	return (ptrdiff_t)taken;
}

/* Runs with their matches, as many as there are whole ones. */
static ptrdiff_t
take_symbols(struct symbols_maker *m, const unsigned char *begin, size_t len,
	     struct err *e)
{
	const unsigned char *at = begin, *end = begin + len;

	while (at < end) {
		size_t run = at[0], n = run + (run == RUN_FULL ? 1 : 4), i;
		unsigned distance;

		if ((size_t)(end - at) < n)
			break;
		if (run + 1 > BLOCK_SYMBOLS - m->block.symbols)
			return bad(e, "a long block");
		for (i = 0; i < run; i++)
			gnuzip_block_literal(&m->block, at[1 + i]);
		at += n;
		if (run == RUN_FULL)
			continue;
		distance = (unsigned)two(at - 2);
		if (distance == 0)
			return end_block(m, (size_t)(at - begin), at[-3], e);
		if (distance > BLOCK_DISTANCE_MAX)
			return bad(e, "a match too far away");
		gnuzip_block_match(&m->block, at[-3] + 3U, distance);
	}
	return at - begin;
}

static ptrdiff_t
take_trailer(struct symbols_maker *m, const unsigned char *at, size_t len)
{
	if (len < TRAILER)
		return 0;
	buf_add(&m->out, at, TRAILER);
	m->state = ENDED;
	return TRAILER;
}

static ptrdiff_t
take_item(struct symbols_maker *m, const unsigned char *at, size_t len,
	  struct err *e)
{
	switch (m->state) {
	case IN_HEADER:
		return take_header(m, at, len, e);
	case IN_TYPE:
		return take_type(m, at, e);
	case IN_STORED:
		return take_stored(m, at, len);
	case IN_SYMBOLS:
		return take_symbols(m, at, len, e);
	case IN_TRAILER:
		return take_trailer(m, at, len);
	default:
		return bad(e, "more behind the end");
	}
}

/* ---- all of it ---- */

static int
flush(struct symbols_maker *m, struct err *e)
{
	int got =
		m->out.len == 0 ? 0 : m->sink(m->ctx, m->out.at, m->out.len, e);

	buf_reset(&m->out);
	return got;
}

int
symbols_maker_feed(struct symbols_maker *m, const void *bytes, size_t len,
		   struct err *e)
{
	const unsigned char *at;
	ptrdiff_t took = 1;
	size_t done = 0;

	buf_add(&m->rest, bytes, len);
	at = (const unsigned char *)m->rest.at;
	while (took > 0 && done < m->rest.len) {
		took = take_item(m, at + done, m->rest.len - done, e);
		if (took < 0)
			return -1;
		done += (size_t)took;
		if (m->out.len >= ROOM && flush(m, e) < 0)
			return -1;
	}
	m->rest.len -= done;
	memmove(m->rest.at, m->rest.at + done, m->rest.len);
	return 0;
}

int
symbols_maker_end(struct symbols_maker *m, struct err *e)
{
	if (m->state != ENDED || m->rest.len > 0)
		return bad(e, "cut short");
	return flush(m, e);
}

void
symbols_maker_free(struct symbols_maker *m)
{
	if (!m)
		return;
	buf_clear(&m->rest);
	buf_clear(&m->out);
	free(m);
}

/* ---- is it the same? ---- */

static int
feed_file(struct symbols_maker *m, int fd, uint64_t size, struct err *e)
{
	AUTO_FREE char *room = base_alloc(ROOM);
	uint64_t at;

	for (at = 0; at < size; at += ROOM) {
		size_t n = size - at < ROOM ? (size_t)(size - at) : ROOM;

		if (read_at(fd, at, room, n, e) < 0 ||
		    symbols_maker_feed(m, room, n, e) < 0)
			return -1;
	}
	return symbols_maker_end(m, e);
}

int
symbols_check(int fd, uint64_t size, int text_fd, uint64_t text, struct err *e)
{
	AUTO_FREE struct spool_same *s = base_alloc(sizeof(*s));
	struct symbols_maker *m = symbols_maker_new(spool_compare, s);
	int got;

	s->fd = fd;
	s->size = size;
	got = feed_file(m, text_fd, text, e);
	symbols_maker_free(m);
	if (got < 0 && !s->differs)
		return -1;
	if (got < 0)
		*e = (struct err){ 0 };
	return got == 0 && s->at == size;
}
