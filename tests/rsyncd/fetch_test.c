/* Pieces of a file: each once, in order and right, whatever is held back; a
 * wrong one is told after all that come before it; and the room for them, which
 * is a real ring, is never waited for in vain. */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "rsyncd/fetch.h"
#include "rsyncd/ring.h"
#include "tests/test.h"

#define FILE_LEN (3UL << 20)
#define PIECES_MAX 200
#define NONE SIZE_MAX
#define BUSY 3

static unsigned char content[FILE_LEN];

static const struct {
	size_t n, size, more; /* piece i has size + i % 7 * more bytes */
	size_t gap, hold;
	size_t ring; /* 0: of malloc */
	size_t damaged, refused;
	size_t slow; /* before this piece nothing comes for a while */
	size_t last; /* size of the last one, if it is another */
} rows[] = {
	{ 1, 10, 0, 0, 0, 0, NONE, NONE },
	{ 100, 1000, 100, 0, 0, 0, NONE, NONE },
	{ 100, 1000, 100, 0, 400000, 400000, NONE, NONE },
	{ 100, 1000, 100, 50, 400000, 400000, NONE, NONE },
	{ 40, 1000, 100, 40000, 400000, 400000, NONE, NONE },
	{ 60, 40000, 900, 0, 400000, 400000, NONE, NONE },
	{ 60, 40000, 0, 0, 300000, 300000, NONE, NONE },
	{ 12, 30000, 40000, 0, 300000, 300000, NONE, NONE },
	{ 12, 30000, 40000, 0, 1000000, 1000000, NONE, NONE },
	{ 3, 900000, 0, 0, 900000, 900000, NONE, NONE },
	/* a wrong one, alone and among held ones, and at the ends */
	{ 1, 10, 0, 0, 0, 0, 0, NONE },
	{ 100, 1000, 100, 0, 400000, 400000, 0, NONE },
	{ 100, 1000, 100, 0, 400000, 400000, 2, NONE },
	{ 100, 1000, 100, 0, 400000, 400000, 3, NONE },
	{ 100, 1000, 100, 50, 400000, 400000, 50, NONE },
	{ 100, 1000, 100, 0, 400000, 400000, 99, NONE },
	{ 60, 40000, 900, 0, 400000, 400000, 31, NONE },
	/* who takes them wants no more */
	{ 100, 1000, 100, 0, 400000, 400000, NONE, 0 },
	{ 100, 1000, 100, 0, 400000, 400000, NONE, 40 },
	{ 100, 1000, 100, 50, 0, 0, NONE, 99 },
	/* it is found when the next one, which is smaller, has begun */
	{ 8, 300000, 10000, 0, 4200000, 0, 6, NONE, 7 },
	{ 8, 300000, 10000, 0, 4200000, 4200000, NONE, NONE, 7 },
	/* there is room, but not in one piece, beside what is held */
	{ 4, 100000, 0, 0, 420000, 420000, NONE, NONE, 0, 250000 },
};

struct taker {
	size_t row;
	const struct fetch_piece *piece;
	struct ring *ring;
	size_t next, out; /* pieces of room that are not back */
	size_t asked;
	unsigned char *busy[BUSY]; /* given, and not done with */
	size_t busies;
	bool wrong, in_vain;
};

/* The oldest one is done with. */
static void
finish(struct taker *t)
{
	if (t->ring)
		ring_give(t->ring, t->busy[0]);
	else
		free(t->busy[0]);
	memmove(t->busy, t->busy + 1, --t->busies * sizeof(t->busy[0]));
	t->out--;
}

static int
give(void *ctx, size_t i, unsigned char *bytes, struct err *e)
{
	struct taker *t = ctx;
	const struct fetch_piece *x = &t->piece[i];

	t->wrong |= i != t->next++;
	t->wrong |= memcmp(bytes, content + x->at, x->size) != 0;
	if (t->busies == BUSY)
		finish(t);
	t->busy[t->busies++] = bytes;
	return i == rows[t->row].refused ? err_set(e, ERR_SYS, "full") : 0;
}

