/* A delta between two trees is made, read and taken: each kind of patch is
 * met, each new content comes out as it should, and damaged ones do not. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/frame.h"
#include "rsyncd/gzip.h"
#include "rsyncd/patch.h"

#include "tests/test.h"

#define KIB 1024UL
#define MIB (1UL << 20)

/* ---- trees ---- */

/* A file is some bytes of this noise, in two parts, changed here and there. */
static char *noise;
#define NOISE (104 * MIB)

static void
make_noise(void)
{
	uint64_t x = 88172645463325252ULL;
	size_t i;

	noise = base_alloc(NOISE);
	for (i = 0; i < NOISE; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(noise + i, &x, 8);
	}
}

struct file {
	const char *path;
	size_t at, len;   /* of the noise */
	size_t at2, len2; /* and behind it */
	size_t changes;   /* bytes that differ */
	int gzip;         /* packed so, at this level: as hex text */
};

static int
to_buf(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, bytes, len);
	return 0;
}

/* Hex of noise: something that deflate makes smaller. */
static void
zip(const struct buf *plain, int level, struct buf *out)
{
	static const unsigned char header[] = { 0x1f, 0x8b, 8, 0, 0,
						0,    0,    0, 0, 3 };
	struct gzip_maker *m =
		gzip_maker_new(level, 8, header, sizeof(header), to_buf, out);
	AUTO_CLEAR(buf) hex = { 0 };
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < plain->len; i++)
		buf_printf(&hex, "%02x\n", (unsigned char)plain->at[i]);
	CHECK(0, gzip_maker_feed(m, hex.at, hex.len, &e) == 0);
	CHECK(0, gzip_maker_end(m, &e) == 0);
	gzip_maker_free(m);
}

static void
bytes_of(const struct file *f, struct buf *out)
{
	AUTO_CLEAR(buf) plain = { 0 };
	size_t i;

	buf_add(&plain, noise + f->at, f->len);
	buf_add(&plain, noise + f->at2, f->len2);
	for (i = 0; i < f->changes; i++)
		plain.at[plain.len / (f->changes + 1) * (i + 1)] ^= 1;
	if (f->gzip)
		zip(&plain, f->gzip, out);
	else
		buf_add(out, plain.at, plain.len);
}

static struct manifest *
make_tree(const char *dir, const struct file *f, size_t n)
{
	struct manifest *m = manifest_new();
	struct manifest_entry entry = { .type = 'd',
					.mode = 0755,
					.path = "." };
	struct err e = { 0 };
	size_t i;

	CHECK(0, dir_make(dir, 0755, &e) == 0);
	manifest_add(m, &entry);
	for (i = 0; i < n; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, f[i].path);
		AUTO_CLEAR(buf) bytes = { 0 };

		bytes_of(&f[i], &bytes);
		CHECK(i, file_write(path, buf_text(&bytes), bytes.len, 0644,
				    &e) == 0);
		entry = (struct manifest_entry){ .type = 'f',
						 .mode = 0644,
						 .path = f[i].path,
						 .size = bytes.len };
		digest_of(buf_text(&bytes), bytes.len, &entry.hash);
		manifest_add(m, &entry);
	}
	CHECK(0, manifest_seal(m, &e) == 0);
	return m;
}

/* Two trees beside one another below a folder of the test. */
struct trees {
	char top[32];
	int old_dirfd, new_dirfd;
	struct manifest *old, *new;
};

static void
trees_make(struct trees *t, const struct file *old, size_t olds,
	   const struct file *new, size_t news)
{
	AUTO_FREE char *a = NULL, *b = NULL;

	snprintf(t->top, sizeof(t->top), "/var/tmp/patch-XXXXXX");
	CHECK(0, mkdtemp(t->top));
	a = base_printf("%s/a", t->top);
	b = base_printf("%s/b", t->top);
	t->old = make_tree(a, old, olds);
	t->new = make_tree(b, new, news);
	t->old_dirfd = open(a, O_RDONLY | O_DIRECTORY);
	t->new_dirfd = open(b, O_RDONLY | O_DIRECTORY);
}

static void
trees_clear(struct trees *t)
{
	struct err e = { 0 };

	manifest_free(t->old);
	manifest_free(t->new);
	close(t->old_dirfd);
	close(t->new_dirfd);
	CHECK(0, dir_remove(t->top, &e) == 0);
}

static struct patch_opts
opts_of(const struct trees *t)
{
	return (struct patch_opts){ .old = t->old,
				    .new = t->new,
				    .old_dirfd = t->old_dirfd,
				    .new_dirfd = t->new_dirfd,
				    .level = 1,
				    .threads = 2,
				    .tmp = t->top };
}

/* ---- taking ---- */

