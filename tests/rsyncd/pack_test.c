/* Packs of a real folder: the same bytes with any number of threads, every
 * content found again, and nothing packed that is not what was walked. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "rsyncd/frame.h"
#include "rsyncd/pack.h"
#include "rsyncd/walk.h"

#include "tests/test.h"

#define MIB ((size_t)1 << 20)

/* What is packed, in the order in which pack_order puts it. */
static const struct {
	const char *path;
	size_t size;
	unsigned noise; /* seed; 0: text that is packed well */
} files[] = {
	{ "etc/b.conf", 70, 15 }, /* what people edit, by itself */
	{ "etc/a.ko", 500 * 1024, 16 },
	{ "a/zz", 12, 1 },
	{ "b/a.conf", 100, 2 },
	{ "a/b.conf", 100, 3 },
	{ "b/b.conf", 101, 4 },
	{ "a/a.ko", 512 * 1024 - 1, 5 },
	{ "big", 512 * 1024, 6 },
	{ "a/m1.so", 7 * MIB, 7 },
	{ "a/m2.so", 7 * MIB, 0 },
	{ "a/m3.so", 7 * MIB, 8 },
	{ "a/m4.so", 8 * MIB - 1, 9 },
	{ "a/n1.so", 5 * MIB, 12 },
	{ "a/n2.so", 2 * MIB, 13 },
	{ "a/n3.so", 2 * MIB, 14 }, /* does not fit to n1, n2 */
	{ "a/large", 8 * MIB, 10 }, /* has its own frames, of 2 MiB */
	{ "b/large2", 9 * MIB + 1, 11 },
};

static const size_t frames_want[] = {
	/* 1 MiB: those of etc, the first five; 2 MiB: one; else 2 and 4 MiB:
	   each too large for it */
	500 * 1024 + 70,
	MIB / 2 + 312,
	MIB / 2,
	7 * MIB,
	7 * MIB,
	7 * MIB,
	8 * MIB - 1,
	/* 8 MiB: n1 and n2, n3 */
	7 * MIB,
	2 * MIB,
	/* four of large, five of large2 */
	2 * MIB,
	2 * MIB,
	2 * MIB,
	2 * MIB,
	2 * MIB,
	2 * MIB,
	2 * MIB,
	2 * MIB,
	MIB + 1,
};

static char top[] = "/tmp/edeploy-pack-XXXXXX";

struct set {
	struct manifest *m;
	struct contents *c;
	const struct content **want;
	size_t len;
	int dirfd;
};

static char *
bytes_of(size_t i)
{
	char *out = base_alloc(files[i].size + 1);
	unsigned seed = files[i].noise;
	size_t k;

	for (k = 0; k < files[i].size; k++) {
		seed = seed * 1103515245 + 12345;
		out[k] = files[i].noise ? (char)(seed >> 16) : (char)(k / 999);
	}
	return out;
}

static void
write_one(size_t i)
{
	AUTO_FREE char *path = base_printf("%s/%s", top, files[i].path);
	AUTO_FREE char *bytes = bytes_of(i);
	struct err e = { 0 };

	CHECK_SHOW(i, file_write(path, bytes, files[i].size, 0644, &e) == 0,
		   "%s", e.text);
}

static void
set_open(struct set *s)
{
	struct walk_opts opts = { .dir = top };
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++)
		write_one(i);
	CHECK_SHOW(0, walk(&opts, &s->m, &e) == 0, "%s", e.text);
	s->c = contents_of(s->m);
	s->len = contents_len(s->c);
	s->want = base_array(s->len, sizeof(struct content *));
	for (i = 0; i < s->len; i++)
		s->want[i] = contents_at(s->c, i);
	pack_order(s->want, s->len);
	s->dirfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
set_close(struct set *s)
{
	close(s->dirfd);
	free(s->want);
	contents_free(s->c);
	manifest_free(s->m);
}

static uint64_t told, told_all;

