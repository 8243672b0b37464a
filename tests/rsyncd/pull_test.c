/* Pulls of every way, from a folder, between trees with all that a tree can
 * have. What comes out is compared by verify and by rsync, which knows nothing
 * of us. */
#include <sched.h>
#include <sys/mount.h>
#include <time.h>

#include "tests/rsyncd/grove.h"
#include "tests/test.h"

static struct shop shop;

/* ---- pulls ---- */

struct ask {
	const char *version, *into, *base;
	bool record, base_record; /* kept in into.rec; read from base.rec */
	enum pull_share share;
	/* instead of `share`; called when the base was looked through, and
	   before anything is shared */
	enum pull_share (*share_of)(void *ctx, const char *path);
	bool dry, strict, downgrade, keep, hash_all;
};

static enum pull_share
share_by_path(void *ctx, const char *path)
{
	(void)ctx;
	return str_starts(path, "usr/") ? PULL_LINK : PULL_COPY;
}

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
			       .share_of = a->share_of,
			       .dry_run = a->dry,
			       .strict = a->strict,
			       .keep = a->keep,
			       .hash_all = a->hash_all,
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
	REFUSED(0, &a, &r, &e, ERR_REFUSED); /* var/log is no folder */
	CHECK_SHOW(0, strstr(e.text, "i1/var/log is no folder"), "%s", e.text);
	must(unlink(p));
	PULLED(1, &a, &r, &e);
	CHECK(1, equal("i1", "t1"));
	in_dir("i1", "var/log/x", q);
	must(unlink(q));
	must(rmdir(p));
	snprintf(q, sizeof(q), "%s/outside", top);
	must(symlink(q, p));
	a.strict = true;
	PULLED(1, &a, &r, &e);
	a.strict = false;
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
	{ "2", "b1", false, false, PULL_LINK, PULL_DELTA },
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
	overwrite("b1", "var/sparse", "MIDDLE");
	same_times("b1");
}

/* What is written into on a host must not be the inode of the version before;
 * what nobody writes into may be. */
static void
check_share_of(void)
{
	static const struct {
		const char *path;
		bool same;
	} rows[] = {
		{ "usr/lib/steady.so", true }, { "usr/share/f1", true },
		{ "var/log/x", false },        { "bin/su", false },
		{ "var/sparse", false },
	};
	struct ask a = { .version = "2",
			 .into = "w",
			 .base = "b1",
			 .base_record = true,
			 .share_of = share_by_path };
	struct pull_result r;
	struct err e;
	size_t i;

	make_base(false);
	clear("w");
	PULLED(0, &a, &r, &e);
	CHECK(0, equal("w", "t2"));
	CHECK(0, r.shared > 0 && r.copied > 0);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_SHOW(i,
			   (inode("w", rows[i].path) ==
			    inode("b1", rows[i].path)) == rows[i].same,
			   "%s", rows[i].path);
}

/* A record as if another key had signed it. */
static void
other_key(char *seal)
{
	char *id = strstr(seal, "\nkey ") + 5;

	*id = *id == '0' ? '1' : '0';
}

/* A base whose record is damaged, or signed by nobody who is trusted, is
 * looked through. */
static void
check_records(void)
{
	struct ask a = {
		.version = "2", .into = "w", .base = "b1", .base_record = true
	};
	AUTO_FREE char *seal = in_top("b1.rec/seal");
	struct pull_result r;
	struct err e;
	size_t i;

	for (i = 0; i < 2; i++) {
		AUTO_FREE char *text = NULL;

		make_base(false);
		clear("w");
		shop_must(file_read(seal, SEAL_TEXT_MAX, &text, NULL, &e), &e);
		if (i == 0)
			text[100] = '\0';
		else /* another key's id */
			other_key(text);
		shop_must(file_write(seal, text, strlen(text), 0644, &e), &e);
		PULLED(i, &a, &r, &e);
		CHECK(i, equal("w", "t2") && r.way == PULL_DELTA);
	}
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
	CHECK(i, equal("w", want) && blocks("w", "var/sparse") < 64);
	/* of the versions only the first has marks */
	CHECK_SHOW(i, r.marks == (ways[i].drift && str_eq(ways[i].to, "1")),
		   "%zu marks", (size_t)r.marks);
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

/* A file of the base whose bytes were changed behind the same size, time and
 * mode, and a record of that many seconds from now on: only one that is younger
 * than the change is believed. */
static void
check_untouched(void)
{
	static const struct {
		int record_s;
		bool hash_all;
		uint64_t drifted;
	} trusts[] = { { 60, false, 0 }, { 60, true, 1 }, { -60, false, 1 } };
	struct ask a = { .version = "2",
			 .into = "w",
			 .base = "b1",
			 .share = PULL_LINK,
			 .base_record = true };
	struct pull_result r;
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(trusts); i++) {
		struct timespec t[2];
		char path[512];

		make_base(false);
		noise("b1", "usr/share/f9", 100 + 997 * 9, 79, 0);
		same_times("b1");
		clock_gettime(CLOCK_REALTIME, &t[0]);
		t[0].tv_sec += trusts[i].record_s;
		t[1] = t[0];
		in_dir("b1.rec", "seal", path);
		must(utimensat(AT_FDCWD, path, t, 0));
		clear("w");
		a.hash_all = trusts[i].hash_all;
		PULLED(i, &a, &r, &e);
		CHECK_SHOW(i, r.drifted == trusts[i].drifted, "%zu",
			   (size_t)r.drifted);
		CHECK(i, equal("w", "t2") == (r.drifted > 0));
		CHECK(i, inode("w", "usr/lib/steady.so") ==
				 inode("b1", "usr/lib/steady.so"));
	}
}

