/* What marks are worth: a file of 100 MB that has drifted in three places is
 * brought to what was published, with its marks and without. */
#include <sys/stat.h>

#include "rsyncd/pull.h"
#include "tests/rsyncd/shop.h"
#include "tests/test.h"

#define MIB (1UL << 20)
#define SIZE (100 * MIB)
#define FRAME (2 * MIB) /* as publish cuts large files */
#define BLOCK 4096

static char top[] = "/var/tmp/drift-XXXXXX";

static void
noise(char *b, size_t len, uint64_t x)
{
	size_t i;

	for (i = 0; i < len; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(b + i, &x, 8);
	}
}

/* How the local copy has drifted; what may be fetched for it. */
static const struct {
	const char *what;
	size_t changed;       /* blocks */
	size_t inserted;      /* bytes, at the third block's place */
	bool marks;           /* published */
	uint64_t least, most; /* wire */
} rows[] = {
	{ "with marks", 3, 0, true, 3 * FRAME, 3 * FRAME + MIB },
	{ "moved by 77 bytes", 3, 77, true, 3 * FRAME, 3 * FRAME + MIB },
	{ "without marks", 3, 0, false, SIZE, SIZE + MIB },
};

static char *
in_top(const char *a, size_t i)
{
	return base_printf("%s/%s%zu", top, a, i);
}

static void
put(const char *dir, const char *bytes, size_t len)
{
	AUTO_FREE char *path = base_printf("%s/big", dir);
	struct err e = { 0 };

	shop_must(file_write(path, bytes, len, 0644, &e), &e);
}

/* A folder with the drifted file, which was never published. */
static void
make_drifted(size_t i, const char *dir, const char *bytes)
{
	size_t at = 60 * MIB, k, len = SIZE + rows[i].inserted;
	AUTO_FREE char *ours = base_alloc(len);

	memcpy(ours, bytes, at);
	memcpy(ours + at + rows[i].inserted, bytes + at, SIZE - at);
	for (k = 1; k <= rows[i].changed; k++)
		noise(ours + k * 20 * MIB, BLOCK, k);
	put(dir, ours, len);
}

static void
check_row(size_t i, const struct shop *shop, const char *bytes)
{
	AUTO_FREE char *base = in_top("base", i), *into = in_top("into", i);
	AUTO_FREE char *got = NULL, *path = base_printf("%s/big", into);
	struct pull_opts o = { .source.where = shop->top,
			       .trust = &shop->trust,
			       .role = "role",
			       .version = rows[i].marks ? "marked" : "plain",
			       .into = into,
			       .base = base };
	struct pull_result r = { 0 };
	struct err e = { 0 };
	size_t len = 0;

	make_drifted(i, base, bytes);
	CHECK_SHOW(i, pull(&o, &r, &e) == 0, "%s", e.text);
	CHECK(i, r.marks == rows[i].marks);
	CHECK_SHOW(i, r.wire >= rows[i].least && r.wire <= rows[i].most,
		   "%llu bytes", (unsigned long long)r.wire);
	printf("# %s: %llu bytes of %lu\n", rows[i].what,
	       (unsigned long long)r.wire, SIZE);
	CHECK(i, file_read(path, SIZE, &got, &len, &e) == 0);
	CHECK(i, len == SIZE && memcmp(got, bytes, SIZE) == 0);
	shop_must(dir_remove(into, &e), &e);
	shop_must(dir_remove(base, &e), &e);
}

int
main(void)
{
	AUTO_FREE char *bytes = base_alloc(SIZE), *tree = NULL;
	struct err e = { 0 };
	struct shop shop;
	size_t i;

	if (geteuid() != 0) {
		test_skip("a tree's owners are its files': needs root");
		return test_end();
	}
	if (!mkdtemp(top))
		abort();
	tree = in_top("tree", 0);
	noise(bytes, SIZE, 88172645463325252ULL);
	put(tree, bytes, SIZE);
	shop_open(&shop, top, FRAME);
	shop_publish(&shop, &(struct shop_version){ .version = "plain",
						    .dir = tree,
						    .serial = 1 });
	shop_publish(&shop, &(struct shop_version){ .version = "marked",
						    .dir = tree,
						    .serial = 2,
						    .marks = true });
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i, &shop, bytes);
	shop_must(dir_remove(top, &e), &e);
	return test_end();
}
