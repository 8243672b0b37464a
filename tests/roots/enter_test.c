/* The places of a root, the plan of its mounts, and, in a mount namespace of
 * the test's own, the mounts themselves. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"

#include "roots/enter.h"

#include "tests/test.h"

#define HEADER "# edeploy mounts 1\n"

static const struct {
	const char *what, *text, *want; /* NULL: taken */
} texts[] = {
	{ "none", HEADER, NULL },
	{ "some", HEADER "state var\nstate usr/local\nversion var/lib/dpkg\n",
	  NULL },
	{ "dots inside", HEADER "state a..b/.c\n", NULL },
	{ "empty", "", "line 1" },
	{ "cut", HEADER "state var", "line 2" },
	{ "kind", HEADER "mount var\n", "line 2" },
	{ "absolute", HEADER "state var\nstate /var\n", "line 3" },
	{ "up", HEADER "state var/../etc\n", "line 2" },
	{ "dot", HEADER "state ./var\n", "line 2" },
	{ "double slash", HEADER "state var//lib\n", "line 2" },
	{ "slash at the end", HEADER "state var/\n", "line 2" },
	{ "nothing", HEADER "state \n", "line 2" },
	{ "blank", HEADER "state a b\n", "line 2" },
	{ "empty line", HEADER "\n", "line 2" },
};

static void
test_texts(void)
{
	AUTO_CLEAR(buf) many = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		AUTO_CLEAR(enter_places) p = { 0 };
		struct err e = { 0 };
		int bad = enter_places_parse(&p, texts[i].text, "V.mounts", &e);

		CHECK_SHOW(i, (bad == 0) == !texts[i].want, "%s: %s",
			   texts[i].what, e.text);
		if (texts[i].want) {
			CHECK_SHOW(i, strstr(e.text, texts[i].want), "%s",
				   e.text);
		} else {
			AUTO_FREE char *again = enter_places_text(&p);

			CHECK(i, str_eq(again, texts[i].text));
		}
	}
	buf_str(&many, HEADER);
	for (i = 0; i <= ENTER_PLACES_MAX; i++) {
		AUTO_CLEAR(enter_places) p = { 0 };
		struct err e = { 0 };
		int bad = enter_places_parse(&p, buf_text(&many), "m", &e);

		CHECK(i, bad == 0 && p.len == i);
		buf_str(&many, "state var\n");
	}
	{
		AUTO_CLEAR(enter_places) p = { 0 };
		struct err e = { 0 };

		CHECK(99, enter_places_parse(&p, buf_text(&many), "m", &e) < 0);
	}
}

static const char *
kind_text(enum enter_kind k)
{
	return k == ENTER_BIND ? "bind" : k == ENTER_MOVE ? "move" : "guard";
}

static void
test_plan(void)
{
	static const char want[] =
		"bind /edeploy/roots/B /edeploy/sysroot\n"
		"bind /edeploy/state/var /edeploy/sysroot/var\n"
		"bind /edeploy/roots/B/var/lib/dpkg "
		"/edeploy/sysroot/var/lib/dpkg\n"
		"bind /edeploy /edeploy/sysroot/edeploy\n"
		"guard  /edeploy/sysroot/edeploy\n"
		"move /dev /edeploy/sysroot/dev\n"
		"move /proc /edeploy/sysroot/proc\n"
		"move /sys /edeploy/sysroot/sys\n"
		"move /run /edeploy/sysroot/run\n";
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };
	AUTO_CLEAR(buf) got = { 0 };
	size_t i;

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	enter_plan_make(&plan, "", "B", &places);
	for (i = 0; i < plan.len; i++)
		buf_printf(&got, "%s %s %s\n", kind_text(plan.step[i].kind),
			   plan.step[i].from, plan.step[i].to);
	CHECK_SHOW(0, str_eq(buf_text(&got), want), "%s", buf_text(&got));
}

/* ---- for real ---- */

__attribute__((format(printf, 1, 2), noreturn)) static void
test_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("Bail out! ", stdout);
	vprintf(fmt, ap);
	puts("");
	va_end(ap);
	exit(1);
}

static void
make(const char *top, const char *path, const char *text)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	struct err e = { 0 };

	if (file_write(whole, text, strlen(text), 0755, &e) < 0)
		test_die("%s", e.text);
}

static bool
holds(const char *top, const char *path, const char *want)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	return file_read(whole, 100, &text, NULL, &e) == 0 &&
	       str_eq(text, want);
}