struct delta {
	char *bytes;
	size_t len;
	struct patch_table *table;
};

/* Read what patch_write wrote to `fd`, as a client does. */
static void
delta_read(struct delta *d, int fd, const struct table_place *place)
{
	AUTO_FREE char *text = NULL;
	struct digest hash;
	struct err e = { 0 };

	d->len = place->size;
	d->bytes = base_alloc(d->len);
	CHECK(0, pread(fd, d->bytes, d->len, 0) == (ssize_t)d->len);
	CHECK(0, lseek(fd, 0, SEEK_END) == (off_t)d->len);
	digest_of(d->bytes + place->at, d->len - place->at, &hash);
	CHECK(0, digest_eq(&hash, &place->hash));
	CHECK(0, frame_unpack_text(d->bytes + place->at, d->len - place->at,
				   place->raw, &text, &e) == 0);
	CHECK_SHOW(0,
		   patch_table_parse(&d->table, text, place->raw, place->at,
				     "d", &e) == 0,
		   "%s", e.text);
}

static void
delta_clear(struct delta *d)
{
	patch_table_free(d->table);
	free(d->bytes);
}

static int
take_hash(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	digest_add(ctx, bytes, len);
	return 0;
}

/* Take an op; the hash of what comes out. */
static int
take(const struct delta *d, const struct patch_op *op, const struct trees *t,
     struct digest *out, struct err *e)
{
	AUTO(contents) olds = contents_of(t->old);
	const struct content *old = contents_short(olds, op->old_head);
	struct digest_run run;
	AUTO_CLOSE int fd =
		old ? open_beneath(t->old_dirfd, old->first->path, O_RDONLY, 0)
		    : -1;
	struct patch_take_opts o = { .table = d->table,
				     .op = op,
				     .base_fd = fd,
				     .tmp_dirfd = t->new_dirfd,
				     .sink = take_hash,
				     .ctx = &run };
	AUTO(patch_take) p = NULL;
	size_t i;

	digest_begin(&run);
	if (patch_take_open(&p, &o, e) < 0)
		return -1;
	for (i = 0; i < op->pieces; i++) {
		const struct patch_piece *piece =
			&d->table->piece[op->piece + i];

		if (patch_take_piece(p, d->bytes + piece->at, piece->size, e) <
		    0)
			return -1;
	}
	if (patch_take_end(p, e) < 0)
		return -1;
	digest_end(&run, out);
	return 0;
}

static void
check_manifest(const struct delta *d, const struct trees *t)
{
	AUTO_FREE char *text = NULL;
	size_t len = 0;
	struct err e = { 0 };
	uint64_t size = patch_manifest_size(d->table);

	CHECK(0, patch_manifest(d->table, d->bytes, size, t->old->text,
				t->old->text_len, &text, &len, &e) == 0);
	CHECK(0, len == t->new->text_len &&str_eq(text, t->new->text));
	CHECK(1, patch_manifest(d->table, d->bytes, size - 1, t->old->text,
				t->old->text_len, &text, &len, &e) < 0);
	CHECK(2, patch_manifest(d->table, d->bytes, size, t->old->text,
				t->old->text_len - 1, &text, &len, &e) < 0);
	d->bytes[0] ^= 1;
	CHECK(3, patch_manifest(d->table, d->bytes, size, t->old->text,
				t->old->text_len, &text, &len, &e) < 0);
	d->bytes[0] ^= 1;
}

/* ---- every kind ---- */

#define GZ_OLD 90 * MIB
static const struct file old_files[] = {
	{ "same", 0, 9 * KIB, 0, 0, 0, 0 },
	{ "moved", 9 * KIB, 9 * KIB, 0, 0, 0, 0 },
	{ "small", 20 * KIB, 30 * KIB, 0, 0, 0, 0 },
	{ "pieces", MIB, 20 * MIB, 0, 0, 0, 0 },
	{ "segments", 0, 60 * MIB, 0, 0, 0, 0 },
	{ "swapped", 0, 52 * MIB, 52 * MIB, 52 * MIB, 0, 0 },
	{ "text.gz", GZ_OLD, 100 * KIB, 0, 0, 0, 6 },
	{ "long.gz", GZ_OLD + MIB, 300 * KIB, 0, 0, 0, 6 },
	{ "other", 103 * MIB, 40 * KIB, 0, 0, 0, 0 },
};

