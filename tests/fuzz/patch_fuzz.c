/* A piece of any kind of patch, with the hash that the table says: what comes
 * out is never more than the table promised, and a failure says why. */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"

#include "rsyncd/gzip.h"
#include "rsyncd/patch.h"
#include "rsyncd/symbols.h"

#define BASE 8192
#define HEAD 8 /* kind, level, new size, raw size, prefix: see below */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const unsigned char header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };

static int
write_all(void *ctx, const void *bytes, size_t len, struct err *e)
{
	const int *fd = ctx;

	(void)e;
	assert(write(*fd, bytes, len) == (ssize_t)len);
	return 0;
}

/* The base, as it is or as a gzip file. */
static int
base_fd(bool gzip)
{
	int fd = memfd_create("base", MFD_CLOEXEC);
	struct err e = { 0 };
	struct gzip_maker *m;
	char text[BASE];
	size_t i;

	assert(fd >= 0);
	for (i = 0; i < BASE; i++)
		text[i] = (char)("edeploy trees "[i % 14] + (char)(i / 700));
	if (!gzip) {
		write_all(&fd, text, BASE, &e);
		return fd;
	}
	m = gzip_maker_new(6, 8, header, sizeof(header), write_all, &fd);
	assert(gzip_maker_feed(m, text, BASE, &e) == 0);
	assert(gzip_maker_end(m, &e) == 0);
	gzip_maker_free(m);
	return fd;
}

static int
add_len(void *ctx, const void *bytes, size_t len, struct err *e)
{
	uint64_t *sum = ctx;

	(void)bytes;
	(void)e;
	*sum += len;
	return 0;
}

/* Of the symbols of the base. */
static uint64_t
text_size(int fd, uint64_t size)
{
	uint64_t len = 0;
	struct err e = { 0 };

	assert(symbols_read(fd, size, 10 * BASE, add_len, &len, &e) == 1);
	return len;
}

struct sum {
	uint64_t got, most;
};

static int
count(void *ctx, const void *bytes, size_t len, struct err *e)
{
	struct sum *s = ctx;

	(void)bytes;
	(void)e;
	s->got += len;
	assert(s->got <= s->most);
	return 0;
}

static void
take(const struct patch_take_opts *o, const void *bytes, size_t len)
{
	AUTO(patch_take) t = NULL;
	struct sum *sum = o->ctx;
	struct err e = { 0 };

	if (patch_take_open(&t, o, &e) == 0 &&
	    patch_take_piece(t, bytes, len, &e) == 0 &&
	    patch_take_end(t, &e) == 0)
		assert(sum->got == sum->most);
	else
		assert(e.kind == ERR_INPUT && e.text[0]);
}

static unsigned
two(const uint8_t *b)
{
	return (unsigned)b[0] << 8 | b[1];
}

/* Kind, level and memory level (zlib's) in a byte each, then new size, raw
 * size and the prefix's length in 16 bits each, less one; then the piece. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const enum patch_kind kinds[] = { PATCH_WHOLE, PATCH_ZSTD,
						 PATCH_GZIP, PATCH_RSYNC,
						 PATCH_SYMBOLS };
	AUTO_CLOSE int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int base = -1;
	struct patch_piece piece = { 0 };
	struct patch_op op = { .old_size = BASE, .old_raw = BASE, .pieces = 1 };
	struct patch_table table = { .piece = &piece, .pieces = 1 };
	struct sum sum = { 0 };
	struct patch_take_opts o = { .table = &table,
				     .op = &op,
				     .tmp_dirfd = tmp,
				     .sink = count,
				     .ctx = &sum };
	unsigned char head[sizeof(header)];

	if (len < HEAD)
		return 0;
	op.kind = kinds[bytes[0] % ARRAY_LEN(kinds)];
	op.mem_level = bytes[1] % 10;
	op.level = op.mem_level ? 6 : 4;
	op.new_size = two(bytes + 2) + 1;
	piece.raw = two(bytes + 4) + 1;
	piece.base_len = two(bytes + 6) % (BASE + 1);
	if (op.kind == PATCH_WHOLE || op.kind == PATCH_RSYNC)
		piece.base_len = 0;
	memcpy(head, header, sizeof(head));
	op.header = head;
	op.header_len = sizeof(head);
	op.new_raw = piece.raw;
	base = base_fd(op.kind == PATCH_GZIP || op.kind == PATCH_SYMBOLS);
	op.old_size = (uint64_t)lseek(base, 0, SEEK_END);
	if (op.kind == PATCH_SYMBOLS)
		op.old_raw = text_size(base, op.old_size);
	if (piece.base_len > op.old_raw)
		piece.base_len = (uint32_t)op.old_raw;
	o.base_fd = base;
	piece.size = (uint32_t)(len - HEAD);
	digest_of(bytes + HEAD, len - HEAD, &piece.hash);
	sum.most = op.new_size;
	take(&o, bytes + HEAD, len - HEAD);
	return 0;
}
