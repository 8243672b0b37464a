/* librsync's habits translated: jobs that are cranked become calls that give
 * their bytes to a sink; results become errors. Only BLAKE2 signatures with
 * whole strong sums are made and read: shorter ones can be forged, and the
 * MD4 ones are. */
#include <librsync.h>
#include <pthread.h>
#include <unistd.h>

#include "lib/base.h"

#include "rsyncd/delta.h"

#define STRONG_LEN 32
#define SIG_HEAD 12 /* magic, block length, strong length */
#define SIG_BLOCK (4 + STRONG_LEN)
#define SIG_MAX (16UL << 20) /* a frame's raw bytes */
#define BLOCK_MIN 256
#define BLOCK_MAX (1UL << 30)
#define READ_ROOM (256UL << 10)
#define OUT_ROOM (64UL << 10)

typedef int sink_fn(void *ctx, const void *bytes, size_t len, struct err *e);

/* One job and where its output goes. */
struct crank {
	rs_job_t *job;
	rs_buffers_t io;
	char *room; /* OUT_ROOM */
	sink_fn *sink;
	void *ctx;
	bool done;
};

static void
be_silent(void)
{
	rs_trace_to(NULL);
}

static void
crank_begin(struct crank *c, rs_job_t *job, sink_fn *sink, void *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* librsync tells its errors on stderr unless told not to */
	pthread_once(&once, be_silent);
	*c = (struct crank){ .job = job, .sink = sink, .ctx = ctx };
	c->room = base_alloc(OUT_ROOM);
}

static void
crank_clear(struct crank *c)
{
	if (c->job)
		rs_job_free(c->job);
	free(c->room);
}

static int
say(rs_result r, struct err *e)
{
	return err_set(e, ERR_INPUT, "librsync: %s", rs_strerror(r));
}

/* Turn once: what it made goes to the sink. 1: it wants to be turned again. */
static int
turn(struct crank *c, struct err *e)
{
	size_t before = c->io.avail_in, made;
	rs_result r;

	c->io.next_out = c->room;
	c->io.avail_out = OUT_ROOM;
	r = rs_job_iter(c->job, &c->io);
	made = OUT_ROOM - c->io.avail_out;
	if (made > 0 && c->sink(c->ctx, c->room, made, e) < 0)
		return -1;
	c->done = r == RS_DONE;
	if (r != RS_DONE && r != RS_BLOCKED)
		return say(r, e);
	if (c->done || (made < OUT_ROOM && c->io.avail_in == 0))
		return 0;
	if (made == 0 && c->io.avail_in == before)
		return err_set(e, ERR_INPUT, "librsync does not go on");
	return 1;
}

/* Give `len` more bytes to the job; `last`: there are no more. */
static int
crank_feed(struct crank *c, const void *bytes, size_t len, bool last,
	   struct err *e)
{
	/* rs_buffers_t has no const, but input is only read */
	memcpy(&c->io.next_in, &bytes, sizeof(bytes));
	c->io.avail_in = len;
	c->io.eof_in = last;
	for (;;) {
		int more = c->done ? 0 : turn(c, e);

		if (more <= 0)
			return more;
	}
}

/* All of a file through the job. */
static int
crank_file(struct crank *c, int fd, uint64_t size, struct err *e)
{
	AUTO_FREE char *room = base_alloc(READ_ROOM);
	uint64_t at = 0;
	bool last;

	do {
		size_t want =
			size - at < READ_ROOM ? (size_t)(size - at) : READ_ROOM;
		ssize_t got = pread(fd, room, want, (off_t)at);

		if (got < 0)
			return err_sys(e, "read");
		if ((size_t)got < want)
			return err_set(e, ERR_SYS, "the file became shorter");
		at += want;
		last = at == size;
		if (crank_feed(c, room, want, last, e) < 0)
			return -1;
	} while (!last);
	if (!c->done)
		return err_set(e, ERR_INPUT, "librsync wants more bytes");
	return 0;
}

/* ---- signature ---- */

static int
add_to_buf(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct buf *b = ctx;

	if (len > SIG_MAX - b->len)
		return err_set(e, ERR_INPUT, "the signature is too large");
	buf_add(b, bytes, len);
	return 0;
}

/* librsync's choice, but never more than SIG_MAX of signature. */
static int
choose_block(uint64_t size, size_t *block, struct err *e)
{
	rs_magic_number magic = RS_RK_BLAKE2_SIG_MAGIC;
	size_t strong = STRONG_LEN;
	rs_result r;

	*block = 0;
	r = rs_sig_args((rs_long_t)size, &magic, block, &strong);
	if (r != RS_DONE)
		return say(r, e);
	while (size / *block > (SIG_MAX - SIG_HEAD) / SIG_BLOCK - 1)
		*block *= 2;
	return 0;
}

