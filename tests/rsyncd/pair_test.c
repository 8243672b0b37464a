/* Which old content a new one is made of. */
#include "lib/base.h"

#include "rsyncd/patch_pair.h"

#include "tests/test.h"

static const struct {
	const char *path, *want;
} keys[] = {
	{ "bin/su", "bin/su" },
	{ "lib/modules/6.1.0-50-cloud-amd64/a.ko",
	  "lib/modules/#-cloud-amd#/a.ko" },
	{ "usr/lib/libssl.so.3", "usr/lib/libssl.so.#" },
	{ "usr/lib/libssl.so.1.1", "usr/lib/libssl.so.#" },
	{ "doc/pkg_3.11.2-1+deb12u5.list", "doc/pkg_#+deb#u#.list" },
	{ "1", "#" },
	{ "1.", "#." },
	{ "a1:2~3", "a#" },
	{ "", "" },
};

static void
test_keys(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		AUTO_CLEAR(buf) b = { 0 };

		patch_pair_key(keys[i].path, &b);
		CHECK_SHOW(i, str_eq(buf_text(&b), keys[i].want), "%s",
			   buf_text(&b));
	}
}

/* A file of a tree; equal text is equal content. */
struct file {
	const char *path, *text;
	uint64_t size;
};

static struct manifest *
tree_of(const struct file *f, size_t n)
{
	struct manifest *m = manifest_new();
	struct manifest_entry dir = { .type = 'd', .mode = 0755, .path = "." };
	struct err e = { 0 };
	size_t i;

	manifest_add(m, &dir);
	dir.path = "a";
	manifest_add(m, &dir);
	dir.path = "b";
	manifest_add(m, &dir);
	for (i = 0; i < n; i++) {
		struct manifest_entry entry = { .type = 'f',
						.mode = 0644,
						.path = f[i].path,
						.size = f[i].size };

		digest_of(f[i].text, strlen(f[i].text), &entry.hash);
		manifest_add(m, &entry);
	}
	CHECK(0, manifest_seal(m, &e) == 0);
	return m;
}

static const struct file old_files[] = {
	{ "a/same", "same", 10 },
	{ "a/moved", "moved", 10 },
	{ "a/changed", "changed", 10 },
	{ "a/lib-1.2.so", "lib 1.2", 500 },
	{ "a/lib-1.3.so", "lib 1.3", 700 },
	{ "a/README", "readme of a", 100 },
	{ "b/README", "readme of b", 200 },
	{ "b/empty", "", 0 },
	{ "b/x1", "x", 50 },
};

static const struct file new_files[] = {
	{ "a/same", "same", 10 },
	{ "b/moved-here", "moved", 10 },
	{ "a/changed", "changed now", 11 },
	{ "a/lib-1.4.so", "lib 1.4", 690 },
	{ "a/lib-0.9.so", "lib 0.9", 1 },
	{ "b/lib-2.so", "lib 2", 590 },
	{ "README", "a readme", 160 },
	{ "b/empty", "not empty", 5 },
	{ "b/strange", "strange", 5 },
	/* the first path has no partner, the second has */
	{ "a/zzz", "x now", 51 },
	{ "b/x1", "x now", 51 },
};

/* In the new manifest's order. */
static const struct {
	const char *new, *old; /* path of each one's first entry */
} pairs[] = {
	{ "README", "b/README" },     /* base name, 200 is nearer than 100 */
	{ "a/changed", "a/changed" }, /* same path */
	{ "a/lib-0.9.so", "a/lib-1.2.so" }, /* collapsed, nearest */
	{ "a/lib-1.4.so", "a/lib-1.3.so" },
	{ "a/zzz", "b/x1" },              /* by its other path */
	{ "b/empty", NULL },              /* nothing is made of an empty file */
	{ "b/lib-2.so", "a/lib-1.2.so" }, /* base name collapsed, of 590 */
	{ "b/strange", NULL },
};

static void
test_pairs(void)
{
	AUTO(manifest) old = tree_of(old_files, ARRAY_LEN(old_files));
	AUTO(manifest) new = tree_of(new_files, ARRAY_LEN(new_files));
	AUTO(contents) olds = contents_of(old);
	AUTO(contents) news = contents_of(new);
	AUTO_FREE struct patch_pair *pair = NULL;
	size_t n = patch_pairs(old, olds, new, news, &pair), i;

	CHECK(0, n == ARRAY_LEN(pairs));
	for (i = 0; i < n && i < ARRAY_LEN(pairs); i++) {
		const char *was = pair[i].old ? pair[i].old->first->path : NULL;

		CHECK_SHOW(i, str_eq(pair[i].new->first->path, pairs[i].new),
			   "%s", pair[i].new->first->path);
		CHECK_SHOW(i, str_eq(was, pairs[i].old), "%s of %s",
			   pairs[i].new, was ? was : "nothing");
	}
}

int
main(void)
{
	test_keys();
	test_pairs();
	return test_end();
}