static void
keep(void *ctx, uint64_t done, uint64_t all)
{
	(void)ctx;
	told = done;
	told_all = all;
}

/* A pack in memory. */
static char *
pack(const struct set *s, int threads, size_t *len, struct table_place *place,
     struct pack_table **table)
{
	struct pack_opts opts = { .dirfd = s->dirfd,
				  .want = s->want,
				  .want_len = s->len,
				  .level = 1,
				  .threads = threads,
				  .progress = keep };
	AUTO_FREE char *path = base_printf("%s.pack", top);
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct err e = { 0 };
	char *text = NULL;

	CHECK_SHOW(threads, pack_write(&opts, fd, place, table, &e) == 0, "%s",
		   e.text);
	CHECK(threads, file_read(path, 64 * MIB, &text, len, &e) == 0);
	unlink(path);
	return text;
}

static void
test_order(const struct set *s)
{
	size_t i;

	CHECK(0, s->len == ARRAY_LEN(files));
	for (i = 0; i < s->len; i++)
		CHECK_SHOW(i, str_eq(s->want[i]->first->path, files[i].path),
			   "%s", s->want[i]->first->path);
}

/* All frames decoded, as one piece of memory. */
static char *
unpack(const char *bytes, const struct pack_table *t)
{
	AUTO(frame_decoder) d = frame_decoder_new();
	char *raw = base_alloc(64 * MIB);
	struct digest hash;
	size_t i;

	for (i = 0; i < t->frames; i++) {
		const struct pack_frame *f = &t->frame[i];
		struct err e = { 0 };

		digest_of(bytes + f->at, f->size, &hash);
		CHECK(i, digest_eq(&hash, &f->hash));
		CHECK_SHOW(i,
			   frame_unpack(d, bytes + f->at, f->size, NULL, 0,
					raw + f->raw_at, f->raw, &e) == 0,
			   "%s", e.text);
	}
	return raw;
}

static void
check_table(const char *bytes, size_t len, const struct table_place *place,
	    const struct pack_table *told_table)
{
	AUTO(pack_table) t = NULL;
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *raw = NULL;
	struct digest hash;
	struct err e = { 0 };
	size_t i;

	CHECK(0, place->size == len);
	digest_of(bytes + place->at, len - place->at, &hash);
	CHECK(0, digest_eq(&hash, &place->hash));
	CHECK(0, frame_unpack_text(bytes + place->at, len - place->at,
				   place->raw, &text, &e) == 0);
	CHECK_SHOW(0,
		   pack_table_parse(&t, text, place->raw, place->at, "t", &e) ==
			   0,
		   "%s", e.text);
	CHECK(0, t->frames == told_table->frames &&
			 memcmp(t->frame, told_table->frame,
				t->frames * sizeof(*t->frame)) == 0);
	CHECK(0, t->frames == ARRAY_LEN(frames_want));
	for (i = 0; i < t->frames && i < ARRAY_LEN(frames_want); i++)
		CHECK(i, t->frame[i].raw == frames_want[i]);
	raw = unpack(bytes, t);
	CHECK(0, t->blobs == ARRAY_LEN(files));
	for (i = 0; i < t->blobs; i++) {
		AUTO_FREE char *want = bytes_of(i);

		CHECK(i, t->blob[i].size == files[i].size &&
				 memcmp(raw + t->blob[i].at, want,
					files[i].size) == 0);
	}
}

static void
test_threads(const struct set *s)
{
	AUTO(pack_table) table = NULL;
	struct table_place place, again;
	size_t len, len2;
	AUTO_FREE char *one = pack(s, 1, &len, &place, &table);
	int threads;

	check_table(one, len, &place, table);
	CHECK(0, told == s->m->bytes && told_all == s->m->bytes);
	for (threads = 0; threads < 6; threads++) {
		AUTO_FREE char *more = pack(s, threads, &len2, &again, NULL);

		CHECK(threads, len2 == len && memcmp(more, one, len) == 0);
		CHECK(threads, memcmp(&place, &again, sizeof(place)) == 0);
	}
}