static size_t
mounts_below(const char *top)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	size_t n = 0;
	const char *c;

	if (file_read("/proc/self/mountinfo", 1 << 20, &text, NULL, &e) < 0)
		test_die("%s", e.text);
	for (c = text; (c = strstr(c, top)); c++)
		n++;
	return n;
}

/* A top with two versions on a tmpfs. */
static void
make_top(const char *top)
{
	static const char *const dirs[] = { "dev", "proc", "sys", "run" };
	size_t i;

	if (mount("none", top, "tmpfs", 0, NULL) < 0 ||
	    mount(NULL, top, NULL, MS_PRIVATE, NULL) < 0)
		test_die("tmpfs: %s", strerror(errno));
	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO_FREE char *dir = base_printf("%s/%s", top, dirs[i]);

		if (mkdir(dir, 0755) < 0 ||
		    mount("none", dir, "tmpfs", 0, NULL) < 0)
			test_die("%s: %s", dir, strerror(errno));
		make(dir, "here", dirs[i]);
	}
	make(top, "edeploy/roots/B/usr/bin/x", "B's");
	make(top, "edeploy/roots/B/var/lib/dpkg/status", "B's packages");
	make(top, "edeploy/roots/B/var/lib/other", "not to be seen");
	make(top, "edeploy/state/var/lib/db", "state");
}

static void
test_mounts(const char *top)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };
	struct err e = { 0 };
	size_t before, i;
	char *good;

	make_top(top);
	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	enter_places_add(&places, true, "srv"); /* nowhere yet */
	enter_plan_make(&plan, top, "B", &places);
	before = mounts_below(top);

	/* whichever step fails, nothing of the others is left */
	for (i = 0; i < plan.len; i++) {
		good = plan.step[i].to;
		plan.step[i].to =
			base_printf("%s/edeploy/roots/B/usr/bin/x/no", top);
		CHECK(i, enter_do(&plan, &e) < 0 && e.kind == ERR_SYS);
		CHECK(i, mounts_below(top) == before);
		CHECK(i, holds(top, "proc/here", "proc"));
		free(plan.step[i].to);
		plan.step[i].to = good;
	}

	CHECK_SHOW(50, enter_do(&plan, &e) == 0, "%s", e.text);
	CHECK(51, holds(top, "edeploy/sysroot/usr/bin/x", "B's"));
	CHECK(52, holds(top, "edeploy/sysroot/var/lib/db", "state"));
	CHECK(53,
	      !holds(top, "edeploy/sysroot/var/lib/other", "not to be seen"));
	CHECK(54, holds(top, "edeploy/sysroot/var/lib/dpkg/status",
			"B's packages"));
	CHECK(55,
	      holds(top, "edeploy/sysroot/edeploy/state/var/lib/db", "state"));
	CHECK(56, holds(top, "edeploy/sysroot/run/here", "run"));
	CHECK(57, !holds(top, "run/here", "run"));
}

static void
test_init_program(const char *top)
{
	AUTO_FREE char *root = base_printf("%s/edeploy/roots/B", top);
	AUTO_FREE char *sbin = base_printf("%s/sbin", root);
	AUTO_FREE char *init = base_printf("%s/sbin/init", root);
	struct err e = { 0 };

	CHECK(60, enter_check_init(root, &e) < 0 &&
			  strstr(e.text, "no /sbin/init"));
	/* absolute, as Debian's is: it must not lead to this system's */
	if (mkdir(sbin, 0755) < 0 || symlink("/lib/systemd/systemd", init) < 0)
		test_die("%s", init);
	CHECK(61, enter_check_init(root, &e) < 0);
	make(root, "lib/systemd/systemd", "");
	CHECK(62,
	      enter_check_init(root, &e) < 0 && strstr(e.text, "no program"));
	make(root, "lib/systemd/systemd", "#!");
	CHECK_SHOW(63, enter_check_init(root, &e) == 0, "%s", e.text);
}

int
main(void)
{
	char top[] = "/tmp/edeploy-enter-XXXXXX";

	test_texts();
	test_plan();
	if (!mkdtemp(top))
		test_die("mkdtemp");
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
		test_mounts(top);
		test_init_program(top);
		umount2(top, MNT_DETACH);
	} else {
		test_skip("mounts need root");
	}
	rmdir(top);
	return test_end();
}
