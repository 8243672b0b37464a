#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/lock.h"
#include "tests/test.h"

static char dir[] = "/tmp/edeploy-file-XXXXXX";

static void
check_replace(void)
{
	AUTO_FREE char *path = base_printf("%s/a", dir);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	struct stat st;
	char **names;

	CHECK(0, file_replace(path, "one", 3, 0600, &e) == 0);
	CHECK(1, stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	CHECK(2, chmod(path, 0640) == 0);
	CHECK(3, file_replace(path, "two!", 4, 0600, &e) == 0);
	CHECK(4, stat(path, &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK(5, file_read(path, 10, &text, NULL, &e) == 0 &&
			 str_eq(text, "two!"));
	names = dir_names(dir);
	CHECK(6, names && names[0] && !names[1]);
	names_free(names);
	CHECK(9, dir_list("/proc/nonexistent", &names, &e) == 0 && !names[0]);
	names_free(names);
	CHECK(10, dir_list(path, &names, &e) < 0 && e.kind == ERR_SYS);
	CHECK(7,
	      file_read(path, 3, &text, NULL, &e) < 0 && e.kind == ERR_INPUT);
	CHECK(8, file_replace("/proc/nonexistent/x", "a", 1, 0600, &e) < 0 &&
			 e.kind == ERR_SYS);
}

/* The lock is the kernel's: it ends with its holder, not with its file. */
static void
check_lock(void)
{
	AUTO_FREE char *path = base_printf("%s/sub/lock", dir);
	struct lock mine = LOCK_NONE;
	struct err e = { 0 };
	int status = 0;
	pid_t pid;

	CHECK(0, lock_take(&mine, path, 0, &e) == 0);
	pid = fork();
	if (pid == 0) {
		struct lock l = LOCK_NONE;

		_exit(lock_take(&l, path, 50, &e) < 0 && e.kind == ERR_REFUSED
			      ? 7
			      : 0);
	}
	waitpid(pid, &status, 0);
	CHECK(1, WIFEXITED(status) && WEXITSTATUS(status) == 7);
	lock_clear(&mine);
	pid = fork();
	if (pid == 0) {
		struct lock l = LOCK_NONE;

		if (lock_take(&l, path, 0, &e) < 0)
			_exit(1);
		abort(); /* dies holding it */
	}
	waitpid(pid, &status, 0);
	CHECK(2, file_exists(path));
	CHECK(3, lock_take(&mine, path, 0, &e) == 0);
	lock_clear(&mine);
}

/* What a link names stays. */
static void
check_remove(void)
{
	AUTO_FREE char *tree = base_printf("%s/tree", dir);
	AUTO_FREE char *deep = base_printf("%s/a/b", tree);
	AUTO_FREE char *file = base_printf("%s/file", deep);
	AUTO_FREE char *link = base_printf("%s/link", deep);
	AUTO_FREE char *kept = base_printf("%s/kept/file", dir);
	AUTO_FREE char *keep = base_printf("%s/kept", dir);
	struct err e = { 0 };

	CHECK(0, dir_make(deep, 0700, &e) == 0 &&
			 file_write(file, "x", 1, 0600, &e) == 0 &&
			 file_write(kept, "x", 1, 0600, &e) == 0 &&
			 symlink(keep, link) == 0);
	CHECK(1, dir_remove(tree, &e) == 0 && !file_exists(tree));
	CHECK(2, file_exists(kept));
	CHECK(3, dir_remove(tree, &e) == 0);
	CHECK(4, dir_remove("/proc/self/task", &e) < 0 && e.kind == ERR_SYS);
}

int
main(void)
{
	static const struct {
		const char *name;
		bool safe;
	} rows[] = { { "vm", true },  { "a.b-c_9", true }, { "", false },
		     { ".x", false }, { "a/b", false },    { "a b", false },
		     { "..", false } };
	AUTO_FREE char *clean = NULL;
	size_t i;

	if (!mkdtemp(dir))
		return 1;
	check_replace();
	check_lock();
	check_remove();
	for (i = 0; i < ARRAY_LEN(rows); i++)
		CHECK(i, name_is_safe(rows[i].name) == rows[i].safe);
	clean = base_printf("rm -r %s", dir);
	CHECK(0, system(clean) == 0);
	return test_end();
}
