/* Marks of a tree are written, read, and find what a drifted file holds. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/delta.h"
#include "rsyncd/frame.h"
#include "rsyncd/patch.h"

#include "tests/test.h"

#define MIB (1UL << 20)

static const struct {
	const char *path;
	size_t size;
	bool marked;
} files[] = {
	{ "large", 5 * MIB + 77, true }, { "small", MIB, false },
	{ "just-above", MIB + 1, true }, { "largest", 9 * MIB, true },
	{ "empty", 0, false },
};

static char *
bytes_of(size_t i)
{
	char *out = base_alloc(files[i].size);
	uint64_t x = 88172645463325252ULL + i;
	size_t k;

	for (k = 0; k + 8 <= files[i].size; k += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(out + k, &x, 8);
	}
	return out;
}

static struct manifest *
make_tree(const char *dir, size_t most)
{
	struct manifest *m = manifest_new();
	struct manifest_entry entry = { .type = 'd',
					.mode = 0755,
					.path = "." };
	struct err e = { 0 };
	size_t i;

	manifest_add(m, &entry);
	for (i = 0; i < ARRAY_LEN(files); i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, files[i].path);
		AUTO_FREE char *bytes = bytes_of(i);

		if (files[i].size > most)
			continue;
		CHECK(i, file_write(path, bytes, files[i].size, 0644, &e) == 0);
		entry = (struct manifest_entry){ .type = 'f',
						 .path = files[i].path,
						 .size = files[i].size };
		digest_of(bytes, files[i].size, &entry.hash);
		manifest_add(m, &entry);
	}
	CHECK(0, manifest_seal(m, &e) == 0);
	return m;
}

static struct mark_table *
read_table(int fd, const struct table_place *place)
{
	AUTO_FREE char *frame = base_alloc(place->size - place->at);
	AUTO_FREE char *text = NULL;
	struct mark_table *t = NULL;
	struct digest hash;
	struct err e = { 0 };
	size_t len = place->size - place->at;

	CHECK(0, lseek(fd, 0, SEEK_END) == (off_t)place->size);
	CHECK(0, pread(fd, frame, len, (off_t)place->at) == (ssize_t)len);
	digest_of(frame, len, &hash);
	CHECK(0, digest_eq(&hash, &place->hash));
	CHECK(0, frame_unpack_text(frame, len, place->raw, &text, &e) == 0);
	CHECK_SHOW(0,
		   mark_table_parse(&t, text, place->raw, place->at, "m", &e) ==
			   0,
		   "%s", e.text);
	return t;
}

/* The signature of a mark finds all of a file but what was changed. */
static void
check_mark(const struct mark *mark, int fd, size_t i)
{
	AUTO_FREE char *frame = base_alloc(mark->piece.size);
	AUTO_FREE char *sig = base_alloc(mark->piece.raw);
	AUTO_FREE char *ours = bytes_of(i);
	AUTO(frame_decoder) d = frame_decoder_new();
	AUTO_FREE struct delta_run *run = NULL;
	AUTO_CLOSE int local = memfd_create("ours", MFD_CLOEXEC);
	struct err e = { 0 };
	size_t n = 0, k, sum = 0, len = mark->piece.size;

	CHECK(i, mark->new_size == files[i].size);
	CHECK(i, pread(fd, frame, len, (off_t)mark->piece.at) == (ssize_t)len);
	CHECK(i, frame_unpack(d, frame, len, NULL, 0, sig, mark->piece.raw,
			      &e) == 0);
	ours[files[i].size / 2] ^= 1;
	CHECK(i, fd_write_all(local, ours, files[i].size, &e) == 0);
	CHECK(i, delta_find(sig, mark->piece.raw, files[i].size, local,
			    files[i].size, &run, &n, &e) == 0);
	for (k = 0; k < n; k++)
		sum += run[k].len;
	CHECK_SHOW(i,
		   n == 2 && sum < files[i].size && sum + 4096 > files[i].size,
		   "%zu runs, %zu", n, sum);
}

static void
test_write(const char *dir)
{
	AUTO(manifest) m = make_tree(dir, SIZE_MAX);
	AUTO_CLOSE int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	AUTO_CLOSE int fd = memfd_create("marks", MFD_CLOEXEC);
	struct table_place place;
	AUTO(mark_table) t = NULL;
	struct err e = { 0 };
	size_t i, marked = 0;

	CHECK(0, mark_write(m, dirfd, 3, 4, fd, &place, &e) == 0);
	t = read_table(fd, &place);
	for (i = 0; t && i < ARRAY_LEN(files); i++) {
		const struct manifest_entry *f =
			manifest_find(m, files[i].path);
		const struct mark *mark = mark_find(t, f->hash.b);

		CHECK(i, !!mark == files[i].marked);
		marked += files[i].marked;
		if (mark)
			check_mark(mark, fd, i);
	}
	CHECK(0, t && t->len == marked);
}

static void
test_none(const char *dir)
{
	AUTO(manifest) m = make_tree(dir, MIB);
	AUTO_CLOSE int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	AUTO_CLOSE int fd = memfd_create("marks", MFD_CLOEXEC);
	struct table_place place = { .size = 7 };
	struct err e = { 0 };

	CHECK(0, mark_write(m, dirfd, 3, 4, fd, &place, &e) == 0);
	CHECK(0, place.size == 0 && lseek(fd, 0, SEEK_END) == 0);
}

static void
test_gone(const char *dir)
{
	AUTO(manifest) m = make_tree(dir, SIZE_MAX);
	AUTO_FREE char *path = base_printf("%s/large", dir);
	AUTO_CLOSE int dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	AUTO_CLOSE int fd = memfd_create("marks", MFD_CLOEXEC);
	struct table_place place;
	struct err e = { 0 };

	CHECK(0, truncate(path, 5) == 0);
	CHECK(0, mark_write(m, dirfd, 3, 1, fd, &place, &e) < 0);
	CHECK(0, e.kind == ERR_REFUSED && str_starts(e.text, "large: "));
	CHECK(1, unlink(path) == 0 && symlink("largest", path) == 0);
	CHECK(1, mark_write(m, dirfd, 3, 1, fd, &place, &e) < 0);
	CHECK(1, e.kind == ERR_SYS && str_starts(e.text, "large: "));
}

int
main(void)
{
	char dir[] = "/var/tmp/mark-XXXXXX";
	struct err e = { 0 };

	CHECK(0, mkdtemp(dir));
	test_none(dir);
	test_write(dir);
	test_gone(dir);
	CHECK(0, dir_remove(dir, &e) == 0);
	return test_end();
}
