/* The move of a running system into another version, in a mount namespace of
 * the test's own: a child enters version A as roots/init.c does and moves to B,
 * with each step stopped once before. */
#include <sys/statvfs.h>

#include "lib/buf.h"
#include "lib/mounts.h"

#include "roots/live.h"

#include "tests/roots/lab.h"

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
		lab_bail("%s", e.text);
	for (i = 0; i < m.len; i++)
		buf_printf(&out, "%s %s %s\n", m.at[i].where, m.at[i].from,
			   m.at[i].fstype);
	return buf_take(&out);
}

static bool
has_flags(const char *path, unsigned long mask, unsigned long want)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && (fs.f_flag & mask) == want;
}

static void
check_flags(void)
{
	unsigned long guard = ST_NOSUID | ST_NODEV;

	CHECK(110, has_flags("/", guard | ST_NOATIME, ST_NOATIME));
	CHECK(111, has_flags("/var", guard, 0));
	CHECK(112, has_flags("/var/lib/dpkg", guard, 0));
	CHECK(113, has_flags("/srv", guard, 0));
	CHECK(114, has_flags("/edeploy", guard, guard));
}

static void
move_on(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_FREE char *before = picture();
	struct lab_stop stop = { 0 };
	struct live_opts o = { .version = "B",
			       .places = &places,
			       .step = lab_stops,
			       .ctx = &stop };
	struct err e = { 0 };
	int held = open("/var/lib/dpkg/status", O_RDONLY);
	char text[2] = "";

	enter_places_add(&places, true, "var");
	enter_places_add(&places, true, "srv");
	enter_places_add(&places, false, "var/lib/dpkg");

	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_NOATIME, NULL) < 0)
		lab_bail("noatime: %s", strerror(errno));
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
		CHECK(stop.at, lab_holds("/etc/version", "A"));
	}
	CHECK_SHOW(100, stop.at > 8 && stop.at < 100, "%zu", stop.at);
	CHECK(101, lab_holds("/etc/version", "B"));
	CHECK(102, lab_holds("/var/lib/dpkg/status", "B"));
	CHECK(103, lab_holds("/var/lib/db", "state"));
	CHECK(104, lab_holds("/srv/new", "new place"));
	CHECK(105, lab_holds("/mnt/a b/theirs", "kept"));
	CHECK(106, lab_holds("/mnt/x", "state"));
	CHECK(107, lab_holds("/edeploy/roots/A/etc/version", "A"));
	CHECK(108, pread(held, text, 1, 0) == 1 && str_eq(text, "A"));
	CHECK(109, !lab_holds("/edeploy/sysroot/r/etc/version", "B"));
	check_flags();
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
				       .places = &places };

		CHECK_SHOW(i, live_switch(&o, &e) == 0, "%s", e.text);
		CHECK(i, lab_holds("/etc/version", versions[i]));
		CHECK(i, lab_holds("/var/lib/dpkg/status", versions[i]));
		/* which B had for a place, and these have not */
		CHECK(i, !file_exists("/srv/new"));
	}
	first = picture();
	{
		struct live_opts o = { .version = "C", .places = &places };
		AUTO_FREE char *after = NULL;

		CHECK(10, live_switch(&o, &e) < 0 && e.kind == ERR_SYS);
		unlink("/edeploy/roots/B/sbin/init");
		o.version = "B";
		CHECK(11, live_switch(&o, &e) < 0 && strstr(e.text, "init"));
		after = picture();
		CHECK_SHOW(12, str_eq(first, after), "%s---\n%s", first, after);
	}
}

/* A shell of a container, or of a service with mounts of its own. */
static void
test_namespace_check(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = "B", .places = &places };
	struct err e = { 0 };
	int status = 0;
	pid_t child = fork();

	if (child == 0)
		_exit(unshare(CLONE_NEWNS) < 0    ? 1
		      : live_switch(&o, &e) == 0  ? 2
		      : e.kind != ERR_REFUSED     ? 3
		      : !strstr(e.text, "log in") ? 4
						  : 0);
	waitpid(child, &status, 0);
	CHECK_SHOW(20, status == 0, "%d", status >> 8);
	CHECK(20, lab_holds("/etc/version", "A"));
}

/* ---- the kernel that goes on ---- */

