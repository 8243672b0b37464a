/* What a version brings comes to a state directory once, and never over what
 * is there. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/manifest.h"
#include "rsyncd/walk.h"

#include "roots/copy.h"
#include "roots/seed.h"

#include "tests/test.h"

static char top[] = "/tmp/edeploy-seed-XXXXXX";
static struct err e;

static char *
at(const char *path)
{
	return base_printf("%s/%s", top, path);
}

static void
make(const char *path, const char *text, mode_t mode)
{
	AUTO_FREE char *whole = at(path);

	if (file_write(whole, text, strlen(text), 0600, &e) < 0 ||
	    chmod(whole, mode) < 0)
		printf("# %s\n", e.text);
}

static bool
holds(const char *path, const char *want)
{
	AUTO_FREE char *whole = at(path);
	AUTO_FREE char *text = NULL;

	return file_read(whole, 100, &text, NULL, &e) == 0 &&
	       str_eq(text, want);
}

static char *
root_of(const char *dir)
{
	AUTO_FREE char *whole = at(dir);
	AUTO(manifest) m = NULL;

	if (walk(&(struct walk_opts){ .dir = whole }, &m, &e) < 0)
		return base_strdup(e.text);
	return base_strdup(m->root);
}

static void
make_version(void)
{
	AUTO_FREE char *hard = at("v/lib/hard");
	AUTO_FREE char *file = at("v/lib/db/file");
	AUTO_FREE char *link = at("v/run");
	AUTO_FREE char *pipe = at("v/spool/pipe");
	AUTO_FREE char *empty = at("v/empty");
	AUTO_FREE char *large = at("v/large");
	struct timespec old[2] = { { 1000, 7 }, { 1000, 7 } };

	make("v/lib/db/file", "version's", 04755);
	make("v/spool/x", "x", 0640);
	make("v/.hidden", "", 0600);
	make("v/large", "", 0644);
	CHECK(0, truncate(large, 300000) == 0);
	CHECK(0, link && symlink("/run", link) == 0);
	CHECK(0, mkfifo(pipe, 0600) == 0);
	CHECK(0, mkdir(empty, 01777) == 0 && chmod(empty, 01777) == 0);
	CHECK(0, linkat(AT_FDCWD, file, AT_FDCWD, hard, 0) == 0);
	/* not every file system keeps these: then there is none to compare */
	setxattr(file, "user.edeploy", "x", 1, 0);
	CHECK(0, utimensat(AT_FDCWD, empty, old, 0) == 0);
	if (chown(file, 7, 8) == 0)
		CHECK(0, chmod(file, 04755) == 0);
}

/* What was a file when somebody looked, and is a pipe when it is opened, has
 * nobody who writes. */
static void
test_exchanged(void)
{
	struct manifest_entry was = { .path = "pipe",
				      .type = 'f',
				      .mode = 0644 };
	AUTO_FREE char *pipe = at("pipe");
	AUTO_CLOSE int dir = open(top, O_RDONLY | O_DIRECTORY);

	CHECK(20, mkfifo(pipe, 0644) == 0);
	alarm(20);
	CHECK_SHOW(21,
		   copy_file(dir, dir, "copy", &was, &e) < 0 &&
			   strstr(e.text, "no file any more"),
		   "%s", e.text);
	alarm(0);
	CHECK(22, faccessat(dir, "copy", F_OK, 0) < 0);
}

int
main(void)
{
	AUTO_FREE char *from = NULL;
	AUTO_FREE char *to = NULL;
	AUTO_FREE char *lib = NULL;
	AUTO_FREE char *first = NULL;
	AUTO_FREE char *second = NULL;
	AUTO_FREE char *third = NULL;

	if (!mkdtemp(top))
		return 1;
	from = at("v");
	to = at("state/v");
	lib = at("state/v/lib");
	make_version();
	CHECK_SHOW(1, seed(from, to, &e) == 0, "%s", e.text);
	first = root_of("v");
	second = root_of("state/v");
	CHECK_SHOW(2, str_eq(first, second), "%s %s", first, second);

	/* again: nothing changes */
	CHECK(3, seed(from, to, &e) == 0);
	third = root_of("state/v");
	CHECK(4, str_eq(second, third));

	/* what is the machine's stays; what is new comes */
	make("state/v/lib/db/file", "machine's", 0600);
	make("v/lib/db/file", "another version's", 0644);
	make("v/lib/new/deep/file", "new", 0644);
	CHECK_SHOW(5, seed(from, to, &e) == 0, "%s", e.text);
	CHECK(6, holds("state/v/lib/db/file", "machine's"));
	CHECK(7, holds("state/v/lib/new/deep/file", "new"));
	CHECK(8, !holds("state/v/.edeploy-copy", ""));

	/* a machine's own link where the version has a directory */
	CHECK(9, dir_remove(lib, &e) == 0 && symlink("/etc", lib) == 0);
	CHECK_SHOW(10, seed(from, to, &e) == 0, "%s", e.text);
	CHECK(11, access("/etc/new/deep/file", F_OK) < 0);
	CHECK(12, seed("/nowhere/at/all", to, &e) < 0 && e.kind == ERR_SYS);
	test_exchanged();
	dir_remove(top, &e);
	return test_end();
}
