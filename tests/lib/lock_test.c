/* One holder at a time, named in the message; a file left behind by a process
 * that died means nothing. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/lock.h"
#include "lib/proc.h"
#include "tests/test.h"

/* A child that takes the lock, says so and holds it until it is killed, or
 * for `hold_ms`. */
static pid_t
start_holder(const char *path, int hold_ms)
{
	struct lock l = LOCK_NONE;
	struct err e = { 0 };
	int ends[2];
	pid_t pid;
	char c;

	if (pipe(ends) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		if (lock_take(&l, path, 0, &e) < 0 ||
		    write(ends[1], "x", 1) != 1)
			_exit(1);
		if (hold_ms < 0)
			pause();
		usleep((useconds_t)hold_ms * 1000);
		_exit(0);
	}
	close(ends[1]);
	if (read(ends[0], &c, 1) != 1)
		pid = -1;
	close(ends[0]);
	return pid;
}

static void
test_two(const char *path)
{
	struct lock l = LOCK_NONE, again = LOCK_NONE;
	struct err e = { 0 };
	AUTO_FREE char *mine = base_printf("%ld", (long)getpid());
	AUTO_FREE char *said = NULL;

	CHECK_SHOW(0, lock_take(&l, path, 0, &e) == 0, "%s", e.text);
	said = file_line("", path);
	CHECK(0, str_eq(said, mine));
	CHECK(1, lock_take(&again, path, 0, &e) < 0 && again.fd == -1 &&
			 e.kind == ERR_REFUSED && strstr(e.text, mine));
	lock_clear(&l);
	CHECK(2, l.fd == -1 && lock_take(&again, path, 0, &e) == 0);
	lock_clear(&again);
	lock_clear(&again);
}

static void
test_other_process(const char *path)
{
	struct lock l = LOCK_NONE;
	struct err e = { 0 };
	pid_t pid = start_holder(path, -1);
	AUTO_FREE char *name = base_printf("process %ld", (long)pid);
	int64_t began = clock_boot_ms();

	CHECK(0, pid > 0);
	CHECK_SHOW(1,
		   lock_take(&l, path, 60, &e) < 0 && strstr(e.text, name) &&
			   strstr(e.text, path),
		   "%s", e.text);
	CHECK(2, clock_boot_ms() - began >= 55);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_SHOW(3, lock_take(&l, path, 0, &e) == 0, "%s", e.text);
	lock_clear(&l);
	pid = start_holder(path, 80);
	CHECK_SHOW(4, lock_take(&l, path, 5000, &e) == 0, "%s", e.text);
	lock_clear(&l);
	waitpid(pid, NULL, 0);
}

/* Nobody makes us write our pid into another file. */
static void
test_link(const char *dir)
{
	AUTO_FREE char *link = base_printf("%s/link", dir);
	AUTO_FREE char *target = base_printf("%s/target", dir);
	AUTO_FREE char *text = NULL;
	struct lock l = LOCK_NONE;
	struct err e = { 0 };

	CHECK(0, file_write(target, "bytes", 5, 0644, &e) == 0 &&
			 symlink(target, link) == 0);
	CHECK(1, lock_take(&l, link, 0, &e) < 0 && e.kind == ERR_SYS &&
			 strstr(e.text, link));
	CHECK(2, file_read(target, 99, &text, NULL, &e) == 0 &&
			 str_eq(text, "bytes"));
	CHECK(3, lock_take(&l, dir, 0, &e) < 0 && e.kind == ERR_SYS);
}

int
main(void)
{
	char dir[] = "/tmp/edeploy-lock-XXXXXX";
	const char *const rm[] = { "rm", "-r", dir, NULL };
	AUTO_FREE char *path = NULL;
	struct err e = { 0 };
	struct stat st;

	CHECK(0, mkdtemp(dir) != NULL);
	path = base_printf("%s/made/too/vm.lock", dir);
	test_two(path);
	CHECK(0, stat(path, &st) == 0 && (st.st_mode & 0777) == 0644);
	test_other_process(path);
	test_link(dir);
	CHECK(0, proc_ok(rm, NULL, &e) == 0);
	return test_end();
}
