#ifndef TESTS_ROOTS_LAB_H
#define TESTS_ROOTS_LAB_H

/* A disk with two versions, in a mount namespace of the test's own: a child
 * stands in version A as a machine does after roots/init.c. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/proc.h"

#include "roots/enter.h"

#include "tests/test.h"

__attribute__((format(printf, 1, 2), noreturn)) static inline void
lab_bail(const char *fmt, ...)
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

/* A `step` that stops at one of the steps: set `at`, and `seen` to 0. */
struct lab_stop {
	size_t at, seen;
};

static inline int
lab_stops(void *ctx, const char *what)
{
	struct lab_stop *s = ctx;

	(void)what;
	return s->seen++ == s->at;
}

static inline void
lab_file(const char *top, const char *path, const char *text)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	struct err e = { 0 };

	if (file_write(whole, text, strlen(text), 0755, &e) < 0)
		lab_bail("%s", e.text);
}

__attribute__((unused)) static bool
lab_holds(const char *path, const char *want)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	return file_read(path, 100, &text, NULL, &e) == 0 && str_eq(text, want);
}

/* `image` NULL: a tmpfs; else a new ext4 in that file. */
static inline void
lab_mount(const char *top, const char *image)
{
	const char *const make[] = { "mkfs.ext4", "-q",   "-F",
				     image,       "160M", NULL };
	const char *const loop[] = { "mount", "-o", "loop", image, top, NULL };
	struct err e = { 0 };

	if (!image && mount("none", top, "tmpfs", 0, NULL) < 0)
		lab_bail("tmpfs: %s", strerror(errno));
	if (image && (proc_ok(make, NULL, &e) < 0 || proc_ok(loop, NULL, &e)))
		lab_bail("%s", e.text);
}

/* What an initramfs mounts. */
static inline void
lab_specials(const char *top)
{
	static const char *const dirs[] = { "dev", "sys", "run", "proc" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO_FREE char *to = base_printf("%s/%s", top, dirs[i]);

		if ((mkdir(to, 0755) < 0 && errno != EEXIST) ||
		    mount("none", to,
			  str_eq(dirs[i], "proc") ? "proc" : "tmpfs", 0,
			  NULL) < 0)
			lab_bail("%s: %s", to, strerror(errno));
	}
}

static inline void
lab_top(const char *top, const char *image)
{
	static const char *const roots[] = { "A", "B" };
	size_t i;

	lab_mount(top, image);
	for (i = 0; i < ARRAY_LEN(roots); i++) {
		AUTO_FREE char *root =
			base_printf("%s/edeploy/roots/%s", top, roots[i]);

		lab_file(root, "sbin/init", "#!");
		lab_file(root, "etc/version", roots[i]);
		lab_file(root, "var/lib/dpkg/status", roots[i]);
		lab_file(root, "mnt/x", "");
	}
	lab_file(top, "edeploy/state/var/lib/db", "state");
	lab_file(top, "edeploy/state/srv/new", "new place");
	lab_specials(top);
}

/* As the machine runs after init: A entered, mounts shared as systemd makes
 * them, an administrator's own mount, one of a single file. */
static inline void
lab_enter(const char *top)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };
	AUTO_FREE char *root = base_printf("%s/edeploy/sysroot", top);
	struct err e = { 0 };

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	enter_plan_make(&plan, top, "A", &places);
	if (enter_do(&plan, &e) < 0)
		lab_bail("%s", e.text);
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		lab_bail("pivot: %s", strerror(errno));
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0 ||
	    mkdir("/mnt/a b", 0755) < 0 ||
	    mount("none", "/mnt/a b", "tmpfs", 0, NULL) < 0 ||
	    mount("/var/lib/db", "/mnt/x", NULL, MS_BIND, NULL) < 0)
		lab_bail("mounts: %s", strerror(errno));
	lab_file("/mnt/a b", "theirs", "kept");
}

static inline int
lab_wait(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			lab_bail("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Pid 1 of its name spaces, which go with it. */
static inline int
lab_first(int (*run)(const char *top), const char *top)
{
	pid_t child;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		lab_bail("mounts: %s", strerror(errno));
	child = fork(); /* nothing can trace pid 1, and so find its leaks */
	if (child == 0)
		exit(run(top));
	return lab_wait(child);
}

static inline int
lab_apart(int (*run)(const char *top), const char *top)
{
	pid_t child;

	if (unshare(CLONE_NEWPID) < 0) {
		test_skip("mounts need root");
		test_end();
		fflush(stdout);
		return 0;
	}
	child = fork();
	if (child == 0)
		_exit(lab_first(run, top));
	return lab_wait(child);
}

/* `run` in mounts and processes of its own; its exit code, and a test that is
 * skipped when there may be none. */
static inline int
lab_run(int (*run)(const char *top))
{
	char top[] = "/tmp/edeploy-lab-XXXXXX";
	pid_t child;
	int status;

	if (!mkdtemp(top))
		lab_bail("mkdtemp");
	fflush(stdout);
	child = fork();
	if (child == 0)
		_exit(lab_apart(run, top));
	status = lab_wait(child);
	rmdir(top);
	return status;
}

/* lab_run() with a file beside it, made of `image`, a pattern of mkstemp(). */
static inline int
lab_run_on(char *image, int (*run)(const char *top))
{
	int fd = mkstemp(image), status;

	if (fd < 0)
		lab_bail("%s: %s", image, strerror(errno));
	close(fd);
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	status = lab_run(run);
	unlink(image);
	return status;
}

#endif
