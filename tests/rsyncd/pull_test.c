/* Pulls of every way, from a folder, between trees with all that a tree can
 * have. What comes out is compared by verify and by rsync, which knows nothing
 * of us. */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "lib/proc.h"
#include "rsyncd/pull.h"
#include "tests/rsyncd/shop.h"
#include "tests/test.h"

#define BIG (3UL << 20)

static char top[] = "/tmp/pull_test.XXXXXX";
static struct shop shop;
static bool have_rsync;

static char *
in_top(const char *path)
{
	return base_printf("%s/%s", top, path);
}

/* ---- trees ---- */

static void
put(const char *dir, const char *path, const void *bytes, size_t len,
    mode_t mode)
{
	AUTO_FREE char *full = base_printf("%s/%s/%s", top, dir, path);
	struct err e = { 0 };

	unlink(full);
	shop_must(file_write(full, bytes, len, 0600, &e), &e);
	if (chmod(full, mode) < 0)
		abort();
}

static void
text(const char *dir, const char *path, const char *words)
{
	put(dir, path, words, strlen(words), 0644);
}

/* Bytes that do not compress, from a seed; every `step`th changed. */
static void
noise(const char *dir, const char *path, size_t len, unsigned seed, size_t step)
{
	AUTO_FREE char *b = base_alloc(len);
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1103515245u + 12345u;
		b[i] = (char)(seed >> 16);
	}
	for (i = step / 2; step && i < len; i += step)
		b[i] ^= 1;
	put(dir, path, b, len, 0640);
}

static void
in_dir(const char *dir, const char *path, char out[512])
{
	snprintf(out, 512, "%s/%s/%s", top, dir, path);
}

static void
must(int bad)
{
	if (bad != 0) {
		perror("pull_test");
		abort();
	}
}

