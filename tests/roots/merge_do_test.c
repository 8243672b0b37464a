/* A merge of /etc on a disk: three folders in, one out, which takes the place
 * of the new version's at once, or not at all. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/walk.h"

#include "roots/merge_do.h"

#include "tests/test.h"

__attribute__((noreturn)) static void
bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static char top[] = "/tmp/edeploy-merge-XXXXXX";

/* ---- three sides ---- */

enum side { BASE = 1, OURS = 2, THEIRS = 4, ALL = 7 };
static const char *const names[] = { "base", "ours", "theirs" };

static void
put(int sides, const char *path, const char *text, mode_t mode)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_FREE char *whole =
			base_printf("%s/%s/etc/%s", top, names[i], path);
		struct err e = { 0 };

		if (!(sides & (1 << i)))
			continue;
		if (file_write(whole, text, strlen(text), mode, &e) < 0 ||
		    chmod(whole, mode) < 0)
			bail(whole);
	}
}

static void
make_sides(void)
{
	AUTO_FREE char *ours = base_printf("%s/ours/etc/link", top);
	AUTO_FREE char *theirs = base_printf("%s/theirs/etc/link", top);

	put(ALL, "same", "same", 0644);
	put(BASE | OURS, "new", "old", 0644);
	put(THEIRS, "new", "new", 0640);
	put(BASE | THEIRS, "edited", "as it came", 0644);
	put(OURS, "edited", "edited", 0644);
	put(BASE, "both", "old", 0644);
	put(OURS, "both", "mine", 0600);
	put(THEIRS, "both", "theirs", 0644);
	put(OURS, "own/deep/file", "own", 0644);
	put(THEIRS, "comes/file", "comes", 0644);
	put(BASE | OURS, "goes", "goes", 0644);
	put(BASE | THEIRS, "removed", "removed", 0644);
	put(ALL, "passwd", "root:x:0:0:root:/root:/bin/sh\n", 0644);
	put(OURS, "passwd",
	    "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/x\n",
	    0644);
	put(THEIRS, "passwd",
	    "root:x:0:0:root:/root:/bin/sh\nsvc:x:100:100::/var:/x\n", 0644);
	if (symlink("same", ours) < 0 || symlink("both", theirs) < 0)
		bail("links");
}

static struct manifest *
look(const char *side)
{
	AUTO_FREE char *dir = base_printf("%s/%s", top, side);
	struct manifest *m = NULL;
	struct err e = { 0 };

	if (walk(&(struct walk_opts){ .dir = dir }, &m, &e) < 0)
		bail(e.text);
	return m;
}

static int
merge(struct err *e)
{
	AUTO(manifest) base = look("base");
	AUTO(manifest) ours = look("ours");
	AUTO(manifest) theirs = look("theirs");
	AUTO_FREE char *from = base_printf("%s/ours", top);
	AUTO_FREE char *to = base_printf("%s/theirs", top);
	AUTO_FREE char *bases = base_printf("%s/base/etc", top);
	struct merge_plan plan;
	struct merge_job job = { .plan = &plan,
				 .ours = from,
				 .theirs = to,
				 .to = to,
				 .prefix = "etc",
				 .bases = bases };
	int bad;

	merge_make(&plan, base, ours, theirs, "etc", NULL);
	bad = merge_run(&job, e);
	merge_clear(&plan);
	return bad;
}

/* ---- what comes out ---- */

static const struct {
	const char *path, *text; /* NULL: not there */
	mode_t mode;
} wants[] = {
	{ "same", "same", 0644 },
	{ "new", "new", 0640 },
	{ "edited", "edited", 0644 },
	{ "both", "mine", 0600 },
	{ "both.edeploy-new", "theirs", 0644 },
	{ "own/deep/file", "own", 0644 },
	{ "comes/file", "comes", 0644 },
	{ "goes", NULL, 0 },
	{ "removed", NULL, 0 },
	{ "edited.edeploy-new", NULL, 0 },
	{ "passwd",
	  "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/x\n"
	  "svc:x:100:100::/var:/x\n",
	  0644 },
};

static void
check_file(size_t i)
{
	AUTO_FREE char *path =
		base_printf("%s/theirs/etc/%s", top, wants[i].path);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	struct stat st;

	if (!wants[i].text) {
		CHECK_SHOW(i, !file_exists(path), "%s", path);
		return;
	}
	CHECK_SHOW(i, file_read(path, 1000, &text, NULL, &e) == 0, "%s",
		   e.text);
	CHECK_SHOW(i, text && str_eq(text, wants[i].text), "%s: %s", path,
		   text ? text : "");
	CHECK_SHOW(i,
		   stat(path, &st) == 0 &&
			   (st.st_mode & 07777) == wants[i].mode,
		   "%s: %o", path, st.st_mode);
}

static void
check_whole(void)
{
	AUTO_FREE char *fresh = base_printf("%s/theirs/etc.edeploy-merge", top);
	AUTO_FREE char *link = base_printf("%s/theirs/etc/link", top);
	char to[10] = "";
	size_t i;

	for (i = 0; i < ARRAY_LEN(wants); i++)
		check_file(i);
	CHECK(20, !file_exists(fresh));
	CHECK(21, readlink(link, to, 9) == 4 && str_eq(to, "same"));
}

/* Accounts that cannot be merged: the new version's folder stays as it was
 * published, and what was left of an earlier try goes. */
static void
test_failure(void)
{
	AUTO_FREE char *fresh = base_printf("%s/theirs/etc.edeploy-merge", top);
	AUTO_FREE char *left = base_printf("%s/x", fresh);
	AUTO_FREE char *passwd = base_printf("%s/theirs/etc/passwd", top);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	put(BASE, "passwd", "", 0644);
	put(OURS, "passwd", "me:x:100:100::/:/x\n", 0644);
	put(THEIRS, "passwd", "svc:x:100:100::/:/x\n", 0644);
	if (file_write(left, "", 0, 0644, &e) < 0)
		bail(left);
	CHECK(30, merge(&e) < 0);
	CHECK_SHOW(30, e.kind == ERR_REFUSED, "%s", e.text);
	CHECK_SHOW(31,
		   file_read(passwd, 1000, &text, NULL, &e) == 0 &&
			   str_eq(text, "svc:x:100:100::/:/x\n"),
		   "%s", text ? text : e.text);
	CHECK(32, !file_exists(fresh));
}

int
main(void)
{
	struct err e = { 0 };

	if (!mkdtemp(top))
		bail("mkdtemp");
	umask(022);
	make_sides();
	CHECK_SHOW(0, merge(&e) == 0, "%s", e.text);
	check_whole();
	test_failure();
	dir_remove(top, &e);
	return test_end();
}