/* Entered A by a boot; B has no such modules, C has its own. */
static void
keep_modules(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = "B", .places = &places };
	AUTO_FREE char *running = NULL;
	struct err e = { 0 };

	lab_file("/edeploy/roots/A", "usr/lib/modules/6.1/x.ko", "A's");
	lab_file("/edeploy/roots/B", "usr/lib/modules/6.2/x.ko", "B's");
	lab_file("/edeploy/roots/B", "sbin/init", "#!");
	if (symlink("usr/lib", "/edeploy/roots/A/lib") < 0 ||
	    symlink("/usr/lib", "/edeploy/roots/B/lib") < 0)
		lab_bail("links");
	CHECK_SHOW(0, live_switch(&o, &e) == 0, "%s", e.text);
	running = live_running(&e);
	CHECK(0, running && str_eq(running, "B"));
	CHECK(1, live_keep_modules("A", "6.0", &e) == 0);
	CHECK(1, !file_exists("/lib/modules/6.0"));
	CHECK(2, live_keep_modules("A", "6.1", &e) == 0);
	CHECK(2, lab_holds("/lib/modules/6.1/x.ko", "A's"));
	CHECK(2, lab_holds("/lib/modules/6.2/x.ko", "B's"));
	/* what is there is enough; nothing of A's came into B's tree */
	CHECK(3, live_keep_modules("A", "6.2", &e) == 0);
	CHECK(3, lab_holds("/lib/modules/6.2/x.ko", "B's"));
	CHECK(4, !file_exists("/edeploy/roots/B/usr/lib/modules/6.1/x.ko"));
	o.version = "A";
	CHECK_SHOW(5, live_switch(&o, &e) == 0, "%s", e.text);
	CHECK(5, lab_holds("/lib/modules/6.1/x.ko", "A's"));
	CHECK(5, !file_exists("/lib/modules/6.2"));
}

static bool
is_shared(const char *where)
{
	AUTO_CLEAR(mounts) m = { 0 };
	struct err e = { 0 };
	bool shared = false;
	size_t i;

	if (mounts_read(&m, &e) < 0)
		lab_bail("%s", e.text);
	for (i = 0; i < m.len; i++)
		if (str_eq(m.at[i].where, where))
			shared = m.at[i].shared;
	return shared;
}

/* What a switch that was killed leaves is gone after the next; what was
 * private is private still. */
static void
after_a_kill(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = "B", .places = &places };
	AUTO_FREE char *before = NULL;
	AUTO_FREE char *after = NULL;
	struct err e = { 0 };

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	CHECK_SHOW(0, live_switch(&o, &e) == 0, "%s", e.text);
	o.version = "A";
	CHECK_SHOW(0, live_switch(&o, &e) == 0, "%s", e.text);
	o.version = "B";
	before = picture();
	if (mount("edeploy", "/edeploy/sysroot", "tmpfs", 0, NULL) < 0 ||
	    mkdir("/edeploy/sysroot/r", 0755) < 0 ||
	    mount("/", "/edeploy/sysroot/r", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "/mnt/a b", NULL, MS_PRIVATE, NULL) < 0)
		lab_bail("remains: %s", strerror(errno));
	CHECK_SHOW(0, live_switch(&o, &e) == 0, "%s", e.text);
	o.version = "A";
	CHECK_SHOW(1, live_switch(&o, &e) == 0, "%s", e.text);
	after = picture();
	CHECK_SHOW(2, str_eq(before, after), "%s---\n%s", before, after);
	CHECK(3, is_shared("/") && is_shared("/var") && is_shared("/run"));
	CHECK(4, !is_shared("/mnt/a b"));
}

/* Where it is killed, by the step before. */
static int
end_there(void *ctx, const char *what)
{
	if (str_eq(what, ctx))
		_exit(0);
	return 0;
}

/* Who comes from outside, by setns(2), stands in the old root. */
static int
come_from_outside(void)
{
	struct err e = { 0 };
	AUTO_FREE char *running = NULL;

	if (chroot("/..") < 0)
		return 1;
	running = live_running(&e);
	return running               ? 2
	       : e.kind != ERR_INPUT ? 3
	       : !strstr(e.text, "this shell stands in A still, and the "
				 "system has moved to B")
		       ? 4
		       : 0;
}

/* Behind the instant, and the system stands in B with A over it. */
static void
killed_behind(void)
{
	static const char *const versions[] = { "A", "B" };
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_FREE char *before = picture();
	AUTO_FREE char *after = NULL;
	struct err e = { 0 };
	size_t i;

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	for (i = 0; i < 4; i++) {
		char word[] = "the old root";
		struct live_opts o = { .version = versions[(i + 1) % 2],
				       .places = &places,
				       .step = end_there,
				       .ctx = word };
		AUTO_FREE char *running = NULL;
		pid_t child = fork();

		if (child == 0)
			_exit(live_switch(&o, &e) == 0 ? 1 : 2);
		CHECK(i, lab_wait(child) == 0);
		running = live_running(&e);
		CHECK(i, running && str_eq(running, o.version));
		CHECK(i, lab_holds("/../etc/version", versions[i % 2]));
		/* at once, or by the move that comes next */
		if (i % 2 == 0) {
			child = fork();
			if (child == 0)
				_exit(come_from_outside());
			CHECK_SHOW(i, lab_wait(child) == 0, "from outside");
			continue;
		}
		CHECK_SHOW(i, live_finish(&e) == 0, "%s", e.text);
		CHECK(i, lab_holds("/../etc/version", o.version));
		CHECK(i, is_shared("/") && is_shared("/var") &&
				 is_shared("/var/lib/dpkg"));
		CHECK(i, !is_shared("/mnt/a b"));
		CHECK(i, live_finish(&e) == 0);
	}
	after = picture();
	CHECK_SHOW(4, str_eq(before, after), "%s---\n%s", before, after);
}