/* Each new file, and how it is made. */
static const struct file new_files[] = {
	{ "same", 0, 9 * KIB, 0, 0, 0, 0 },
	{ "moved-2", 9 * KIB, 9 * KIB, 0, 0, 0, 0 },
	{ "small", 20 * KIB, 31 * KIB, 0, 0, 3, 0 },
	{ "pieces", MIB, 22 * MIB, 0, 0, 2, 0 },
	{ "segments", 0, 60 * MIB, 0, 0, 9, 0 },
	{ "swapped", 52 * MIB, 52 * MIB, 0, 52 * MIB, 0, 0 },
	{ "text.gz", GZ_OLD, 100 * KIB, 0, 0, 2, 9 },
	{ "long.gz", GZ_OLD + MIB, 300 * KIB, 0, 0, 2, 9 },
	{ "other", 102 * MIB, 40 * KIB, 0, 0, 0, 0 },
	{ "stranger", 101 * MIB, 50 * KIB, 0, 0, 0, 0 },
};

static const struct {
	int kind; /* -1: there is no op, the old tree has it */
	size_t pieces;
	uint64_t most; /* packed bytes */
	bool plain;    /* and larger, for less work */
} wanted[ARRAY_LEN(new_files)] = {
	{ -1, 0, 0 },
	{ -1, 0, 0 },
	{ PATCH_ZSTD, 1, 2 * KIB },
	{ PATCH_ZSTD, 6, 2 * MIB + 40 * KIB },
	{ PATCH_ZSTD, 15, 40 * KIB },
	{ PATCH_RSYNC, 1, 100 * KIB },
	{ PATCH_SYMBOLS, 1, 9 * KIB }, /* no work to speak of */
	{ PATCH_SYMBOLS, 1, 27 * KIB, true },
	{ PATCH_WHOLE, 1, 42 * KIB },
	{ PATCH_WHOLE, 1, 52 * KIB },
};

static void
check_op(const struct delta *d, const struct trees *t, size_t i)
{
	const struct manifest_entry *f =
		manifest_find(t->new, new_files[i].path);
	const struct patch_op *op = patch_find(d->table, f->hash.b);
	struct digest got = { 0 };
	struct err e = { 0 };
	uint64_t packed = 0;
	size_t k;

	CHECK(i, !op == (wanted[i].kind < 0));
	if (!op)
		return;
	CHECK_SHOW(i, (int)op->kind == wanted[i].kind, "%d", (int)op->kind);
	CHECK_SHOW(i, op->pieces == wanted[i].pieces, "%zu", op->pieces);
	for (k = 0; k < op->pieces; k++)
		packed += d->table->piece[op->piece + k].size;
	CHECK_SHOW(i, packed <= wanted[i].most, "%zu", (size_t)packed);
	CHECK_SHOW(i, take(d, op, t, &got, &e) == 0, "%s", e.text);
	CHECK(i, digest_eq(&got, &f->hash));
	op = patch_plain(d->table, op);
	CHECK(i, !op == !wanted[i].plain);
	if (!op)
		return;
	CHECK(i, op->kind == PATCH_ZSTD || op->kind == PATCH_WHOLE);
	got = (struct digest){ 0 };
	CHECK_SHOW(i, take(d, op, t, &got, &e) == 0, "%s", e.text);
	CHECK(i, digest_eq(&got, &f->hash));
}

static void
test_kinds(const struct trees *t)
{
	struct patch_opts o = opts_of(t);
	struct patch_counts counts = { 0 };
	struct table_place place = { 0 };
	struct delta d = { 0 };
	AUTO_CLOSE int fd = memfd_create("delta", MFD_CLOEXEC);
	struct err e = { 0 };
	size_t i;

	CHECK_SHOW(0, patch_write(&o, fd, &place, &counts, &e) == 0, "%s",
		   e.text);
	CHECK(0, counts.same == 2 && counts.whole == 2 && counts.zstd == 3 &&
			 counts.symbols == 2 && counts.rsync == 1);
	CHECK(0, counts.same_bytes == 18 * KIB);
	delta_read(&d, fd, &place);
	CHECK(0, str_eq(d.table->from, t->old->root) &&
			 str_eq(d.table->to, t->new->root));
	check_manifest(&d, t);
	for (i = 0; i < ARRAY_LEN(new_files); i++)
		check_op(&d, t, i);
	delta_clear(&d);
}

/* ---- small trees: threads, damage, changes ---- */

static const struct file small_old[] = {
	{ "a", 0, 90 * KIB, 0, 0, 0, 0 },
	{ "b", 200 * KIB, 90 * KIB, 0, 0, 0, 0 },
	{ "c.gz", GZ_OLD, 40 * KIB, 0, 0, 0, 6 },
	{ "d", 300 * KIB, 90 * KIB, 0, 0, 0, 0 },
};

static const struct file small_new[] = {
	{ "a", 0, 90 * KIB, 0, 0, 5, 0 },
	{ "b", 200 * KIB, 90 * KIB, 0, 0, 7, 0 },
	{ "c.gz", GZ_OLD, 40 * KIB, 0, 0, 1, 6 },
	{ "d", 900 * KIB, 50 * KIB, 0, 0, 0, 0 },
};

