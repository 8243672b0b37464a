/* Who runs old files after a live switch: real programs, started in version A
 * and looked for in version B. */
#include <signal.h>

#include "roots/live.h"

#include "tests/roots/lab.h"

static const char *program; /* tests/roots/daemon.c */

/* ---- programs ---- */

static void
put(const char *root, const char *path, const char *more)
{
	AUTO_FREE char *whole = base_printf("%s/%s", root, path);
	AUTO_FREE char *bytes = NULL;
	struct err e = { 0 };
	size_t len;

	if (file_read(program, 64 << 20, &bytes, &len, &e) < 0 ||
	    file_write(whole, bytes, len, 0755, &e) < 0 ||
	    file_append(whole, more, strlen(more), 0755, &e) < 0)
		lab_bail("%s", e.text);
}

/* Its pid, when it runs. */
static pid_t
start(const char *path, bool own_mounts)
{
	int ready[2];
	pid_t child;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		lab_bail("pipe");
	child = fork();
	if (child == 0) {
		if (own_mounts && unshare(CLONE_NEWNS) < 0)
			_exit(1);
		dup2(ready[1], 1);
		execl(path, path, NULL);
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		lab_bail("%s does not start", path);
	close(ready[0]);
	return child;
}

/* ---- looking ---- */

struct want {
	const char *what;
	const char *program;
	bool own_mounts;
	const char *path; /* that is told; NULL: none */
	pid_t pid;
	int seen;
	bool right;
};

static struct want wants[] = {
	{ "the very same file", "/sbin/shared", false, NULL, 0, 0, true },
	{ "a copy of the same content", "/sbin/copied", false, NULL, 0, 0,
	  true },
	{ "a file that changed", "/sbin/changed", false, "/sbin/changed", 0, 0,
	  true },
	{ "the same length, other bytes", "/sbin/alike", false, "/sbin/alike",
	  0, 0, true },
	{ "a file that went", "/sbin/gone", false, "/sbin/gone", 0, 0, true },
	{ "state", "/var/lib/own", false, NULL, 0, 0, true },
	{ "mounts of its own", "/sbin/shared", true, "/", 0, 0, true },
	{ "not of this file system", "/mnt/a b/other", false, NULL, 0, 0,
	  true },
};

static void
take(void *ctx, const struct straggler *s)
{
	size_t i;

	(void)ctx;
	for (i = 0; i < ARRAY_LEN(wants); i++)
		if (wants[i].pid == s->pid) {
			wants[i].seen++;
			wants[i].right = wants[i].path &&
					 str_eq(s->path, wants[i].path) &&
					 strstr(wants[i].program, s->name);
		}
}

static void
check(size_t base, bool moved)
{
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(wants); i++)
		wants[i].seen = 0;
	CHECK_SHOW(base, live_stragglers(take, NULL, &e) == 0, "%s", e.text);
	for (i = 0; i < ARRAY_LEN(wants); i++) {
		CHECK_SHOW(base + i,
			   wants[i].seen == (moved && wants[i].path ? 1 : 0),
			   "%s: seen %d times", wants[i].what, wants[i].seen);
		CHECK_SHOW(base + i, wants[i].right, "%s", wants[i].what);
	}
}

static void
make_programs(const char *top)
{
	AUTO_FREE char *a = base_printf("%s/edeploy/roots/A", top);
	AUTO_FREE char *b = base_printf("%s/edeploy/roots/B", top);
	AUTO_FREE char *from = base_printf("%s/sbin/shared", a);
	AUTO_FREE char *to = base_printf("%s/sbin/shared", b);

	put(a, "sbin/shared", "");
	if (link(from, to) < 0)
		lab_bail("link");
	put(a, "sbin/copied", "");
	put(b, "sbin/copied", "");
	put(a, "sbin/changed", "");
	put(b, "sbin/changed", "more");
	put(a, "sbin/alike", "x");
	put(b, "sbin/alike", "y");
	put(a, "sbin/gone", "");
	put(top, "edeploy/state/var/lib/own", "");
}

static void
move_to(const char *version)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = version, .places = &places };
	struct err e = { 0 };

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	if (live_switch(&o, &e) < 0)
		lab_bail("%s", e.text);
}

static int
run(const char *top)
{
	size_t i;

	lab_top(top, NULL);
	make_programs(top);
	lab_enter(top);
	program = "/sbin/copied"; /* what stood outside is out of reach */
	put("/mnt/a b", "other", "");
	for (i = 0; i < ARRAY_LEN(wants); i++)
		wants[i].pid = start(wants[i].program, wants[i].own_mounts);
	check(100, false);
	move_to("B");
	check(200, true);
	move_to("A");
	check(300, false);
	for (i = 0; i < ARRAY_LEN(wants); i++) {
		kill(wants[i].pid, SIGKILL);
		waitpid(wants[i].pid, NULL, 0);
	}
	check(400, false);
	return test_end();
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	program = argv[1];
	return lab_run(run);
}