int
delta_signature(int fd, uint64_t size, struct buf *out, struct err *e)
{
	struct crank c;
	size_t block;
	int got;

	if (choose_block(size, &block, e) < 0)
		return -1;
	crank_begin(&c, rs_sig_begin(block, STRONG_LEN, RS_RK_BLAKE2_SIG_MAGIC),
		    add_to_buf, out);
	got = crank_file(&c, fd, size, e);
	crank_clear(&c);
	return got;
}

/* ---- delta ---- */

static uint32_t
big_endian(const unsigned char *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

/* What librsync would believe, and ask memory for. */
static int
check_signature(const unsigned char *sig, size_t len, struct err *e)
{
	uint32_t block;

	if (len < SIG_HEAD || len > SIG_MAX ||
	    (len - SIG_HEAD) % SIG_BLOCK != 0)
		return err_set(e, ERR_INPUT,
			       "a signature of %zu bytes cannot be", len);
	block = big_endian(sig + 4);
	if (big_endian(sig) != RS_RK_BLAKE2_SIG_MAGIC ||
	    big_endian(sig + 8) != STRONG_LEN || block < BLOCK_MIN ||
	    block > BLOCK_MAX)
		return err_set(e, ERR_INPUT,
			       "not a BLAKE2 signature with sums of %d bytes",
			       STRONG_LEN);
	return 0;
}

static int
no_output(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return err_set(e, ERR_INPUT, "output that should not be");
}

static int
load_signature(const void *sig, size_t len, rs_signature_t **out, struct err *e)
{
	struct crank c;
	rs_result r;
	int got;

	if (check_signature(sig, len, e) < 0)
		return -1;
	crank_begin(&c, rs_loadsig_begin(out), no_output, NULL);
	got = crank_feed(&c, sig, len, true, e);
	if (got == 0 && !c.done)
		got = err_set(e, ERR_INPUT, "the signature is cut short");
	crank_clear(&c);
	if (got < 0)
		return -1;
	r = rs_build_hash_table(*out);
	return r == RS_DONE ? 0 : say(r, e);
}

int
delta_make(const void *signature, size_t len, int fd, uint64_t size,
	   int (*sink)(void *ctx, const void *bytes, size_t len, struct err *e),
	   void *ctx, struct err *e)
{
	rs_signature_t *sums = NULL;
	struct crank c;
	int got;

	got = load_signature(signature, len, &sums, e);
	if (got == 0) {
		crank_begin(&c, rs_delta_begin(sums), sink, ctx);
		got = crank_file(&c, fd, size, e);
		crank_clear(&c);
	}
	if (sums) /* it takes no NULL */
		rs_free_sumset(sums);
	return got;
}

/* ---- patch ---- */

struct delta_patch {
	struct crank crank;
	int base_fd;
	uint64_t left; /* that may still come out */
	sink_fn *sink;
	void *ctx;
	bool base_failed;
};

static rs_result
read_base(void *ctx, rs_long_t at, size_t *len, void **room)
{
	struct delta_patch *p = ctx;
	ssize_t got = pread(p->base_fd, *room, *len, (off_t)at);

	if (got <= 0) {
		p->base_failed = got < 0;
		return got < 0 ? RS_IO_ERROR : RS_CORRUPT;
	}
	*len = (size_t)got;
	return RS_DONE;
}

static int
give(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct delta_patch *p = ctx;

	if (len > p->left)
		return err_set(e, ERR_INPUT, "the delta makes too many bytes");
	p->left -= len;
	return p->sink(p->ctx, bytes, len, e);
}

struct delta_patch *
delta_patch_new(int base_fd, uint64_t max,
		int (*sink)(void *ctx, const void *bytes, size_t len,
			    struct err *e),
		void *ctx)
{
	struct delta_patch *p = base_alloc(sizeof(*p));

	p->base_fd = base_fd;
	p->left = max;
	p->sink = sink;
	p->ctx = ctx;
	crank_begin(&p->crank, rs_patch_begin(read_base, p), give, p);
	return p;
}

static int
patch_feed(struct delta_patch *p, const void *bytes, size_t len, bool last,
	   struct err *e)
{
	if (crank_feed(&p->crank, bytes, len, last, e) < 0) {
		if (p->base_failed)
			e->kind = ERR_SYS;
		return -1;
	}
	if (p->crank.done && p->crank.io.avail_in > 0)
		return err_set(e, ERR_INPUT, "bytes behind the delta's end");
	return 0;
}

int
delta_patch_feed(struct delta_patch *p, const void *bytes, size_t len,
		 struct err *e)
{
	return patch_feed(p, bytes, len, false, e);
}

int
delta_patch_end(struct delta_patch *p, struct err *e)
{
	if (!p->crank.done && patch_feed(p, "", 0, true, e) < 0)
		return -1;
	if (!p->crank.done)
		return err_set(e, ERR_INPUT, "the delta is cut short");
	return 0;
}

void
delta_patch_free(struct delta_patch *p)
{
	if (!p)
		return;
	crank_clear(&p->crank);
	free(p);
}
