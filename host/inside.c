#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "lib/file.h"
#include "lib/proc.h"

#include "roots/enter.h"

#include "host/inside.h"

/* What the child tells its parent. */
struct verdict {
	int bad, status;
	struct err e;
};

static void
pass_on(void *ctx, const char *bytes, size_t len)
{
	struct err ignored;

	fd_write_all(*(const int *)ctx, bytes, len, &ignored);
}

/* The system that runs keeps its own: they are seen in both. */
static void
drop_moves(struct enter_plan *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->len; i++) {
		if (p->step[i].kind != ENTER_MOVE) {
			p->step[n++] = p->step[i];
			continue;
		}
		free(p->step[i].from);
		free(p->step[i].to);
	}
	p->len = n;
}

static int
share_system(const char *sysroot, struct err *e)
{
	static const char *const shared[] = { "dev", "proc", "sys", "run" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(shared); i++) {
		AUTO_FREE char *from = base_printf("/%s", shared[i]);
		AUTO_FREE char *to = base_printf("%s/%s", sysroot, shared[i]);

		if (dir_make(to, 0755, e) < 0)
			return -1;
		if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0)
			return err_sys(e, "mount %s", to);
	}
	/* /edeploy is mounted without setuid and devices, and a root that is
	 * bound from there as well */
	if (mount(NULL, sysroot, NULL, MS_REMOUNT | MS_BIND, NULL) < 0)
		return err_sys(e, "mount %s", sysroot);
	return 0;
}

static int
mount_all(const struct inside *in, const char *sysroot, struct err *e)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "a mount namespace");
	if (enter_places_read(&places, in->on->dir, in->version, e) < 0)
		return -1;
	enter_plan_make(&plan, in->on->top, in->version, &places);
	drop_moves(&plan);
	if (enter_do(&plan, e) < 0)
		return -1;
	return share_system(sysroot, e);
}

static void
be_child(const struct inside *in, const char *const argv[], int to_parent)
{
	AUTO_FREE char *sysroot = base_printf("%s/sysroot", in->on->dir);
	int out = in->quiet ? STDERR_FILENO : STDOUT_FILENO;
	const struct proc_opts o = { .chroot = sysroot,
				     .output = pass_on,
				     .ctx = &out };
	struct verdict v = { 0 };
	struct proc p = { 0 };
	struct err ignored;

	v.bad = mount_all(in, sysroot, &v.e) < 0 ||
		proc_run(argv, &o, &p, &v.e) < 0;
	v.status = p.status;
	proc_clear(&p);
	fd_write_all(to_parent, (const char *)&v, sizeof(v), &ignored);
	_exit(0);
}

static int
hear(int fd, struct verdict *v)
{
	size_t got = 0;

	while (got < sizeof(*v)) {
		ssize_t n = read(fd, (char *)v + got, sizeof(*v) - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		got += (size_t)n;
	}
	return 0;
}

int
inside_run(const struct inside *in, const char *const argv[], int *status,
	   struct err *e)
{
	struct verdict v = { 0 };
	int pair[2], heard;
	pid_t child;

	if (pipe(pair) < 0)
		return err_sys(e, "pipe");
	fflush(stdout);
	child = fork();
	if (child < 0) {
		close(pair[0]);
		close(pair[1]);
		return err_sys(e, "fork");
	}
	if (child == 0) {
		close(pair[0]);
		be_child(in, argv, pair[1]);
	}
	close(pair[1]);
	heard = hear(pair[0], &v);
	close(pair[0]);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (heard < 0)
		return err_set(e, ERR_SYS, "%s: what ran it died", argv[0]);
	*status = v.status;
	if (v.bad)
		*e = v.e;
	return v.bad ? -1 : 0;
}
