/* A small release in the hands of somebody who wants another one installed:
 * each byte of each file changed, each length cut, files exchanged with those
 * of the version beside it, old ones brought back. What is installed is what
 * was signed, or nothing is. */
#include <sys/stat.h>

#include "rsyncd/pull.h"

#include "tests/rsyncd/shop.h"
#include "tests/test.h"

#define FILES_MAX 16

static char top[64];
static struct shop shop;
static char root1[HASH_HEX], root2[HASH_HEX];

/* What came of a pull. */
enum end { REFUSED, RIGHT, WRONG };

/* A published file as it should be. */
struct good {
	char *path; /* below the trees */
	char *bytes;
	size_t len;
};

struct release {
	struct good file[FILES_MAX];
	size_t len;
};

/* ---- trees ---- */

static void
put(const char *dir, const char *path, unsigned seed, size_t len, size_t other)
{
	const struct timespec fixed[2] = { { 1700000000, 5 },
					   { 1700000000, 5 } };
	AUTO_FREE char *full = base_printf("%s/%s/%s", top, dir, path);
	AUTO_FREE char *bytes = base_alloc(len);
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		bytes[i] = (char)(seed >> 16);
	}
	if (len > 0)
		bytes[len / 2] ^= (char)other;
	shop_must(file_write(full, bytes, len, 0644, &e), &e);
	if (utimensat(AT_FDCWD, full, fixed, 0) < 0)
		abort();
}

/* Folders get their time from what is written into them: the last. */
static void
make_tree(const char *dir, size_t version, char root[HASH_HEX])
{
	static const char *const folders[] = { "bin", "lib", "." };
	const struct timespec fixed[2] = { { 1700000000, 5 },
					   { 1700000000, 5 } };
	AUTO(manifest) m = NULL;
	AUTO_FREE char *full = base_printf("%s/%s", top, dir);
	size_t i;

	put(dir, "bin/same", 1, 300, 0);
	put(dir, "lib/changed", 2, 500, version);
	put(dir, version == 1 ? "lib/old" : "lib/new", 3, 200, version);
	put(dir, "empty", 4, 0, 0);
	for (i = 0; i < ARRAY_LEN(folders); i++) {
		AUTO_FREE char *at = base_printf("%s/%s", full, folders[i]);

		if (utimensat(AT_FDCWD, at, fixed, 0) < 0)
			abort();
	}
	m = shop_walk(full);
	snprintf(root, HASH_HEX, "%s", m->root);
}

/* ---- pulls ---- */

struct ask {
	const char *version, *base; /* base: a folder below top */
	const char *record;         /* of `into`, kept from pull to pull */
	const char *root;           /* what may come of it */
	enum pull_share share;
	bool base_record;
	uint64_t serial_min;
};

static uint64_t mended; /* files, by signature, of the last pull */

static enum end
try(const struct ask *a, struct err *e)
{
	AUTO_FREE char *into = base_printf("%s/into", top);
	AUTO_FREE char *base = base_printf("%s/%s", top, a->base);
	AUTO_FREE char *rec = base_printf("%s/%s", top, a->record);
	AUTO_FREE char *base_rec = base_printf("%s.rec", base);
	AUTO(manifest) m = NULL;
	struct pull_opts o = { .source = { .where = shop.top, .tries = 1 },
			       .trust = &shop.trust,
			       .role = "role",
			       .version = a->version,
			       .into = into,
			       .base = a->base ? base : NULL,
			       .base_record = a->base_record ? base_rec : NULL,
			       .record = a->record ? rec : NULL,
			       .share = a->share,
			       .serial_min = a->serial_min,
			       .strict = true,
			       .threads = 1 };
	struct pull_result r;
	struct err gone = { 0 };

	shop_must(dir_remove(into, &gone), &gone);
	*e = (struct err){ 0 };
	if (pull(&o, &r, e) < 0)
		return REFUSED;
	mended = r.marks;
	m = shop_walk(into);
	return str_eq(m->root, a->root) && str_eq(r.root, a->root) ? RIGHT
								   : WRONG;
}

/* ---- the release ---- */

static void
keep(struct release *r, const char *path)
{
	AUTO_FREE char *full = base_printf("%s/%s", shop.top, path);
	struct good *g = &r->file[r->len++];
	struct err e = { 0 };

	g->path = base_strdup(path);
	shop_must(file_read(full, 4 << 20, &g->bytes, &g->len, &e), &e);
}

static void
keep_version(struct release *r, const char *version)
{
	AUTO_FREE char *dir = base_printf("%s/role/%s", shop.top, version);
	char **names = dir_names(dir);
	size_t i;

	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *path =
			base_printf("role/%s/%s", version, names[i]);

		keep(r, path);
	}
	names_free(names);
}