/* Other bytes behind the same size, time and mode, in a file that was hashed a
 * moment before. */
static enum pull_share
change_between(void *ctx, const char *path)
{
	static bool done;

	(void)ctx;
	/* asked again when others work already */
	if (!done && str_eq(path, "usr/share/f9")) {
		done = true;
		noise("b1", path, 100 + 997 * 9, 79, 0);
		same_times("b1");
	}
	return PULL_LINK;
}

static void
check_between(void)
{
	struct ask a = { .version = "2",
			 .into = "w",
			 .base = "b1",
			 .share_of = change_between };
	struct pull_result r;
	struct err e;

	make_base(false);
	clear("w");
	PULLED(0, &a, &r, &e);
	CHECK_SHOW(0, r.drifted == 1, "%zu", (size_t)r.drifted);
	CHECK(0, equal("w", "t2"));
	CHECK(0, inode("w", "usr/lib/steady.so") ==
			 inode("b1", "usr/lib/steady.so"));
}

/* Two files of a tree never are one, whatever stood there. */
static void
check_joined(void)
{
	struct ask a = { .version = "1", .into = "w", .share = PULL_LINK };
	struct pull_result r;
	struct err e;
	char b[512], c[512], old[512];

	clear("w");
	PULLED(0, &a, &r, &e);
	in_dir("w", "usr/share/doc/a/copyright", c);
	in_dir("w", "usr/share/doc/b/copyright", b);
	must(unlink(b));
	must(link(c, b));
	CHECK(0, !equal("w", "t1"));
	PULLED(0, &a, &r, &e);
	CHECK(0, equal("w", "t1"));
	/* a base that has it at one path of another name: it is linked once,
	 * also by a pull that goes on where the one before was broken */
	make_base(false);
	in_dir("b1", "usr/share/doc/b/copyright", b);
	must(unlink(b));
	in_dir("b1", "usr/share/doc/c/copyright", c);
	in_dir("b1", "usr/share/doc/c/old", old);
	must(rename(c, old));
	clear("w");
	a.base = "b1";
	PULLED(1, &a, &r, &e);
	CHECK(1, equal("w", "t1"));
	CHECK(1, inode("w", "usr/share/doc/b/copyright") ==
			 inode("b1", "usr/share/doc/c/old"));
	in_dir("w", "usr/share/doc/c/copyright", c);
	must(unlink(c));
	PULLED(2, &a, &r, &e);
	CHECK(2, equal("w", "t1"));
}

/* An ACL that the folder above gives to all that is made in it. */
static void
check_inherited(void)
{
	static const unsigned char acl[] = { 2,   0,   0,   0,   1,  0, 7, 0,
					     255, 255, 255, 255, 2,  0, 7, 0,
					     210, 4,   0,   0,   4,  0, 5, 0,
					     255, 255, 255, 255, 16, 0, 7, 0,
					     255, 255, 255, 255, 32, 0, 5, 0,
					     255, 255, 255, 255 };
	struct ask a = { .version = "1", .into = "above/w" };
	AUTO_FREE char *above = in_top("above");
	struct pull_result r;
	struct err e;

	must(mkdir(above, 0755));
	if (setxattr(above, "system.posix_acl_default", acl, sizeof(acl), 0) <
	    0) {
		test_skip("no ACLs on the file system of /tmp");
		return;
	}
	PULLED(0, &a, &r, &e);
	CHECK(0, equal("above/w", "t1"));
}

/* ---- older versions ---- */

