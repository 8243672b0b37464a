#ifndef TESTS_RSYNCD_GROVE_H
#define TESTS_RSYNCD_GROVE_H

#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "lib/proc.h"
#include "rsyncd/pull.h"
#include "tests/rsyncd/shop.h"

/* Trees with all that a tree can have, and whether two are equal: by verify,
 * and by rsync, which knows nothing of us. For one test program. */
#define BIG (3UL << 20)
#define SPARSE (2UL << 20)

static char top[] = "/tmp/pull_test.XXXXXX";
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

/* A few bytes in the midst of a file. */
static void
overwrite(const char *dir, const char *path, const char *words)
{
	ssize_t len = (ssize_t)strlen(words);
	char full[512];

	in_dir(dir, path, full);
	AUTO_CLOSE int fd = open(full, O_WRONLY | O_CLOEXEC);

	must(pwrite(fd, words, (size_t)len, 300000) != len);
}

static void
specials(const char *dir)
{
	char a[512], b[512];
	AUTO_FREE char *hole = base_alloc(SPARSE);

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
	put(dir, "var/sparse", hole, SPARSE, 0600);
	in_dir(dir, "var/sparse", b);
	must(truncate(b, 0) || truncate(b, SPARSE));
	overwrite(dir, "var/sparse", "middle");
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

#endif
