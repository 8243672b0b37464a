/* What is removed, and what is not: what a link names, what is mounted. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/remove.h"

#include "tests/test.h"

static char top[] = "/tmp/remove_test.XXXXXX";

static char *
in_top(const char *path)
{
	return base_printf("%s/%s", top, path);
}

static bool
put(const char *path)
{
	AUTO_FREE char *full = in_top(path);
	struct err e = { 0 };

	return file_write(full, "x", 1, 0600, &e) == 0;
}

static bool
there(const char *path)
{
	AUTO_FREE char *full = in_top(path);

	return file_exists(full);
}

static int
away(const char *name, struct err *e)
{
	AUTO_CLOSE int dirfd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return remove_all(dirfd, name, name, e);
}

/* One that cannot go keeps no other from going, and is the one that is told. */
static void
test_rest(void)
{
	static const char *const names[] = { "part/a/f", "part/b/f", "part/c/f",
					     "part/d/f" };
	AUTO_FREE char *fixed = in_top("part/c/f");
	AUTO_CLOSE int fd = -1;
	int on = FS_IMMUTABLE_FL, off = 0;
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		CHECK(i, put(names[i]));
	fd = open(fixed, O_RDONLY | O_CLOEXEC);
	if (ioctl(fd, FS_IOC_SETFLAGS, &on) < 0) {
		test_skip("no immutable files here");
	} else {
		CHECK(0, away("part", &e) < 0 && e.kind == ERR_SYS);
		CHECK_SHOW(0, strstr(e.text, "part/c/f"), "%s", e.text);
		for (i = 0; i < ARRAY_LEN(names); i++)
			CHECK(i, there(names[i]) == (i == 2));
		CHECK(0, ioctl(fd, FS_IOC_SETFLAGS, &off) == 0);
	}
	e = (struct err){ 0 };
	CHECK(1, away("part", &e) == 0 && !there("part"));
}

static void
test_things(void)
{
	static const struct {
		const char *file, *name;
	} rows[] = {
		{ "file", "file" },
		{ "folder/file", "folder" },
		{ "a/b/c/d/e/f/g/file", "a" },
		{ "kept/file", "nothing" },
	};
	AUTO_FREE char *link = NULL, *kept = in_top("kept");
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(i, put(rows[i].file));
		CHECK_SHOW(i, away(rows[i].name, &e) == 0, "%s", e.text);
		CHECK(i, !there(rows[i].name));
	}
	link = in_top("folder/link");
	CHECK(i, put("folder/file") && symlink(kept, link) == 0);
	CHECK_SHOW(i, away("folder", &e) == 0, "%s", e.text);
	CHECK(i, !there("folder") && there("kept/file"));
}

/* Another file system, and a folder of the same one. */
static void
test_mounts(void)
{
	AUTO_FREE char *on = in_top("tree/proc/deep"), *kept = in_top("kept");
	struct err e = { 0 };
	size_t i;

	CHECK(0, put("tree/proc/deep/under") && put("tree/file"));
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		test_skip("no mounts here");
		return;
	}
	for (i = 0; i < 2; i++) {
		CHECK(i, (i ? mount("none", on, "tmpfs", 0, NULL)
			    : mount(kept, on, NULL, MS_BIND, NULL)) == 0);
		CHECK(i, put("tree/proc/deep/file"));
		CHECK_SHOW(i,
			   away("tree", &e) < 0 && e.kind == ERR_REFUSED &&
				   strstr(e.text, "tree/proc/deep stays"),
			   "%s", e.text);
		CHECK(i, there("tree/proc/deep/file"));
		umount(on);
	}
	CHECK(2, there("kept/file"));
	CHECK_SHOW(2, away("tree", &e) == 0 && !there("tree"), "%s", e.text);
}

static void
test_failures(void)
{
	struct err e = { 0 };

	CHECK(0, remove_all(AT_FDCWD, "/proc/self/task", "task", &e) < 0 &&
			 e.kind == ERR_SYS);
	CHECK(1, remove_all(AT_FDCWD, "/proc/version", "version", &e) < 0 &&
			 e.kind == ERR_SYS);
}

int
main(void)
{
	struct err e = { 0 };

	if (!mkdtemp(top))
		abort();
	test_things();
	test_rest();
	test_mounts();
	test_failures();
	CHECK(0, dir_remove(top, &e) == 0);
	return test_end();
}