#define OLDER(row, a, r, e)                                                    \
	do {                                                                   \
		REFUSED(row, a, r, e, ERR_REFUSED);                            \
		CHECK_SHOW(row, strstr((e)->text, "--allow-downgrade"), "%s",  \
			   (e)->text);                                         \
	} while (0)

/* What is there bounds what may come: its record, also one that is not believed
 * or was left by a pull that broke, and the base's. */
static void
check_older(void)
{
	struct ask a = { .version = "3", .into = "s", .record = true };
	AUTO_FREE char *seal = in_top("s.rec/seal");
	AUTO_FREE char *was = in_top("s.rec/seal.was");
	AUTO_FREE char *rec = in_top("s.rec");
	AUTO_FREE char *text = NULL;
	struct pull_result r;
	struct err e = { 0 };

	PULLED(0, &a, &r, &e);
	a.version = "1";
	a.strict = true;
	OLDER(0, &a, &r, &e);
	CHECK(0, equal("s", "t3"));
	shop_must(file_read(seal, SEAL_TEXT_MAX, &text, NULL, &e), &e);
	other_key(text);
	shop_must(file_write(seal, text, strlen(text), 0644, &e), &e);
	OLDER(1, &a, &r, &e);
	a = (struct ask){
		.version = "2", .into = "w", .base = "s", .base_record = true
	};
	clear("w");
	OLDER(2, &a, &r, &e);
	record_forget(rec);
	OLDER(3, &a, &r, &e);
	a = (struct ask){
		.version = "2", .into = "s", .record = true, .strict = true
	};
	OLDER(4, &a, &r, &e);
	CHECK(4, equal("s", "t3") && file_exists(was));
	a.downgrade = true;
	PULLED(5, &a, &r, &e);
	CHECK(5, equal("s", "t2") && !file_exists(was) && file_exists(seal));
	a.downgrade = false;
	a.version = "3";
	PULLED(6, &a, &r, &e);
	CHECK(6, equal("s", "t3"));
}

/* ---- two file systems ---- */

static void
make_pair(const char *dir, const char *words)
{
	char a[512], b[512];

	text(dir, "etc/t", words);
	in_dir(dir, "m", b);
	must(mkdir(b, 0755));
	in_dir(dir, "etc/t", a);
	in_dir(dir, "m/t", b);
	must(link(a, b));
	same_times(dir);
}

static int64_t
differences(const char *dir, const char *want)
{
	AUTO_FREE char *a = in_top(want);
	AUTO_FREE char *b = in_top(dir);
	AUTO(manifest) m = shop_walk(a);
	struct verify_opts v = { .dir = b,
				 .manifest = m,
				 .differs = say_differs };
	struct err e = { 0 };

	return verify(&v, &e);
}

/* A hard link to another file system is a copy there, which has to be right as
 * the file itself. */
static void
check_apart(void)
{
	AUTO_FREE char *one = in_top("p1"), *two = in_top("p2");
	AUTO_FREE char *mount_at = in_top("w/m");
	AUTO_FREE char *words = NULL;
	struct ask a = { .version = "p1", .into = "w" };
	struct pull_result r;
	struct err e = { 0 };
	char p[512];

	make_pair("p1", "AAAA");
	make_pair("p2", "BBBB");
	shop_publish(&shop, &(struct shop_version){
				    .version = "p1", .dir = one, .serial = 4 });
	shop_publish(&shop, &(struct shop_version){
				    .version = "p2", .dir = two, .serial = 5 });
	clear("w");
	shop_must(dir_make(mount_at, 0755, &e), &e);
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("pull_test", mount_at, "tmpfs", 0, NULL) < 0) {
		test_skip("may not mount");
		return;
	}
	PULLED(0, &a, &r, &e);
	CHECK(0, differences("w", "p1") == 0);
	a.version = "p2";
	PULLED(1, &a, &r, &e);
	in_dir("w", "m/t", p);
	shop_must(file_read(p, 100, &words, NULL, &e), &e);
	CHECK_SHOW(1, str_eq(words, "BBBB"), "%s", words);
	CHECK(1, differences("w", "p2") == 0);
	text("w", "m/t", "CCCC"); /* and times: its own, its folder's */
	CHECK(2, differences("w", "p2") == 3);
	PULLED(3, &a, &r, &e);
	CHECK(3, differences("w", "p2") == 0);
	must(umount(mount_at));
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
	check_share_of();
	check_records();
	for (i = 0; i < ARRAY_LEN(ways); i++)
		check_way(i);
	check_untouched();
	check_between();
	check_joined();
	check_inherited();
	check_older();
	check_apart();
	shop_must(dir_remove(top, &e), &e);
	return test_end();
}
