/* What a drifted file holds of a published one. librsync says it in the
 * delta from the published file to the local one: each copy command is a run
 * that both have. The commands (librsync's doc/format.md, "Delta files"):
 * four bytes of magic, then one byte a command, parameters big endian:
 *   0x00        end
 *   0x01-0x40   that many literal bytes follow
 *   0x41-0x44   as many as a number of 1, 2, 4, 8 bytes says
 *   0x45-0x54   copy: offset of 1, 2, 4, 8 bytes, length of 1, 2, 4, 8 bytes
 *               (the length's size changes first) */
#include <stdlib.h>

#include "lib/base.h"

#include "rsyncd/delta.h"

#define RUNS_MAX 1000000
#define MAGIC 0x72730236

struct finder {
	unsigned char word[4 + 17]; /* of a command, as far as it came */
	size_t have, want;
	bool begun, ended;
	uint64_t literal; /* bytes of it still to come */
	uint64_t at;      /* in the local file */
	uint64_t theirs_size, size;
	struct delta_run *run;
	size_t len, room;
};

static uint64_t
number(const unsigned char *b, size_t len)
{
	uint64_t n = 0;

	while (len--)
		n = n << 8 | *b++;
	return n;
}

/* How long the command that begins with this byte is; 0: there is none. */
static size_t
command_len(unsigned char op)
{
	if (op <= 0x40)
		return 1;
	if (op <= 0x44)
		return 1 + ((size_t)1 << (op - 0x41));
	if (op <= 0x54)
		return 1 + ((size_t)1 << ((op - 0x45) / 4)) +
		       ((size_t)1 << ((op - 0x45) % 4));
	return 0;
}

static int
add_run(struct finder *f, uint64_t theirs, uint64_t len, struct err *e)
{
	if (len > f->size - f->at || theirs > f->theirs_size ||
	    len > f->theirs_size - theirs || f->len == RUNS_MAX)
		return err_set(e, ERR_INPUT, "a copy that cannot be");
	if (f->len == f->room) {
		f->room = f->room ? f->room * 2 : 64;
		f->run = base_resize(f->run, f->room, sizeof(*f->run));
	}
	f->run[f->len++] = (struct delta_run){ theirs, f->at, len };
	f->at += len;
	return 0;
}

static int
command(struct finder *f, struct err *e)
{
	unsigned char op = f->word[0];
	size_t offset_len;

	if (op == 0) {
		f->ended = true;
		return 0;
	}
	if (op <= 0x44) {
		f->literal = op <= 0x40 ? op : number(f->word + 1, f->want - 1);
		if (f->literal > f->size - f->at)
			return err_set(e, ERR_INPUT, "too many literal bytes");
		f->at += f->literal;
		return 0;
	}
	offset_len = (size_t)1 << ((op - 0x45) / 4);
	return add_run(
		f, number(f->word + 1, offset_len),
		number(f->word + 1 + offset_len, f->want - 1 - offset_len), e);
}

/* One more byte of magic or command. */
static int
take_byte(struct finder *f, unsigned char b, struct err *e)
{
	if (f->ended)
		return err_set(e, ERR_INPUT, "bytes behind the delta's end");
	if (f->have == 0)
		f->want = f->begun ? command_len(b) : 4;
	if (f->want == 0)
		return err_set(e, ERR_INPUT, "an unknown command in a delta");
	f->word[f->have++] = b;
	if (f->have < f->want)
		return 0;
	f->have = 0;
	if (f->begun)
		return command(f, e);
	f->begun = true;
	if (number(f->word, 4) != MAGIC)
		return err_set(e, ERR_INPUT, "not a delta");
	return 0;
}

static int
take_delta(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct finder *f = ctx;
	const unsigned char *b = bytes;
	size_t i = 0, skip;

	while (i < len) {
		skip = f->literal < len - i ? (size_t)f->literal : len - i;
		f->literal -= skip;
		i += skip;
		if (i < len && take_byte(f, b[i++], e) < 0)
			return -1;
	}
	return 0;
}

static int
by_theirs(const void *a, const void *b)
{
	const struct delta_run *x = a, *y = b;

	if (x->theirs != y->theirs)
		return x->theirs < y->theirs ? -1 : 1;
	return x->len > y->len ? -1 : x->len < y->len;
}

/* Equal blocks are copied from one place many times: of runs that overlap only
 * what is new counts; and neighbours on both sides become one. */
static void
tidy(struct finder *f)
{
	uint64_t end = 0, cut;
	size_t i, n = 0;

	qsort(f->run, f->len, sizeof(*f->run), by_theirs);
	for (i = 0; i < f->len; i++) {
		struct delta_run r = f->run[i];
		struct delta_run *last = n > 0 ? &f->run[n - 1] : NULL;

		cut = r.theirs < end ? end - r.theirs : 0;
		if (cut >= r.len)
			continue;
		r.theirs += cut;
		r.ours += cut;
		r.len -= cut;
		end = r.theirs + r.len;
		if (last && last->theirs + last->len == r.theirs &&
		    last->ours + last->len == r.ours)
			last->len += r.len;
		else
			f->run[n++] = r;
	}
	f->len = n;
}

int
delta_find(const void *signature, size_t len, uint64_t theirs_size, int fd,
	   uint64_t size, struct delta_run **runs, size_t *runs_len,
	   struct err *e)
{
	struct finder f = { .theirs_size = theirs_size, .size = size };
	int got = delta_make(signature, len, fd, size, take_delta, &f, e);

	if (got == 0 && (!f.ended || f.literal > 0))
		got = err_set(e, ERR_INPUT, "the delta is cut short");
	if (got < 0) {
		free(f.run);
		return -1;
	}
	if (f.len > 0)
		tidy(&f);
	*runs = f.run;
	*runs_len = f.len;
	return 0;
}