static void
release_clear(struct release *r)
{
	while (r->len-- > 0) {
		free(r->file[r->len].path);
		free(r->file[r->len].bytes);
	}
}

static const struct good *
find(const struct release *r, const char *part)
{
	size_t i;

	for (i = 0; i < r->len; i++)
		if (strstr(r->file[i].path, part))
			return &r->file[i];
	abort();
}

static bool
is_delta(const struct good *g)
{
	return strstr(g->path, "/from-") != NULL;
}

/* Bytes in the place of a good file for one pull, and the good ones again. */
static enum end
try_bent(const struct ask *a, const struct good *g, const char *bytes,
	 size_t len, struct err *e)
{
	enum end end;

	shop_write(&shop, g->path, bytes, len);
	end = try(a, e);
	shop_write(&shop, g->path, g->bytes, g->len);
	return end;
}

/* ---- bytes and lengths ---- */

struct tally {
	size_t refused, right, wrong;
};

static void
count(struct tally *t, enum end end, const struct good *g, size_t at,
      const struct err *e)
{
	t->refused += end == REFUSED;
	t->right += end == RIGHT;
	t->wrong += end == WRONG;
	if (end == REFUSED && (e->kind == ERR_NONE || !*e->text)) {
		printf("# %s at %zu: refused without a word\n", g->path, at);
		t->wrong++;
	}
	if (end == WRONG)
		printf("# %s at %zu: installed!\n", g->path, at);
}

static void
bend_all(const struct ask *a, const struct good *g, struct tally *t)
{
	AUTO_FREE char *bent = base_strndup(g->bytes, g->len);
	struct err e;
	size_t i;

	for (i = 0; i < g->len; i++) {
		bent[i] ^= (char)(1 << i % 8);
		count(t, try_bent(a, g, bent, g->len, &e), g, i, &e);
		bent[i] = g->bytes[i];
	}
	for (i = 0; i < g->len; i++)
		count(t, try_bent(a, g, g->bytes, i, &e), g, i, &e);
}

/* A delta that is damaged is one way less: frames are still there. All else is
 * needed by an installation, so nothing can come of it. */
static void
test_bytes(const struct release *r)
{
	const struct ask install = { .version = "2", .root = root2 };
	const struct ask upgrade = { .version = "2",
				     .base = "t1",
				     .root = root2 };
	const struct ask newest = { .root = root2 };
	const struct good *g;
	size_t i;

	for (i = 0; i < r->len; i++) {
		struct tally t = { 0 };
		const struct ask *a = &install;

		g = &r->file[i];
		if (is_delta(g))
			a = &upgrade;
		else if (str_eq(g->path, "role/HEAD"))
			a = &newest;
		bend_all(a, g, &t);
		printf("# %s: %zu refused, %zu installed right\n", g->path,
		       t.refused, t.right);
		CHECK(i, t.wrong == 0);
		CHECK(i, t.refused + t.right == 2 * g->len);
		CHECK(i, is_delta(g) ? t.right > 0 : t.right == 0);
	}
}

/* The same of what an upgrade may read or not: never a wrong tree. */
static void
test_upgrade_bytes(const struct release *r)
{
	const struct ask a = { .version = "2", .base = "t1", .root = root2 };
	struct tally t = { 0 };
	struct err e;
	size_t i, k;

	for (i = 0; i < r->len; i++) {
		const struct good *g = &r->file[i];
		AUTO_FREE char *bent = base_strndup(g->bytes, g->len);

		for (k = i % 5; k < g->len; k += 5) {
			bent[k] ^= (char)0x80;
			count(&t, try_bent(&a, g, bent, g->len, &e), g, k, &e);
			bent[k] = g->bytes[k];
		}
		/* something behind the end: the NUL of the copy */
		count(&t, try_bent(&a, g, bent, g->len + 1, &e), g, g->len, &e);
	}
	CHECK(0, t.wrong == 0 && t.refused > 0 && t.right > 0);
}

/* ---- files in each other's place ---- */