static unsigned char *
room(void *ctx, size_t size, struct err *e)
{
	struct taker *t = ctx;
	unsigned char *bytes;

	if (rows[t->row].slow && t->asked++ == rows[t->row].slow)
		usleep(40000);
	if (!t->ring) {
		t->out++;
		return base_alloc(size);
	}
	while (!(bytes = ring_take(t->ring, size)) && t->busies > 0)
		finish(t);
	if (!bytes) { /* it would wait for ever */
		t->in_vain = true;
		err_set(e, ERR_SYS, "no room");
		return NULL;
	}
	t->out++;
	return bytes;
}

static void
unroom(void *ctx, unsigned char *bytes)
{
	struct taker *t = ctx;

	if (t->ring)
		ring_give(t->ring, bytes);
	else
		free(bytes);
	t->out--;
}

static void
make_pieces(size_t row, struct fetch_piece *piece, struct digest *hash)
{
	uint64_t at = 5;
	size_t i;

	for (i = 0; i < rows[row].n; i++) {
		uint64_t size = rows[row].size + i % 7 * rows[row].more;

		if (rows[row].last && i + 1 == rows[row].n)
			size = rows[row].last;
		digest_of(content + at, size, &hash[i]);
		hash[i].b[31] ^= i == rows[row].damaged;
		piece[i] = (struct fetch_piece){ at, size, &hash[i] };
		at += size + rows[row].gap;
	}
	CHECK(row, rows[row].n <= PIECES_MAX && at <= FILE_LEN);
}

static void
check_row(size_t i, struct source *s)
{
	struct fetch_piece piece[PIECES_MAX];
	struct digest hash[PIECES_MAX];
	struct taker t = { .row = i, .piece = piece };
	size_t damaged = 7, last;
	struct fetch_list list = { .path = "file",
				   .piece = piece,
				   .n = rows[i].n,
				   .hold = rows[i].hold,
				   .give = give,
				   .ctx = &t,
				   .damaged = &damaged };
	struct err e = { 0 };
	bool good = rows[i].damaged == NONE && rows[i].refused == NONE;
	int bad;

	make_pieces(i, piece, hash);
	if (rows[i].ring)
		t.ring = ring_new(rows[i].ring);
	if (rows[i].hold) {
		list.room = room;
		list.unroom = unroom;
	}
	bad = fetch_pieces(s, &list, &e);
	CHECK_SHOW(i, (bad == 0) == good, "%s", e.text);
	CHECK(i, !t.wrong && !t.in_vain);
	CHECK(i, damaged == rows[i].damaged);
	last = rows[i].refused != NONE   ? rows[i].refused + 1
	       : rows[i].damaged != NONE ? rows[i].damaged
					 : rows[i].n;
	CHECK_SHOW(i, t.next == last, "%zu of %zu", t.next, last);
	while (t.busies > 0)
		finish(&t);
	CHECK(i, !rows[i].hold || t.out == 0);
	CHECK(i,
	      good || e.kind == (rows[i].refused == NONE ? ERR_PEER : ERR_SYS));
	ring_free(t.ring);
}

int
main(void)
{
	char folder[] = "/tmp/fetch-XXXXXX";
	AUTO_FREE char *path = NULL;
	struct source_opts o = { .where = folder };
	struct source *s = NULL;
	struct err e = { 0 };
	size_t i;
	int fd;

	for (i = 0; i < FILE_LEN; i++)
		content[i] = (unsigned char)(i * 31 + (i >> 9) * 7);
	CHECK(0, mkdtemp(folder) != NULL);
	path = base_printf("%s/file", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(0, write(fd, content, FILE_LEN) == (ssize_t)FILE_LEN);
	close(fd);
	CHECK_SHOW(0, source_open(&s, &o, &e) == 0, "%s", e.text);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i, s);
	source_close(s);
	unlink(path);
	rmdir(folder);
	return test_end();
}
