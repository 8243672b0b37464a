/* Signature, delta and patch give the new file back; what a drifted file holds
 * is found; whatever is damaged is refused. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/delta.h"

#include "tests/test.h"

#define KIB 1024UL

static void
noise(char *out, size_t len, unsigned seed)
{
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		out[i] = (char)(seed >> 16);
	}
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

/* ---- there and back ---- */

static const struct {
	const char *what;
	size_t old, new;      /* sizes; equal bytes up to the shorter */
	size_t change, every; /* that many bytes are changed, so often */
	size_t most;          /* the delta has no more than that */
} rows[] = {
	{ "nothing to nothing", 0, 0, 0, 0, 5 },
	{ "nothing to some", 0, 9, 0, 0, 15 },
	{ "some to nothing", 9, 0, 0, 0, 5 },
	{ "the same", 300 * KIB, 300 * KIB, 0, 0, 64 },
	{ "longer", 300 * KIB, 301 * KIB, 0, 0, 3 * KIB },
	{ "shorter", 300 * KIB, 200 * KIB, 0, 0, KIB },
	{ "drifted", 900 * KIB, 900 * KIB, 100, 300 * KIB, 8 * KIB },
	{ "all else", 50 * KIB, 50 * KIB, 1, 1, 51 * KIB },
};

static int
patch(const struct buf *delta, int fd, size_t step, uint64_t max,
      struct buf *out, struct err *e)
{
	AUTO(delta_patch) p = delta_patch_new(fd, max, to_buf, out);
	size_t at, len;

	for (at = 0; at < delta->len; at += len) {
		len = delta->len - at < step ? delta->len - at : step;
		if (delta_patch_feed(p, delta->at + at, len, e) < 0)
			return -1;
	}
	return delta_patch_end(p, e);
}

static void
test_row(size_t i)
{
	AUTO_FREE char *old = base_alloc(rows[i].old);
	AUTO_FREE char *new = base_alloc(rows[i].new);
	AUTO_CLEAR(buf) sig = { 0 }, delta = { 0 }, back = { 0 };
	AUTO_CLOSE int old_fd = -1, new_fd = -1;
	struct err e = { 0 };
	size_t k;

	noise(old, rows[i].old, 1);
	noise(new, rows[i].new, 1);
	for (k = 0; rows[i].every && k < rows[i].new; k += rows[i].every)
		noise(new + k, rows[i].change, 7 + (unsigned)k);
	old_fd = file_of(old, rows[i].old);
	new_fd = file_of(new, rows[i].new);
	CHECK(i, delta_signature(old_fd, rows[i].old, &sig, &e) == 0);
	CHECK(i, sig.len >= 12 && (sig.len - 12) % 36 == 0);
	CHECK(i, delta_make(sig.at, sig.len, new_fd, rows[i].new, to_buf,
			    &delta, &e) == 0);
	CHECK_SHOW(i, delta.len <= rows[i].most, "%zu bytes", delta.len);
	CHECK(i, patch(&delta, old_fd, 1, rows[i].new, &back, &e) == 0);
	CHECK(i, back.len ==
			 rows[i].new &&memcmp(buf_text(&back), new, back.len) ==
			 0);
	buf_reset(&back);
	CHECK(i, patch(&delta, old_fd, 1 << 20, rows[i].new, &back, &e) == 0);
	CHECK(i, back.len == rows[i].new);
	if (rows[i].new == 0)
		return;
	buf_reset(&back);
	CHECK(i, patch(&delta, old_fd, 999, rows[i].new - 1, &back, &e) < 0 &&
			 e.kind == ERR_INPUT && strstr(e.text, "too many"));
}

/* ---- damage ---- */

static const struct {
	const char *what, *delta;
	size_t len;
	const char *want;
} bad_deltas[] = {
	{ "nothing", "", 0, "" },
	{ "not one", "rs\x01\x36\0", 5, "magic" },
	{ "cut in a literal", "rs\x02\x36\x05xx", 7, "" },
	{ "no end", "rs\x02\x36\x01x", 6, "" },
	{ "bytes behind its end", "rs\x02\x36\0x", 6, "behind" },
	{ "unknown command", "rs\x02\x36\xf0\0", 6, "" },
	{ "copy from behind the base", "rs\x02\x36\x45\xf0\x10\0", 8, "" },
	{ "copy of too much",
	  "rs\x02\x36\x48\0\x7f\xff\xff\xff\xff\xff\xff\xff", 14, "" },
};

static void
test_bad_deltas(void)
{
	AUTO_CLOSE int fd = file_of("0123456789abcdef", 16);
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad_deltas); i++) {
		AUTO_CLEAR(buf) delta = { 0 }, back = { 0 };
		struct err e = { 0 };

		buf_add(&delta, bad_deltas[i].delta, bad_deltas[i].len);
		CHECK(i, patch(&delta, fd, 3, 100, &back, &e) < 0);
		CHECK_SHOW(i,
			   e.kind == ERR_INPUT &&
				   strstr(e.text, bad_deltas[i].want),
			   "%s", e.text);
	}
}

#define SIG "rs\x01\x47\0\0\x08\0\0\0\0\x20"