static void
specials(const char *dir)
{
	char a[512], b[512];
	char *hole = base_alloc(1 << 20);

	in_dir(dir, "bin/su", a);
	in_dir(dir, "bin/sulogin", b);
	must(link(a, b));
	must(chown(a, 0, 12));
	must(chmod(a, 04755));
	in_dir(dir, "etc/mtab", b);
	must(symlink("../proc/mounts", b));
	must(lchown(b, 5, 6));
	in_dir(dir, "dev", b);
	must(mkdir(b, 0755));
	in_dir(dir, "dev/null", b);
	must(mknod(b, S_IFCHR | 0666, makedev(1, 3)));
	in_dir(dir, "dev/pipe", b);
	must(mkfifo(b, 0600));
	in_dir(dir, "bin/ping", b);
	must(setxattr(b, "security.capability",
		      "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0));
	in_dir(dir, "etc", b);
	must(setxattr(b, "trusted.mark", "x\0y", 3, 0));
	in_dir(dir, "var/tmp", b);
	must(mkdir(b, 0700));
	must(chmod(b, 01777));
	in_dir(dir, "var/mail", b);
	must(mkdir(b, 0700));
	must(chown(b, 0, 8));
	must(chmod(b, 02775));
	text(dir, "var/mail/box", "mail\n");
	memcpy(hole + 300000, "middle", 6);
	put(dir, "var/sparse", hole, 1 << 20, 0600);
	in_dir(dir, "var/sparse", b);
	must(truncate(b, 0) || truncate(b, 1 << 20));
	AUTO_CLOSE int fd = open(b, O_WRONLY);
	must(pwrite(fd, "middle", 6, 300000) != 6);
	free(hole);
}

static void
make_tree(const char *dir, unsigned version)
{
	char words[64];
	size_t i;

	snprintf(words, sizeof(words), "version %u\n", version);
	text(dir, "etc/version", words);
	text(dir, "etc/empty", "");
	text(dir, "etc/odd name\twith \\ and \x01", "odd\n");
	text(dir, "bin/su", "su\n");
	text(dir, "bin/ping", "ping\n");
	text(dir, "usr/share/doc/a/copyright", "the same\n");
	text(dir, "usr/share/doc/b/copyright", "the same\n");
	text(dir, "usr/share/doc/c/copyright", "the same\n");
	noise(dir, "usr/lib/big.so", BIG, 1, version * 200001);
	noise(dir, "usr/lib/steady.so", BIG / 3, 2, 0);
	snprintf(words, sizeof(words), "usr/lib/mod-%u/fast.ko", version);
	noise(dir, words, 300000, 3, version * 50001);
	for (i = 0; i < 40; i++) {
		snprintf(words, sizeof(words), "usr/share/f%zu", i);
		noise(dir, words, 100 + 997 * i, (unsigned)i + 10,
		      i % 4 == 0 ? version * 61 : 0);
	}
	text(dir, "var/log/x", "log\n");
	specials(dir);
}

/* The same times everywhere: as publish carries them over. */
static void
same_times(const char *dir)
{
	const struct timespec fixed[2] = { { 1700000000, 5 },
					   { 1700000000, 123456789 } };
	AUTO(manifest) m = NULL;
	AUTO_FREE char *path = in_top(dir);
	size_t i;

	m = shop_walk(path);
	for (i = m->len; i-- > 0;) {
		char full[512];

		in_dir(dir, m->entry[i].path, full);
		must(utimensat(AT_FDCWD, full, fixed, AT_SYMLINK_NOFOLLOW));
	}
}

/* ---- comparing ---- */

static void
say_differs(void *ctx, const char *path, const char *what)
{
	(void)ctx;
	printf("# differs: %s: %s\n", path, what);
}

static int strangers;

static void
say_stranger(void *ctx, const char *path)
{
	(void)ctx;
	strangers++;
	printf("# stranger: %s\n", path);
}

static bool
equal(const char *dir, const char *want)
{
	AUTO_FREE char *a = base_printf("%s/%s/", top, want);
	AUTO_FREE char *b = base_printf("%s/%s/", top, dir);
	AUTO(manifest) m = shop_walk(a);
	const char *argv[] = { "rsync", "-aHAXnic", "--delete", "--numeric-ids",
			       a,       b,          NULL };
	struct verify_opts v = { .dir = b,
				 .manifest = m,
				 .differs = say_differs,
				 .stranger = say_stranger };
	struct proc p = { 0 };
	struct err e = { 0 };
	bool same;

	strangers = 0;
	same = verify(&v, &e) == 0 && strangers == 0;
	v.quick = true;
	same = same && verify(&v, &e) == 0;
	if (have_rsync) {
		same = same && proc_run(argv, NULL, &p, &e) == 0 &&
		       p.status == 0 && p.out.len == 0;
		if (p.out.len > 0)
			printf("# rsync: %s\n", buf_text(&p.out));
		proc_clear(&p);
	}
	return same;
}

/* Blocks on the disk, in KiB: a hole takes none. */
static long
blocks(const char *dir, const char *path)
{
	char full[512];
	struct stat st;

	in_dir(dir, path, full);
	must(stat(full, &st));
	return (long)st.st_blocks / 2;
}

static ino_t
inode(const char *dir, const char *path)
{
	char full[512];
	struct stat st;

	in_dir(dir, path, full);
	must(stat(full, &st));
	return st.st_ino;
}

/* ---- pulls ---- */

struct ask {
	const char *version, *into, *base;
	bool record, base_record; /* kept in into.rec; read from base.rec */
	enum pull_share share;
	bool dry, strict, downgrade, keep;
};

static int
do_pull(const struct ask *a, struct pull_result *r, struct err *e)
{
	AUTO_FREE char *into = in_top(a->into);
	AUTO_FREE char *base = a->base ? in_top(a->base) : NULL;
	AUTO_FREE char *rec = base_printf("%s.rec", into);
	AUTO_FREE char *base_rec = base_printf("%s.rec", base ? base : "");
	struct pull_opts o = { .source = { .where = shop.top, .tries = 2 },
			       .trust = &shop.trust,
			       .role = "role",
			       .version = a->version,
			       .into = into,
			       .base = base,
			       .record = a->record ? rec : NULL,
			       .base_record = a->base_record ? base_rec : NULL,
			       .share = a->share,
			       .dry_run = a->dry,
			       .strict = a->strict,
			       .keep = a->keep,
			       .allow_downgrade = a->downgrade };

	*e = (struct err){ 0 };
	return pull(&o, r, e);
}

static void
clear(const char *dir)
{
	AUTO_FREE char *full = in_top(dir);
	AUTO_FREE char *rec = base_printf("%s.rec", full);
	struct err e = { 0 };

	shop_must(dir_remove(full, &e), &e);
	shop_must(dir_remove(rec, &e), &e);
}

#define PULLED(row, a, r, e)                                                   \
	CHECK_SHOW(row, do_pull(a, r, e) == 0, "%s", (e)->text)
#define REFUSED(row, a, r, e, want)                                            \
	CHECK_SHOW(row, do_pull(a, r, e) == -1 && (e)->kind == (want), "%s",   \
		   (e)->text)

static void
check_install(void)
{
	struct ask a = { .version = "1", .into = "i1", .record = true };
	struct pull_result r;
	struct err e;

	PULLED(0, &a, &r, &e);
	CHECK(0, r.way == PULL_FULL && str_eq(r.version, "1"));
	CHECK_SHOW(0, r.fetched == 53 && r.copied + r.shared + r.patched == 0,
		   "%zu", (size_t)r.fetched);
	CHECK(0, equal("i1", "t1"));
	CHECK(0, blocks("i1", "var/sparse") < 64);
	/* again: nothing but HEAD and seal */
	PULLED(1, &a, &r, &e);
	CHECK_SHOW(1, r.way == PULL_NOTHING && r.wire < 600, "%d %zu",
		   (int)r.way, (size_t)r.wire);
	/* without a record everything is read, nothing fetched */
	a.record = false;
	PULLED(2, &a, &r, &e);
	CHECK_SHOW(2, r.fetched == 0 && r.wire < 20000, "%zu", (size_t)r.wire);
	CHECK(2, equal("i1", "t1"));
	/* the newest, by ROLE/HEAD, in a folder of another name */
	a.version = NULL;
	a.into = "i3";
	PULLED(3, &a, &r, &e);
	CHECK(3, str_eq(r.version, "3") && equal("i3", "t3"));
}

/* What is there and wrong is mended, what is a stranger refused. */
static void
check_mending(void)
{
	struct ask a = { .version = "1", .into = "i1" };
	struct pull_result r;
	struct err e;
	char p[512], q[512];

	noise("i1", "usr/lib/big.so", BIG, 99, 0);
	text("i1", "etc/version", "version 7\n");
	in_dir("i1", "bin/sulogin", p);
	must(unlink(p));
	in_dir("i1", "etc/mtab", p);
	must(unlink(p));
	must(symlink("elsewhere", p));
	in_dir("i1", "usr/share/doc/b/copyright", p);
	must(chmod(p, 0600));
	in_dir("i1", "usr/share/doc/c", p);
	must(chown(p, 3, 3));
	must(setxattr(p, "trusted.more", "x", 1, 0));
	in_dir("i1", "bin/su", p);
	must(setxattr(p, "trusted.more", "x", 1, 0));
	in_dir("i1", "dev/null", p);
	must(unlink(p));
	must(mkdir(p, 0755));
	/* a file that became a link to a folder outside */
	in_dir("i1", "var/log/x", p);
	must(unlink(p));
	in_dir("i1", "var/log", p);
	must(rmdir(p));
	snprintf(q, sizeof(q), "%s/outside", top);
	must(mkdir(q, 0755));
	must(symlink(q, p));
	CHECK(0, !equal("i1", "t1"));
	REFUSED(0, &a, &r, &e, ERR_SYS); /* var/log is no folder */
	must(unlink(p));
	PULLED(1, &a, &r, &e);
	CHECK(1, equal("i1", "t1"));
	snprintf(q, sizeof(q), "%s/outside/x", top);
	CHECK(1, !file_exists(q));
	text("i1", "etc/stranger", "who?\n");
	text("i1", "usr/share/new/stranger", "who?\n");
	REFUSED(2, &a, &r, &e, ERR_REFUSED);
	a.keep = true;
	PULLED(2, &a, &r, &e);
	CHECK(2, !equal("i1", "t1"));
	a.keep = false;
	a.strict = true;
	PULLED(3, &a, &r, &e);
	CHECK(3, equal("i1", "t1"));
	/* a folder is no base of itself */
	a.version = "2";
	a.base = "i1";
	REFUSED(3, &a, &r, &e, ERR_REFUSED);
	a.version = "1";
	a.base = NULL;
	CHECK(3, equal("i1", "t1"));
	/* lost+found of a fresh file system: only at its top */
	in_dir("i1", "lost+found", p);
	must(mkdir(p, 0700));
	a.strict = false;
	REFUSED(4, &a, &r, &e, ERR_REFUSED);
	must(rmdir(p));
}

static const struct {
	const char *to, *from;
	bool record, drift;
	enum pull_share share;
	enum pull_way way;
} ways[] = {
	{ "2", "b1", true, false, PULL_COPY, PULL_DELTA },
	{ "2", "b1", true, false, PULL_REFLINK, PULL_DELTA },
	{ "2", "b1", true, false, PULL_LINK, PULL_DELTA },
	{ "3", "b1", true, false, PULL_COPY, PULL_CHAIN },
	{ "3", "b1", true, false, PULL_LINK, PULL_CHAIN },
	{ "2", "b1", false, false, PULL_COPY, PULL_DELTA },
	{ "2", "b1", true, true, PULL_COPY, PULL_DELTA },
	{ "3", "b1", true, true, PULL_COPY, PULL_CHAIN },
	{ "3", "b1", false, true, PULL_LINK, PULL_FRAMES },
	{ "1", "b1", true, true, PULL_LINK, PULL_FRAMES },
};

static void
make_base(bool drift)
{
	struct ask a = { .version = "1", .into = "b1", .record = true };
	struct pull_result r;
	struct err e;

	clear("b1");
	shop_must(do_pull(&a, &r, &e), &e);
	if (!drift)
		return;
	text("b1", "usr/share/f1", "edited\n");
	text("b1", "usr/share/f4", "edited\n");
	noise("b1", "usr/lib/mod-1/fast.ko", 300000, 77, 0);
	/* other bytes behind the same size, time and mode */
	noise("b1", "usr/share/f8", 100 + 997 * 8, 78, 0);
	noise("b1", "usr/share/f9", 100 + 997 * 9, 79, 0);
	same_times("b1");
}

static void
check_way(size_t i)
{
	struct ask a = { .version = ways[i].to,
			 .into = "w",
			 .base = ways[i].from,
			 .share = ways[i].share,
			 .base_record = ways[i].record,
			 .record = true };
	AUTO_FREE char *want = base_printf("t%s", ways[i].to);
	uint64_t whole = BIG + BIG / 3;
	struct pull_result r;
	struct err e;

	make_base(ways[i].drift);
	clear("w");
	a.dry = true;
	PULLED(i, &a, &r, &e);
	CHECK(i, r.wire > 0);
	a.dry = false;
	PULLED(i, &a, &r, &e);
	CHECK_SHOW(i, r.way == ways[i].way, "way %d", (int)r.way);
	CHECK(i, equal("w", want));
	CHECK_SHOW(i, ways[i].drift || r.wire < whole / 8, "%zu",
		   (size_t)r.wire);
	CHECK(i, (r.drifted > 0) == (ways[i].drift && ways[i].record));
	CHECK(i, (inode("w", "usr/lib/steady.so") ==
		  inode("b1", "usr/lib/steady.so")) ==
			 (ways[i].share == PULL_LINK));
	/* from there it is a no-op */
	a.base = NULL;
	PULLED(i, &a, &r, &e);
	CHECK(i, r.way == PULL_NOTHING);
}

int
main(void)
{
	static const char *const rsync[] = { "rsync", "--version", NULL };
	AUTO_FREE char *t1 = NULL, *t2 = NULL, *t3 = NULL;
	struct err e = { 0 };
	size_t i;

	if (geteuid() != 0) {
		test_skip("trees have owners and devices: needs root");
		return test_end();
	}
	must(!mkdtemp(top));
	have_rsync = proc_ok(rsync, NULL, &e) == 0;
	t1 = in_top("t1");
	t2 = in_top("t2");
	t3 = in_top("t3");
	make_tree("t1", 1);
	make_tree("t2", 2);
	make_tree("t3", 3);
	same_times("t1");
	same_times("t2");
	same_times("t3");
	shop_open(&shop, top, 64 << 10);
	shop_publish(&shop, &(struct shop_version){ .version = "1",
						    .dir = t1,
						    .serial = 1,
						    .marks = true });
	shop_publish(&shop, &(struct shop_version){ .version = "2",
						    .dir = t2,
						    .serial = 2,
						    .from = { "1" },
						    .from_dir = { t1 },
						    .packs = 3 });
	shop_publish(&shop, &(struct shop_version){ .version = "3",
						    .dir = t3,
						    .serial = 3,
						    .from = { "2" },
						    .from_dir = { t2 } });
	check_install();
	check_mending();
	for (i = 0; i < ARRAY_LEN(ways); i++)
		check_way(i);
	shop_must(dir_remove(top, &e), &e);
	return test_end();
}