static void
test_exchange(const struct release *one, const struct release *two)
{
	const struct ask a = { .version = "2", .root = root2 };
	const struct ask up = { .version = "2", .base = "t1", .root = root2 };
	size_t i, k;

	for (i = 0; i < two->len; i++)
		for (k = 0; k < one->len + two->len; k++) {
			const struct good *g = &two->file[i];
			const struct good *other =
				k < one->len ? &one->file[k]
					     : &two->file[k - one->len];
			struct err e;
			enum end end;

			if (str_eq(g->path, "role/HEAD") ||
			    (g->len == other->len &&
			     memcmp(g->bytes, other->bytes, g->len) == 0))
				continue;
			end = try_bent(is_delta(g) ? &up : &a, g, other->bytes,
				       other->len, &e);
			CHECK_SHOW(i * 100 + k,
				   end == (is_delta(g) ? RIGHT : REFUSED),
				   "%s in the place of %s: %s", other->path,
				   g->path, e.text);
		}
}

/* ---- what was signed, once ---- */

static void
test_replay(const struct release *one, const struct release *two)
{
	const struct good *head = find(two, "role/HEAD");
	const struct good *head1 = find(one, "role/1/HEAD");
	const struct good *head2 = find(two, "role/2/HEAD");
	const struct good *seal2 = find(two, "role/2/seal-");
	const struct ask blind = { .root = root1 };
	const struct ask serial = { .root = root1, .serial_min = 2 };
	const struct ask has2 = { .root = root1,
				  .base = "into2",
				  .base_record = true };
	struct ask rec = { .version = "2", .root = root2, .record = "rec2" };
	struct shop_version again = { .version = "2",
				      .serial = 2,
				      .revision = 2 };
	AUTO_FREE char *dir = base_printf("%s/t2", top);
	AUTO_FREE char *from = base_printf("%s/into", top);
	AUTO_FREE char *to = base_printf("%s/into2", top);
	struct release later = { 0 };
	struct err e;

	/* who knows nothing cannot know that there is something newer; what
	 * is installed is what was signed then */
	CHECK(0, try_bent(&blind, head, head1->bytes, head1->len, &e) == RIGHT);
	CHECK(1,
	      try_bent(&serial, head, head1->bytes, head1->len, &e) == REFUSED);
	CHECK_SHOW(1, e.kind == ERR_REFUSED && strstr(e.text, "serial"), "%s",
		   e.text);
	/* a later packing of version 2, and a host that has it */
	again.dir = dir;
	shop.frame_raw = 333;
	shop_publish(&shop, &again);
	keep_version(&later, "2");
	CHECK(2, try(&rec, &e) == RIGHT);
	CHECK(3,
	      try_bent(&rec, head2, head2->bytes, head2->len, &e) == REFUSED);
	CHECK_SHOW(3, e.kind == ERR_REFUSED && strstr(e.text, "revision"), "%s",
		   e.text);
	/* (that left the old HEAD there; put the later one back) */
	head2 = find(&later, "role/2/HEAD");
	shop_write(&shop, head2->path, head2->bytes, head2->len);
	CHECK(4, try(&rec, &e) == RIGHT);
	/* the old seal under the later one's name */
	rec.record = NULL;
	{
		AUTO_FREE char *name =
			base_printf("role/2/seal-%.64s",
				    strstr(head2->bytes, "\nseal ") + 6);
		const struct good *live = find(&later, name);

		CHECK(5, try_bent(&rec, live, seal2->bytes, seal2->len, &e) ==
				 REFUSED);
	}
	/* a host of version 2 is told that 1 is the newest */
	CHECK(6, try(&rec, &e) == RIGHT && rename(from, to) == 0);
	{
		AUTO_FREE char *a = base_printf("%s/rec2", top);
		AUTO_FREE char *b = base_printf("%s/into2.rec", top);

		CHECK(6, rename(a, b) == 0);
	}
	CHECK(7,
	      try_bent(&has2, head, head1->bytes, head1->len, &e) == REFUSED);
	CHECK_SHOW(7, e.kind == ERR_REFUSED && strstr(e.text, "older"), "%s",
		   e.text);
	release_clear(&later);
}

/* Signed by somebody, but by nobody who is trusted. */
static void
test_other_key(void)
{
	const struct ask a = { .version = "2", .root = root2 };
	AUTO_FREE char *other = base_printf("%s/other", top);
	AUTO_FREE char *dir = base_printf("%s/t2", top);
	struct shop_version v = { .version = "2", .serial = 9, .dir = dir };
	struct shop mine = shop, theirs;
	struct err e = { 0 };

	shop_must(dir_make(other, 0755, &e), &e);
	shop_open(&theirs, other, 512);
	shop_publish(&theirs, &v);
	memcpy(shop.top, theirs.top, sizeof(shop.top));
	CHECK(0, try(&a, &e) == REFUSED);
	CHECK_SHOW(0, e.kind == ERR_REFUSED, "%s", e.text);
	shop.trust = theirs.trust;
	CHECK(1, try(&a, &e) == RIGHT); /* it was the key alone */
	shop = mine;
}