/* /var, /var/lib/dpkg of A; in B the one is in another class. */
static void
change_classes(void)
{
	AUTO_CLEAR(enter_places) a = { 0 };
	AUTO_CLEAR(enter_places) b = { 0 };
	struct live_opts o = { .version = "B", .places = &b };
	AUTO_FREE char *before = picture();
	AUTO_FREE char *after = NULL;
	struct err e = { 0 };

	enter_places_add(&a, true, "var");
	enter_places_add(&a, false, "var/lib/dpkg");
	/* somebody's own mount below what would go */
	if (mkdir("/var/own", 0755) < 0 ||
	    mount("none", "/var/own", "tmpfs", 0, NULL) < 0)
		lab_bail("own: %s", strerror(errno));
	CHECK(0, live_switch(&o, &e) < 0 && e.kind == ERR_REFUSED &&
			 strstr(e.text, "/var/own is mounted on or below"));
	umount2("/var/own", MNT_DETACH);
	rmdir("/var/own");
	CHECK_SHOW(1, live_switch(&o, &e) == 0, "%s", e.text);
	CHECK(1, lab_holds("/etc/version", "B"));
	CHECK(1, !file_exists("/var/lib/db"));
	CHECK(1, lab_holds("/var/lib/dpkg/status", "B"));
	o.version = "A";
	o.places = &a;
	CHECK_SHOW(2, live_switch(&o, &e) == 0, "%s", e.text);
	CHECK(2, lab_holds("/var/lib/db", "state"));
	CHECK(2, lab_holds("/var/lib/dpkg/status", "A"));
	after = picture();
	/* mounted anew, so in another order */
	CHECK_SHOW(3, strlen(before) == strlen(after), "%s---\n%s", before,
		   after);
}

/* What is mounted below a folder of A's own, which is state in B. */
static void
mounts_below_a_new_place(void)
{
	AUTO_CLEAR(enter_places) a = { 0 };
	AUTO_CLEAR(enter_places) b = { 0 };
	struct live_opts o = { .version = "B", .places = &b };
	struct err e = { 0 };

	enter_places_add(&a, true, "var");
	enter_places_add(&a, false, "var/lib/dpkg");
	enter_places_add(&b, true, "var");
	enter_places_add(&b, false, "var/lib/dpkg");
	enter_places_add(&b, true, "vol");
	lab_file("/edeploy/roots/A", "vol/rows", "A's");
	lab_file("/edeploy/roots/A", "vol/nas/covered", "A's");
	if (symlink("../roots/A/vol", "/edeploy/state/vol") < 0 ||
	    mount("none", "/vol/nas", "tmpfs", 0, NULL) < 0)
		lab_bail("vol: %s", strerror(errno));
	lab_file("/vol/nas", "far", "away");
	CHECK_SHOW(1, live_switch(&o, &e) == 0, "%s", e.text);
	CHECK(1, lab_holds("/etc/version", "B"));
	CHECK(1, lab_holds("/vol/rows", "A's"));
	CHECK(1, lab_holds("/vol/nas/far", "away"));
	lab_file("/vol", "new", "B's");
	o.version = "A";
	o.places = &a;
	CHECK(2, live_switch(&o, &e) < 0 && e.kind == ERR_REFUSED &&
			 strstr(e.text, "/vol/nas is mounted on or below"));
	umount2("/vol/nas", MNT_DETACH);
	CHECK_SHOW(3, live_switch(&o, &e) == 0, "%s", e.text);
	CHECK(3, lab_holds("/vol/new", "B's"));
	CHECK(3, lab_holds("/vol/nas/covered", "A's"));
}

static int
run(const char *top)
{
	lab_top(top, NULL);
	lab_enter(top);
	test_namespace_check();
	move_on();
	move_about();
	keep_modules();
	after_a_kill();
	killed_behind();
	change_classes();
	mounts_below_a_new_place();
	return test_end();
}

int
main(void)
{
	return lab_run(run);
}
