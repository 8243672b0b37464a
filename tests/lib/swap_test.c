/* A file between an editor and a program: whatever the editor does, in
 * whatever moment, its text is on the disk afterwards. */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/swap.h"
#include "tests/test.h"

static char dir[] = "/tmp/edeploy-swap-XXXXXX";

static char *
text_of(const char *path)
{
	struct err e = { 0 };
	char *text = NULL;

	return file_read(path, 1000, &text, NULL, &e) < 0 ? NULL : text;
}

static bool
holds(const char *path, const char *want)
{
	AUTO_FREE char *text = text_of(path);

	return str_eq(text, want);
}

/* What happens between reading and swapping. */
enum edit {
	NOTHING,
	IN_PLACE,
	RENAMED_OVER,
	REMOVED,
	OPEN_FOR_WRITING,
	TOUCHED
};

static const struct {
	enum edit edit;
	bool at_last; /* between the last look and the swap itself */
	bool swapped;
	const char *after;
} rows[] = {
	{ NOTHING, false, true, "ours" },
	{ IN_PLACE, false, false, "theirs" },
	{ RENAMED_OVER, false, false, "theirs" },
	{ REMOVED, false, false, NULL },
	{ OPEN_FOR_WRITING, false, false, "old" },
	{ TOUCHED, false, false, "old" },
	{ NOTHING, true, true, "ours" },
	{ IN_PLACE, true, false, "theirs" },
	{ RENAMED_OVER, true, false, "theirs" },
};

static enum edit at_last; /* what happens at the next exchange */
static const char *edited;

/* An editor; returns a descriptor that stays open, or -1. */
static int
edit(enum edit how, const char *path)
{
	AUTO_FREE char *other = base_printf("%s.other", path);
	struct err e = { 0 };

	switch (how) {
	case IN_PLACE:
		CHECK(how, file_write(path, "theirs", 6, 0644, &e) == 0);
		break;
	case RENAMED_OVER:
		CHECK(how, file_write(other, "theirs", 6, 0644, &e) == 0 &&
				   rename(other, path) == 0);
		break;
	case REMOVED:
		CHECK(how, unlink(path) == 0);
		break;
	case OPEN_FOR_WRITING:
		return open(path, O_WRONLY | O_CLOEXEC);
	case TOUCHED:
		CHECK(how, utimensat(AT_FDCWD, path, NULL, 0) == 0);
		break;
	case NOTHING:
		break;
	}
	return -1;
}