/* The same bytes, however many threads; `thorough` still gives the smallest. */
static void
test_threads(const struct trees *t)
{
	AUTO_FREE char *first = NULL;
	size_t first_len = 0;
	int threads;

	for (threads = 1; threads <= 8; threads *= 2) {
		struct patch_opts o = opts_of(t);
		struct patch_counts counts;
		struct table_place place;
		AUTO_CLOSE int fd = memfd_create("delta", MFD_CLOEXEC);
		struct delta d = { 0 };
		struct err e = { 0 };

		o.threads = threads;
		o.thorough = true;
		CHECK(0, patch_write(&o, fd, &place, &counts, &e) == 0);
		CHECK(0, counts.zstd == 2 && counts.gzip == 1 &&
				 counts.whole == 1);
		delta_read(&d, fd, &place);
		if (first)
			CHECK(threads,
			      d.len == first_len &&
				      memcmp(d.bytes, first, d.len) == 0);
		else {
			first_len = d.len;
			first = STEAL(d.bytes);
		}
		delta_clear(&d);
	}
}

/* One byte of a piece flipped, or a piece of another's: refused. */
static void
test_damage(const struct trees *t)
{
	struct patch_opts o = opts_of(t);
	struct patch_counts counts;
	struct table_place place;
	struct delta d = { 0 };
	AUTO_CLOSE int fd = memfd_create("delta", MFD_CLOEXEC);
	struct err e = { 0 };
	struct digest got;
	size_t i;

	CHECK(0, patch_write(&o, fd, &place, &counts, &e) == 0);
	delta_read(&d, fd, &place);
	for (i = 0; i < d.table->ops; i++) {
		struct patch_op *op = &d.table->op[i];
		struct patch_piece *p = &d.table->piece[op->piece];

		CHECK(i, take(&d, op, t, &got, &e) == 0);
		d.bytes[p->at + p->size / 2] ^= 1;
		CHECK(i, take(&d, op, t, &got, &e) < 0 && e.kind == ERR_INPUT);
		d.bytes[p->at + p->size / 2] ^= 1;
		op->new_size--;
		CHECK(i, take(&d, op, t, &got, &e) < 0 && e.kind == ERR_INPUT);
		op->new_size += 2;
		CHECK(i, take(&d, op, t, &got, &e) < 0 && e.kind == ERR_INPUT);
		op->new_size--;
		op->pieces--;
		CHECK(i, take(&d, op, t, &got, &e) < 0 && e.kind == ERR_INPUT);
		op->pieces++;
	}
	delta_clear(&d);
}

/* A file that is not what its manifest says stops it, and is named. */
static void
test_changed(const struct trees *t)
{
	static const struct {
		const char *path;
		off_t at; /* a byte there is changed; -1: one is added */
	} rows[] = {
		{ "a/b", 999 }, { "b/a", 999 }, { "a/d", -1 }, { "b/c.gz", -1 }
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_FREE char *path =
			base_printf("%s/%s", t->top, rows[i].path);
		struct patch_opts o = opts_of(t);
		struct patch_counts counts;
		struct table_place place;
		AUTO_CLOSE int fd = memfd_create("delta", MFD_CLOEXEC);
		AUTO_CLOSE int file = open(path, O_RDWR);
		off_t end = lseek(file, 0, SEEK_END);
		struct err e = { 0 };
		char was = 0;

		if (rows[i].at >= 0)
			CHECK(i, pread(file, &was, 1, rows[i].at) == 1);
		CHECK(i, pwrite(file, was == 'x' ? "y" : "x", 1,
				rows[i].at < 0 ? end : rows[i].at) == 1);
		CHECK(i, patch_write(&o, fd, &place, &counts, &e) < 0);
		CHECK_SHOW(i,
			   e.kind == ERR_REFUSED &&
				   str_starts(e.text, rows[i].path + 2),
			   "%s", e.text);
		if (rows[i].at >= 0)
			CHECK(i, pwrite(file, &was, 1, rows[i].at) == 1);
		CHECK(i, ftruncate(file, end) == 0);
	}
}

int
main(void)
{
	struct trees t;

	make_noise();
	trees_make(&t, small_old, ARRAY_LEN(small_old), small_new,
		   ARRAY_LEN(small_new));
	test_threads(&t);
	test_damage(&t);
	test_changed(&t);
	trees_clear(&t);
	trees_make(&t, old_files, ARRAY_LEN(old_files), new_files,
		   ARRAY_LEN(new_files));
	test_kinds(&t);
	trees_clear(&t);
	free(noise);
	return test_end();
}