/* ---- a base that is not what it seems ---- */

/* Bytes of the base changed under the same size and time. */
static void
test_base(void)
{
	static const char *const paths[] = { "bin/same", "lib/changed",
					     "lib/old" };
	const struct timespec fixed[2] = { { 1700000000, 5 },
					   { 1700000000, 5 } };
	struct tally t = { 0 };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(paths); i++) {
		struct good g = { .path = base_strdup(paths[i]) };
		AUTO_FREE char *full = base_printf("%s/t1/%s", top, paths[i]);
		struct err e = { 0 };

		shop_must(file_read(full, 1 << 20, &g.bytes, &g.len, &e), &e);
		for (k = 0; k < g.len; k += 7) {
			struct ask a = { .version = "2",
					 .base = "t1",
					 .share = k % 3 == 0 ? PULL_COPY
							     : PULL_LINK,
					 .root = root2 };
			AUTO_CLOSE int fd = open(full, O_WRONLY | O_CLOEXEC);
			char bent = (char)(g.bytes[k] ^ 1);

			if (pwrite(fd, &bent, 1, (off_t)k) != 1 ||
			    futimens(fd, fixed) < 0)
				abort();
			count(&t, try(&a, &e), &g, k, &e);
			if (pwrite(fd, g.bytes + k, 1, (off_t)k) != 1 ||
			    futimens(fd, fixed) < 0)
				abort();
		}
		free(g.path);
		free(g.bytes);
	}
	CHECK_SHOW(0, t.wrong == 0 && t.refused == 0 && t.right > 100,
		   "%zu wrong, %zu refused, %zu right", t.wrong, t.refused,
		   t.right);
}

/* ---- signatures ---- */

/* A large file that has drifted is mended by signature. Now the signatures
 * are another's. */
static void
test_marks(void)
{
	AUTO_FREE char *dir = base_printf("%s/t3", top);
	char root[HASH_HEX];
	const struct ask a = { .version = "3", .base = "b3", .root = root };
	const struct shop_version v = {
		.version = "3", .serial = 3, .dir = dir, .marks = true
	};
	struct release r = { 0 };
	struct tally t = { 0 };
	const struct good *g;
	struct err e;
	size_t i;

	put("t3", "lib/large", 5, 1200000, 0);
	put("b3", "lib/large", 5, 1200000, 1);
	make_tree("t3", 3, root);
	make_tree("b3", 3, (char[HASH_HEX]){ 0 });
	shop.frame_raw = 65536;
	shop_publish(&shop, &v);
	keep_version(&r, "3");
	CHECK(0, try(&a, &e) == RIGHT && mended == 1);
	g = find(&r, "/marks-");
	for (i = 0; i < g->len; i += 1 + g->len / 150) {
		AUTO_FREE char *bent = base_strndup(g->bytes, g->len);

		bent[i] ^= (char)(1 << i % 8);
		count(&t, try_bent(&a, g, bent, g->len, &e), g, i, &e);
		count(&t, try_bent(&a, g, g->bytes, i, &e), g, i, &e);
	}
	printf("# marks: %zu refused, %zu installed right\n", t.refused,
	       t.right);
	CHECK(1, t.wrong == 0 && t.right > 100);
	release_clear(&r);
}

static void
open_shop(void)
{
	/* a release in memory: each pull ends in a sync of its file system */
	snprintf(top, sizeof(top), "%s/edeploy-tamper-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(top))
		abort();
	shop_open(&shop, top, 512);
	make_tree("t1", 1, root1);
	make_tree("t2", 2, root2);
}

int
main(void)
{
	struct release one = { 0 }, two = { 0 };
	struct err e = { 0 };

	open_shop();
	{
		AUTO_FREE char *t1 = base_printf("%s/t1", top);
		AUTO_FREE char *t2 = base_printf("%s/t2", top);
		const struct shop_version v1 = { .version = "1",
						 .dir = t1,
						 .serial = 1 };
		const struct shop_version v2 = { .version = "2",
						 .dir = t2,
						 .serial = 2,
						 .from = { "1" },
						 .from_dir = { t1 } };

		shop_publish(&shop, &v1);
		keep_version(&one, "1");
		shop_publish(&shop, &v2);
		keep_version(&two, "2");
		keep(&two, "role/HEAD");
	}
	test_bytes(&two);
	test_upgrade_bytes(&two);
	test_exchange(&one, &two);
	test_base();
	test_other_key();
	test_replay(&one, &two);
	test_marks();
	release_clear(&one);
	release_clear(&two);
	CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