/* The C library's, with an editor who is quicker. */
int
renameat2(int from_dir, const char *from, int to_dir, const char *to,
	  unsigned flags)
{
	enum edit how = at_last;

	at_last = NOTHING;
	if (how != NOTHING)
		edit(how, edited);
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static void
check_row(size_t i)
{
	AUTO_FREE char *path = base_printf("%s/row%zu", dir, i);
	struct displaced old = DISPLACED_NONE;
	struct stamp was, now = { 0 }, seen;
	struct err e = { 0 };
	int left = -1;

	CHECK(i, file_write(path, "old", 3, 0640, &e) == 0 &&
			 stamp_get(&was, path, &e) == 0);
	edited = path;
	if (rows[i].at_last)
		at_last = rows[i].edit;
	else
		left = edit(rows[i].edit, path);
	CHECK_SHOW(i,
		   (file_swap(path, &was, "ours", 4, &now, &old, &e) == 0) ==
			   rows[i].swapped,
		   "%s", e.text);
	CHECK(i, rows[i].swapped || e.kind == ERR_REFUSED);
	CHECK(i, holds(path, rows[i].after));
	if (rows[i].swapped)
		CHECK(i,
		      stamp_get(&seen, path, &e) == 0 && stamp_eq(&seen, &now));
	if (left >= 0)
		close(left);
	displaced_clear(&old);
}

/* Links stay links, modes stay modes, nothing else is left in the folder. */
static void
check_look(void)
{
	AUTO_FREE char *target = base_printf("%s/look/target", dir);
	AUTO_FREE char *link = base_printf("%s/look/link", dir);
	AUTO_FREE char *look = base_printf("%s/look", dir);
	struct displaced old = DISPLACED_NONE;
	struct stamp was, now;
	struct err e = { 0 };
	struct stat st;
	char **names;

	CHECK(0, file_write(target, "old", 3, 0604, &e) == 0 &&
			 chmod(target, 0604) == 0 &&
			 symlink("target", link) == 0 &&
			 stamp_get(&was, link, &e) == 0);
	CHECK_SHOW(1, file_swap(link, &was, "new", 3, &now, &old, &e) == 0,
		   "%s", e.text);
	CHECK(2, lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(3, lstat(target, &st) == 0 && (st.st_mode & 0777) == 0604);
	CHECK(4, holds(target, "new"));
	names = dir_names(look);
	CHECK(5, names && names[0] && names[1] && !names[2]);
	names_free(names);
	displaced_clear(&old);
}

/* An editor that had opened the file before, unseen, and writes after. */
static void
check_late_writer(void)
{
	AUTO_FREE char *path = base_printf("%s/late", dir);
	AUTO_FREE char *late = NULL;
	struct displaced old = DISPLACED_NONE;
	struct stamp was, now;
	struct err e = { 0 };
	AUTO_CLOSE int fd = -1;
	char name[64];

	CHECK(0, file_write(path, "old", 3, 0640, &e) == 0 &&
			 stamp_get(&was, path, &e) == 0 &&
			 file_swap(path, &was, "ours", 4, &now, &old, &e) == 0);
	CHECK(1, displaced_changed(&old, 100) == NULL);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", old.fd);
	fd = open(name, O_WRONLY | O_CLOEXEC | O_TRUNC);
	CHECK(2, fd >= 0 && write(fd, "theirs", 6) == 6);
	late = displaced_changed(&old, 100);
	CHECK_SHOW(3, str_eq(late, "theirs"), "%s", late);
	CHECK(4, displaced_changed(&old, 3) == NULL);
	displaced_clear(&old);
}

#define SOMEBODY 65534
#define GROUP 4242

/* As a server without privilege: another's file in its own folder. */
static int
swap_as_somebody(const char *path, const struct stamp *was)
{
	const gid_t group = GROUP;
	struct displaced old = DISPLACED_NONE;
	struct stamp now;
	struct err e = { 0 };

	if (setgroups(1, &group) < 0 || setgid(SOMEBODY) < 0 ||
	    setuid(SOMEBODY) < 0)
		return 2;
	return file_swap(path, was, "new", 3, &now, &old, &e) < 0;
}

/* The owner cannot be kept then, but the group that people share can. */
static void
check_group(void)
{
	AUTO_FREE char *folder = base_printf("%s/group", dir);
	AUTO_FREE char *path = base_printf("%s/file", folder);
	struct err e = { 0 };
	struct stamp was;
	struct stat st;
	int status = -1;
	pid_t pid;

	if (geteuid() != 0)
		return;
	CHECK(0, file_write(path, "old", 3, 0640, &e) == 0 &&
			 chown(path, 0, GROUP) == 0 &&
			 chown(folder, SOMEBODY, SOMEBODY) == 0 &&
			 chmod(dir, 0755) == 0 &&
			 stamp_get(&was, path, &e) == 0);
	pid = fork();
	if (pid == 0)
		_exit(swap_as_somebody(path, &was));
	waitpid(pid, &status, 0);
	CHECK_SHOW(1, status == 0, "status %d", status);
	CHECK(2, holds(path, "new") && stat(path, &st) == 0 &&
			 st.st_uid == SOMEBODY && st.st_gid == GROUP &&
			 (st.st_mode & 07777) == 0640);
}

static void
check_refusals(void)
{
	struct displaced old = DISPLACED_NONE;
	struct stamp was = { .size = -1 }, now;
	struct err e = { 0 };

	CHECK(0, stamp_get(&was, "/proc/nonexistent/x", &e) == 0 &&
			 was.size == -1);
	CHECK(1, file_swap("/proc/nonexistent/x", &was, "", 0, &now, &old, &e) <
				 0 &&
			 e.kind == ERR_REFUSED);
	CHECK(2, old.fd == -1);
}

int
main(void)
{
	AUTO_FREE char *clean = NULL;

	if (!mkdtemp(dir))
		return 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	check_look();
	check_late_writer();
	check_group();
	check_refusals();
	clean = base_printf("rm -r %s", dir);
	CHECK(0, system(clean) == 0);
	return test_end();
}