static const struct {
	const char *what, *sig;
	size_t len;
} bad_signatures[] = {
	{ "nothing", "", 0 },
	{ "cut", SIG "1234", 16 },
	{ "MD4", "rs\x01\x46\0\0\x08\0\0\0\0\x10", 12 },
	{ "the old BLAKE2", "rs\x01\x37\0\0\x08\0\0\0\0\x20", 12 },
	{ "short sums", "rs\x01\x47\0\0\x08\0\0\0\0\x08", 12 },
	{ "tiny blocks", "rs\x01\x47\0\0\0\x01\0\0\0\x20", 12 },
	{ "huge blocks", "rs\x01\x47\xff\xff\xff\xff\0\0\0\x20", 12 },
};

static void
test_bad_signatures(void)
{
	AUTO_CLOSE int fd = file_of("0123456789abcdef", 16);
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad_signatures); i++) {
		AUTO_CLEAR(buf) delta = { 0 };
		struct err e = { 0 };

		CHECK(i,
		      delta_make(bad_signatures[i].sig, bad_signatures[i].len,
				 fd, 16, to_buf, &delta, &e) < 0);
		CHECK_SHOW(i, e.kind == ERR_INPUT, "%s", e.text);
	}
}

static int
refuse_all(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return err_set(e, ERR_SYS, "no room");
}

/* The sink's failure is what the caller hears. */
static void
test_sink(void)
{
	AUTO_CLOSE int fd = file_of("0123456789abcdef", 16);
	AUTO(delta_patch) p = delta_patch_new(fd, 99, refuse_all, NULL);
	AUTO_CLEAR(buf) sig = { 0 };
	struct err e = { 0 };

	CHECK(0, delta_signature(fd, 16, &sig, &e) == 0);
	CHECK(0, delta_make(sig.at, sig.len, fd, 16, refuse_all, NULL, &e) < 0);
	CHECK(0, e.kind == ERR_SYS && str_eq(e.text, "no room"));
	CHECK(1, delta_patch_feed(p, "rs\x02\x36\x01x\0", 7, &e) < 0);
	CHECK(1, e.kind == ERR_SYS && str_eq(e.text, "no room"));
	CHECK(2, delta_signature(fd, 17, &sig, &e) < 0 && e.kind == ERR_SYS);
}

/* ---- what is found ---- */

/* Each byte that a run claims is the same on both sides, and the runs are in
 * order; how many bytes they cover. */
static size_t
covered(const struct delta_run *run, size_t n, const char *theirs,
	const char *ours, bool *good)
{
	size_t i, sum = 0;
	uint64_t end = 0;

	*good = true;
	for (i = 0; i < n; i++) {
		*good &= run[i].theirs >= end && run[i].len > 0 &&
			 memcmp(theirs + run[i].theirs, ours + run[i].ours,
				run[i].len) == 0;
		end = run[i].theirs + run[i].len;
		sum += run[i].len;
	}
	return sum;
}

#define SIZE (2000 * KIB)

static const struct {
	const char *what;
	size_t cut, at; /* bytes [at, at + cut) are not in ours */
	size_t changes; /* places that differ */
	size_t least;   /* that is found */
} found[] = {
	{ "all", 0, 0, 0, SIZE },
	{ "three changes", 0, 0, 3, SIZE - 12 * KIB },
	{ "a hole, so the rest moved", 10 * KIB, 500 * KIB, 0,
	  SIZE - 20 * KIB },
	{ "the first half", SIZE / 2, SIZE / 2, 0, SIZE / 2 - 4 * KIB },
	{ "nothing", SIZE, 0, 0, 0 },
};

static void
test_found(void)
{
	AUTO_FREE char *theirs = base_alloc(SIZE);
	AUTO_CLOSE int theirs_fd = -1;
	AUTO_CLEAR(buf) sig = { 0 };
	struct err e = { 0 };
	size_t i, k;

	noise(theirs, SIZE, 3);
	/* a block that is there twice is found once at least, never wrong */
	memcpy(theirs + 40 * KIB, theirs + 20 * KIB, 20 * KIB);
	theirs_fd = file_of(theirs, SIZE);
	CHECK(0, delta_signature(theirs_fd, SIZE, &sig, &e) == 0);
	for (i = 0; i < ARRAY_LEN(found); i++) {
		size_t size = SIZE - found[i].cut, n = 0, sum;
		AUTO_FREE char *ours = base_alloc(SIZE);
		AUTO_FREE struct delta_run *run = NULL;
		AUTO_CLOSE int fd = -1;
		bool good;

		memcpy(ours, theirs, found[i].at);
		memcpy(ours + found[i].at, theirs + found[i].at + found[i].cut,
		       size - found[i].at);
		for (k = 1; k <= found[i].changes; k++)
			ours[k * 500 * KIB] ^= 1;
		fd = file_of(ours, size);
		CHECK(i, delta_find(sig.at, sig.len, SIZE, fd, size, &run, &n,
				    &e) == 0);
		sum = covered(run, n, theirs, ours, &good);
		CHECK(i, good);
		/* the twin of a block is not found when the other was */
		CHECK_SHOW(i, sum + 45 * KIB >= found[i].least, "%zu bytes",
			   sum);
	}
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		test_row(i);
	test_bad_deltas();
	test_bad_signatures();
	test_sink();
	test_found();
	return test_end();
}
