/* The move of a running system into another version, in a mount namespace of
 * the test's own: a child enters version A as roots/init.c does and moves to B,
 * with each step stopped once before. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/live.h"

#include "tests/test.h"

/* ---- a disk with two versions ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void
bail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("Bail out! ", stdout);
	vprintf(fmt, ap);
	puts("");
	va_end(ap);
	fflush(stdout);
	_exit(1);
}

static void
make(const char *top, const char *path, const char *text)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	struct err e = { 0 };

	if (file_write(whole, text, strlen(text), 0755, &e) < 0)
		bail("%s", e.text);
}

static bool
holds(const char *path, const char *want)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	return file_read(path, 100, &text, NULL, &e) == 0 && str_eq(text, want);
}

static void
make_top(const char *top)
{
	static const char *const roots[] = { "A", "B" };
	static const char *const dirs[] = { "dev", "sys", "run", "proc" };
	size_t i;

	if (mount("none", top, "tmpfs", 0, NULL) < 0)
		bail("tmpfs: %s", strerror(errno));
	for (i = 0; i < ARRAY_LEN(roots); i++) {
		AUTO_FREE char *root =
			base_printf("%s/edeploy/roots/%s", top, roots[i]);

		make(root, "sbin/init", "#!");
		make(root, "etc/version", roots[i]);
		make(root, "var/lib/dpkg/status", roots[i]);
		make(root, "mnt/x", "");
	}
	make(top, "edeploy/state/var/lib/db", "state");
	make(top, "edeploy/state/srv/new", "new place");
	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO_FREE char *to = base_printf("%s/%s", top, dirs[i]);
		AUTO_FREE char *from = base_printf("/%s", dirs[i]);

		if (mkdir(to, 0755) < 0 ||
		    (str_eq(dirs[i], "proc")
			     ? mount(from, to, NULL, MS_BIND | MS_REC, NULL)
			     : mount("none", to, "tmpfs", 0, NULL)) < 0)
			bail("%s: %s", to, strerror(errno));
	}
}

/* As the machine runs after init: A entered, mounts shared as systemd makes
 * them, an administrator's own mount, one of a single file. */
static void
enter_a(const char *top)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };
	AUTO_FREE char *root = base_printf("%s/edeploy/sysroot", top);
	struct err e = { 0 };

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	enter_plan_make(&plan, top, "A", &places);
	if (enter_do(&plan, &e) < 0)
		bail("%s", e.text);
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		bail("pivot: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0 ||
	    mkdir("/mnt/a b", 0755) < 0 ||
	    mount("none", "/mnt/a b", "tmpfs", 0, NULL) < 0 ||
	    mount("/var/lib/db", "/mnt/x", NULL, MS_BIND, NULL) < 0)
		bail("mounts: %s", strerror(errno));
	make("/mnt/a b", "theirs", "kept");
}

/* ---- the checks ---- */

/* All mounts as text, ids left out. */
static char *
picture(void)
{
	AUTO_CLEAR(mounts) m = { 0 };
	AUTO_CLEAR(buf) out = { 0 };
	struct err e = { 0 };
	size_t i;

	if (mounts_read(&m, &e) < 0)
		bail("%s", e.text);
	for (i = 0; i < m.len; i++)
		buf_printf(&out, "%s %s %s\n", m.at[i].where, m.at[i].from,
			   m.at[i].fstype);
	return buf_take(&out);
}

struct stop {
	size_t at, seen;
};

static int
stop_there(void *ctx, const char *what)
{
	struct stop *s = ctx;

	(void)what;
	return s->seen++ == s->at;
}

static void
move_on(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_FREE char *before = picture();
	struct stop stop = { 0 };
	struct live_opts o = { .version = "B",
			       .places = &places,
			       .any_namespace = true,
			       .step = stop_there,
			       .ctx = &stop };
	struct err e = { 0 };
	int held = open("/var/lib/dpkg/status", O_RDONLY);
	char text[2] = "";

	enter_places_add(&places, true, "var");
	enter_places_add(&places, true, "srv");
	enter_places_add(&places, false, "var/lib/dpkg");

	/* stopped before each step: nothing has changed */
	for (stop.at = 0; stop.at < 100; stop.at++) {
		AUTO_FREE char *after = NULL;

		stop.seen = 0;
		if (live_switch(&o, &e) == 0)
			break;
		CHECK(stop.at, e.kind == ERR_REFUSED);
		after = picture();
		CHECK_SHOW(stop.at, str_eq(before, after), "%s---\n%s", before,
			   after);
		CHECK(stop.at, holds("/etc/version", "A"));
	}
	CHECK_SHOW(100, stop.at > 8 && stop.at < 100, "%zu", stop.at);
	CHECK(101, holds("/etc/version", "B"));
	CHECK(102, holds("/var/lib/dpkg/status", "B"));
	CHECK(103, holds("/var/lib/db", "state"));
	CHECK(104, holds("/srv/new", "new place"));
	CHECK(105, holds("/mnt/a b/theirs", "kept"));
	CHECK(106, holds("/mnt/x", "state"));
	CHECK(107, holds("/edeploy/roots/A/etc/version", "A"));
	CHECK(108, pread(held, text, 1, 0) == 1 && str_eq(text, "A"));
	CHECK(109, !holds("/edeploy/sysroot/r/etc/version", "B"));
	close(held);
}

/* There and back, as often as one likes; what cannot be moved to is refused. */
static void
move_about(void)
{
	static const char *const versions[] = { "A", "B", "A" };
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_FREE char *first = NULL;
	struct err e = { 0 };
	size_t i;

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	for (i = 0; i < ARRAY_LEN(versions); i++) {
		struct live_opts o = { .version = versions[i],
				       .places = &places,
				       .any_namespace = true };

		CHECK_SHOW(i, live_switch(&o, &e) == 0, "%s", e.text);
		CHECK(i, holds("/etc/version", versions[i]));
		CHECK(i, holds("/var/lib/dpkg/status", versions[i]));
	}
	first = picture();
	{
		struct live_opts o = { .version = "C",
				       .places = &places,
				       .any_namespace = true };
		AUTO_FREE char *after = NULL;

		CHECK(10, live_switch(&o, &e) < 0 && e.kind == ERR_SYS);
		unlink("/edeploy/roots/B/sbin/init");
		o.version = "B";
		CHECK(11, live_switch(&o, &e) < 0 && strstr(e.text, "init"));
		after = picture();
		CHECK_SHOW(12, str_eq(first, after), "%s---\n%s", first, after);
	}
}

static void
test_namespace_check(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = "B", .places = &places };
	struct err e = { 0 };

	CHECK_SHOW(20, live_switch(&o, &e) < 0 && strstr(e.text, "log in"),
		   "%s", e.text);
	CHECK(20, e.kind == ERR_REFUSED);
}

/* In a child, whose name space goes with it. */
static int
run(const char *top)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		test_skip("mounts need root");
		return test_end();
	}
	make_top(top);
	test_namespace_check();
	enter_a(top);
	move_on();
	move_about();
	return test_end();
}

int
main(void)
{
	char top[] = "/tmp/edeploy-live-XXXXXX";
	int status = 0;
	pid_t child;

	if (!mkdtemp(top))
		bail("mkdtemp");
	fflush(stdout);
	child = fork();
	if (child == 0)
		exit(run(top));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			bail("wait");
	rmdir(top);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