static void
test_nothing(const struct set *s)
{
	struct set none = { .dirfd = s->dirfd };
	AUTO(pack_table) t = NULL;
	struct table_place place;
	size_t len;
	AUTO_FREE char *bytes = pack(&none, 2, &len, &place, &t);

	CHECK(0, t && t->frames == 0 && t->blobs == 0 && place.at == 0 &&
			 place.size == len);
}

/* Done to a file after it was walked. */
static const struct {
	const char *what, *path, *want;
} changes[] = {
	{ "rewrite", "a/b.conf", "a/b.conf changed since" },
	{ "append", "a/b.conf", "a/b.conf changed since" },
	{ "append", "b/large2", "b/large2 changed since" },
	{ "truncate", "a/b.conf", "a/b.conf changed since" },
	{ "truncate", "b/large2", "b/large2 changed since" },
	{ "remove", "a/b.conf", "a/b.conf changed since" },
	{ "link", "a/b.conf", "a/b.conf changed since" },
	{ "pipe", "a/b.conf", "a/b.conf changed since" },
	{ "folder", "a/b.conf", "a/b.conf: Is a directory" },
};

static void
do_change(const char *what, const char *path)
{
	AUTO_FREE char *other = base_printf("%s/b/b.conf", top);
	struct err e = { 0 };

	if (str_eq(what, "rewrite")) {
		AUTO_FREE char *zeros = base_alloc(100);

		file_write(path, zeros, 100, 0644, &e);
		return;
	}
	if (str_eq(what, "append")) {
		file_append(path, "x", 1, 0644, &e);
		return;
	}
	if (str_eq(what, "truncate")) {
		CHECK(0, truncate(path, 99) == 0);
		return;
	}
	unlink(path);
	if (str_eq(what, "link"))
		CHECK(0, symlink(other, path) == 0);
	if (str_eq(what, "pipe"))
		CHECK(0, mkfifo(path, 0600) == 0);
	if (str_eq(what, "folder"))
		CHECK(0, mkdir(path, 0700) == 0);
}

static void
test_changes(const struct set *s)
{
	struct pack_opts opts = { .dirfd = s->dirfd,
				  .want = s->want,
				  .want_len = s->len,
				  .level = 1 };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(changes); i++) {
		AUTO_FREE char *path =
			base_printf("%s/%s", top, changes[i].path);
		AUTO_CLOSE int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		struct table_place place;
		struct err e = { 0 };

		do_change(changes[i].what, path);
		CHECK(i, pack_write(&opts, fd, &place, NULL, &e) < 0);
		CHECK(i, e.kind == (strstr(changes[i].want, "Is a dir")
					    ? ERR_SYS
					    : ERR_REFUSED));
		CHECK_SHOW(i, strstr(e.text, changes[i].want), "%s", e.text);
		dir_remove(path, &e);
		unlink(path);
		for (k = 0; k < ARRAY_LEN(files); k++)
			if (str_eq(files[k].path, changes[i].path))
				write_one(k);
	}
}

static void
test_full_disk(const struct set *s)
{
	struct pack_opts opts = { .dirfd = s->dirfd,
				  .want = s->want,
				  .want_len = s->len,
				  .level = 1 };
	AUTO_CLOSE int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct table_place place;
	struct err e = { 0 };

	CHECK(0, pack_write(&opts, fd, &place, NULL, &e) < 0);
	CHECK_SHOW(0, e.kind == ERR_SYS && strstr(e.text, "No space left"),
		   "%s", e.text);
}

int
main(void)
{
	struct set s = { 0 };
	struct err e = { 0 };

	CHECK(0, mkdtemp(top) != NULL);
	set_open(&s);
	test_order(&s);
	test_threads(&s);
	test_nothing(&s);
	test_full_disk(&s);
	test_changes(&s);
	set_close(&s);
	CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
