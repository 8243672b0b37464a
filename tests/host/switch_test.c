/* A live switch with everything around it, on an ext4 of its own: what boot.cfg
 * says after each way it can go, in which order things are done, and that each
 * failure leaves all as it was. systemctl is a program that writes down what
 * it is asked. */
#include <signal.h>
#include <sys/utsname.h>

#include "lib/buf.h"

#include "roots/live.h"
#include "roots/state.h"

#include "host/services.h"
#include "host/switch.h"

#include "tests/roots/lab.h"

#define GRUB                                                                   \
	"set ed_kernel='/edeploy/roots/%s/vmlinuz'\n"                          \
	"set ed_initrd='/edeploy/roots/%s/initrd'\n"                           \
	"set ed_args='%s'\n"
#define ALL "good=%s prev=%s try=%s left=%u"

static const char *program; /* tests/roots/daemon.c */
static char image[] = "/tmp/edeploy-switch-XXXXXX";

/* ---- a machine ---- */

static void
put_version(const char *version, const char *kernel, const char *args)
{
	AUTO_FREE char *root = base_printf("/edeploy/roots/%s", version);
	AUTO_FREE char *grub = base_printf("roots/%s.grub", version);
	AUTO_FREE char *mounts = base_printf("roots/%s.mounts", version);
	AUTO_FREE char *text = base_printf(GRUB, version, version, args);

	lab_file(root, "vmlinuz", kernel);
	lab_file(root, "initrd", "initrd");
	lab_file(root, "sbin/init", "#!");
	lab_file("/edeploy", grub, text);
	lab_file("/edeploy", mounts,
		 "# edeploy mounts 1\nstate var\nversion var/lib/dpkg\n");
}

static void
copy_in(const char *top, const char *path)
{
	AUTO_FREE char *whole = base_printf("%s/%s", top, path);
	AUTO_FREE char *bytes = NULL;
	struct err e = { 0 };
	size_t len;

	if (file_read(program, 64 << 20, &bytes, &len, &e) < 0 ||
	    file_write(whole, bytes, len, 0755, &e) < 0)
		lab_bail("%s", e.text);
}

static void
begin(const char *good, const char *trial)
{
	struct state s;
	struct err e = { 0 };

	state_first(&s, good);
	if ((*trial && state_arm(&s, trial, 2, &e) < 0) ||
	    state_write(&s, "/edeploy", &e) < 0)
		lab_bail("%s", e.text);
	unlink("/edeploy/log");
	unlink("/var/lib/calls");
}

static char *
boot_state(void)
{
	struct err e = { 0 };
	struct state s;

	if (state_read(&s, "/edeploy", &e) < 0)
		lab_bail("%s", e.text);
	return base_printf(ALL, s.good, s.prev, s.trial, s.left);
}

/* ---- what a caller does in it ---- */

struct caller {
	const char *fails; /* "merge", "post", "healthy" */
	bool reboot;
	struct buf did;
};

static int
act(struct caller *c, const char *what, struct err *e)
{
	AUTO_FREE char *running = live_running(e);

	buf_printf(&c->did, "%s%s in %s", c->did.len ? ", " : "", what,
		   running ? running : "?");
	if (c->fails && str_eq(c->fails, what))
		return err_set(e, ERR_INPUT, "%s said no", what);
	return 0;
}

static int
merge(void *ctx, struct err *e)
{
	return act(ctx, "merge", e);
}

static int
post(void *ctx, bool *reboot, struct err *e)
{
	*reboot = ((struct caller *)ctx)->reboot;
	return act(ctx, "post", e);
}

static int
healthy(void *ctx, struct err *e)
{
	return act(ctx, "healthy", e);
}

static const struct {
	const char *what;
	const char *good, *trial; /* of boot.cfg, before; A runs */
	const char *to;
	const char *fails;
	bool reboot;
	const char *did, *after, *runs, *says;
	bool proved;
} rows[] = {
	{ "upgrade", "A", "", "B", NULL, false,
	  "merge in A, post in B, healthy in B", "good=B prev=A try= left=0",
	  "B", NULL, true },
	{ "post wants a boot", "A", "", "B", NULL, true,
	  "merge in A, post in B, healthy in B", "good=A prev= try=B left=2",
	  "B", NULL, false },
	{ "other initrd", "A", "", "C", NULL, false,
	  "merge in A, post in C, healthy in C", "good=A prev= try=C left=2",
	  "C", NULL, false },
	{ "merge fails", "A", "", "B", "merge", false, "merge in A",
	  "good=A prev= try= left=0", "A", "merge said no", false },
	{ "post fails", "A", "", "B", "post", false, "merge in A, post in B",
	  "good=A prev= try= left=0", "A", "left again", false },
	{ "never well", "A", "", "B", "healthy", false,
	  "merge in A, post in B, healthy in B", "good=A prev= try= left=0",
	  "A", "left again", false },
	{ "another is on trial", "A", "C", "B", NULL, false, "",
	  "good=A prev= try=C left=2", "A", "C is on trial", false },
	{ "a trial is taken back", "B", "A", "B", NULL, false,
	  "merge in A, post in B, healthy in B", "good=B prev= try= left=0",
	  "B", NULL, true },
	{ "taking back fails", "B", "A", "B", "post", false,
	  "merge in A, post in B", "good=B prev= try=A left=2", "A",
	  "left again", false },
	{ "runs already", "A", "", "A", NULL, false, "",
	  "good=A prev= try= left=0", "A", "runs already", false },
	{ "no such version", "A", "", "D", NULL, false, "",
	  "good=A prev= try= left=0", "A", "D.mounts", false },
	{ "other first program", "A", "", "H", NULL, false,
	  "merge in A, post in H, healthy in H", "good=A prev= try=H left=2",
	  "H", NULL, false },
	{ "no init", "A", "", "E", NULL, false, "", "good=A prev= try= left=0",
	  "A", "no /sbin/init", false },
};

/* ---- the rows ---- */

static void
back_to_a(void)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = "A", .places = &places };
	struct err e = { 0 };

	enter_places_add(&places, true, "var");
	enter_places_add(&places, false, "var/lib/dpkg");
	if (!lab_holds("/etc/version", "A") && live_switch(&o, &e) < 0)
		lab_bail("%s", e.text);
}

static void
check_row(size_t i)
{
	struct host h = { .root = "" };
	struct caller c = { .fails = rows[i].fails, .reboot = rows[i].reboot };
	struct switch_job job = { .to = rows[i].to,
				  .merge = merge,
				  .post = post,
				  .healthy = healthy,
				  .ctx = &c };
	AUTO_FREE char *running = NULL;
	AUTO_FREE char *state = NULL;
	struct err e = { 0 };
	int bad;

	back_to_a();
	begin(rows[i].good, rows[i].trial);
	bad = switch_live(&h, &job, &e);
	CHECK_SHOW(i, (bad < 0) == (rows[i].says != NULL), "%s: %s",
		   rows[i].what, e.text);
	CHECK_SHOW(i, !rows[i].says || strstr(e.text, rows[i].says), "%s",
		   e.text);
	CHECK_SHOW(i, str_eq(buf_text(&c.did), rows[i].did), "%s: %s",
		   rows[i].what, buf_text(&c.did));
	state = boot_state();
	CHECK_SHOW(i, str_eq(state, rows[i].after), "%s: %s", rows[i].what,
		   state);
	running = live_running(&e);
	CHECK_SHOW(i, running && str_eq(running, rows[i].runs), "%s: %s",
		   rows[i].what, running ? running : "none");
	CHECK(i, job.proved == rows[i].proved);
	CHECK(i, job.reboot == (rows[i].reboot && !bad));
	buf_clear(&c.did);
}

/* Each boot state that was written has a generation of its own. */
static void
check_generations(void)
{
	struct host h = { .root = "" };
	struct caller c = { .fails = "post" };
	struct switch_job job = { .to = "B", .post = post, .ctx = &c };
	struct state before, after;
	struct err e = { 0 };

	back_to_a();
	begin("A", "");
	if (state_read(&before, "/edeploy", &e) < 0)
		lab_bail("%s", e.text);
	CHECK(0, switch_live(&h, &job, &e) < 0);
	if (state_read(&after, "/edeploy", &e) < 0)
		lab_bail("%s", e.text);
	CHECK_SHOW(0, after.gen == before.gen + 2, "%llu after %llu",
		   (unsigned long long)after.gen,
		   (unsigned long long)before.gen);
	buf_clear(&c.did);
}

/* ---- around it ---- */

static void
check_calls(size_t row, const char *want)
{
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	if (!file_exists("/var/lib/calls"))
		text = base_strdup("");
	else if (file_read("/var/lib/calls", 10000, &text, NULL, &e) < 0)
		lab_bail("%s", e.text);
	CHECK_SHOW(row, str_eq(text, want), "%s", text);
}

/* A service that the version does not have any more is stopped; each is named
 * once, and a session is left alone. */
static void
check_restarts(void)
{
	static const char *const units[] = { "a.service", "gone.service",
					     "getty@tty1.service", "a.service",
					     "b.service" };
	struct value *old __attribute__((cleanup(value_freep))) = value_list();
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++) {
		struct value *v = value_dict();

		value_set_str(v, "unit", units[i]);
		value_push(old, v);
	}
	unlink("/var/lib/calls");
	CHECK_SHOW(0, services_restart(old, NULL, &e) == 0, "%s", e.text);
	check_calls(0, "stop -- gone.service\n"
		       "try-restart -- a.service b.service\n");
}

static void
test_systemd(void)
{
	struct host h = { .root = "" };
	struct caller c = { 0 };
	struct switch_job job = { .to = "B", .post = post, .ctx = &c };
	struct err e = { 0 };

	back_to_a();
	begin("A", "");
	CHECK(0, switch_live(&h, &job, &e) == 0);
	check_calls(0, ""); /* another init */

	lab_file("/run", "systemd/system/x", "");
	back_to_a();
	begin("A", "");
	CHECK_SHOW(1, switch_live(&h, &job, &e) == 0, "%s", e.text);
	check_calls(1, "daemon-reload\n");

	back_to_a();
	begin("A", "");
	c.fails = "post";
	CHECK(2, switch_live(&h, &job, &e) < 0);
	check_calls(2, "daemon-reload\ndaemon-reload\n");
	check_restarts();
	/* a version without systemctl is left again */
	back_to_a();
	begin("A", "");
	job.to = "C";
	c.fails = NULL;
	CHECK_SHOW(3, switch_live(&h, &job, &e) < 0, "%s", e.text);
	CHECK_SHOW(3, strstr(e.text, "systemctl"), "%s", e.text);
	CHECK(3, lab_holds("/etc/version", "A"));
	buf_clear(&c.did);
	unlink("/run/systemd/system/x");
	rmdir("/run/systemd/system");
}

/* Execs take their time on a busy machine. */
static bool
runs_it(pid_t pid, const char *path)
{
	AUTO_FREE char *exe = base_printf("/proc/%ld/exe", (long)pid);

	for (int i = 0; i < 3000; i++) {
		char saw[64] = "";

		if (readlink(exe, saw, sizeof(saw) - 1) > 0 &&
		    strstr(saw, path))
			return true;
		usleep(10000);
	}
	return false;
}

static void
test_stragglers(void)
{
	struct value *found __attribute__((cleanup(value_freep))) =
		value_list();
	struct host h = { .root = "" };
	struct switch_job job = { .to = "B", .stragglers = found };
	struct err e = { 0 };
	pid_t child;

	back_to_a();
	begin("A", "");
	copy_in("/edeploy/roots/A", "sbin/old");
	lab_file("/edeploy/roots/B", "sbin/old", "new");
	child = fork();
	if (child == 0) {
		close(STDOUT_FILENO);
		execl("/sbin/old", "/sbin/old", NULL);
		_exit(1);
	}
	CHECK(0, runs_it(child, "/sbin/old"));
	CHECK_SHOW(0, switch_live(&h, &job, &e) == 0, "%s", e.text);
	CHECK_SHOW(0, found->list.len == 1, "%zu", found->list.len);
	if (found->list.len == 1) {
		const struct value *v = found->list.at[0];

		CHECK(0, value_get_int(v, "pid", 0) == child);
		CHECK(0, str_eq(value_get_str(v, "name"), "old"));
		CHECK(0, str_eq(value_get_str(v, "path"), "/sbin/old"));
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void
test_modules(void)
{
	struct host h = { .root = "" };
	struct switch_job job = { .to = "B" };
	struct utsname u;
	AUTO_FREE char *file = NULL;
	AUTO_FREE char *seen = NULL;
	struct err e = { 0 };

	uname(&u);
	file = base_printf("lib/modules/%s/x.ko", u.release);
	seen = base_printf("/%s", file);
	back_to_a();
	begin("A", "");
	lab_file("/edeploy/roots/A", file, "module");
	CHECK_SHOW(0, switch_live(&h, &job, &e) == 0, "%s", e.text);
	CHECK(0, lab_holds(seen, "module"));
}

static void
test_refusals(void)
{
	struct host h = { .root = "/somewhere" };
	struct switch_job job = { .to = "B" };
	struct err e = { 0 };

	back_to_a();
	CHECK(0, switch_live(&h, &job, &e) < 0 && e.kind == ERR_REFUSED);
	h.root = "";
	lab_file("/edeploy", "roots/B.grub", "set ed_kernel='x'\n");
	CHECK(1, switch_live(&h, &job, &e) < 0 && e.kind == ERR_INPUT);
	CHECK_SHOW(1, strstr(e.text, "B.grub"), "%s", e.text);
}

static void
test_compare(void)
{
	static const struct {
		const char *a, *b;
		bool kernel, start;
	} pairs[] = {
		{ "A", "B", true, true },
		{ "A", "C", true, false }, /* initrd */
		{ "A", "F", false, false },
		{ "A", "G", true, false }, /* arguments */
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		bool kernel, start;
		struct err e = { 0 };

		CHECK_SHOW(i,
			   switch_compare("", pairs[i].a, pairs[i].b, &kernel,
					  &start, &e) == 0,
			   "%s", e.text);
		CHECK(i, kernel == pairs[i].kernel && start == pairs[i].start);
	}
}

static int
run(const char *top)
{
	size_t i;

	lab_top(top, image);
	copy_in(top, "edeploy/roots/A/usr/bin/systemctl");
	copy_in(top, "edeploy/roots/B/usr/bin/systemctl");
	lab_enter(top);
	program = "/usr/bin/systemctl"; /* what stood outside is gone */
	put_version("A", "kernel", "quiet");
	put_version("B", "kernel", "quiet");
	put_version("C", "kernel", "quiet");
	lab_file("/edeploy/roots/C", "initrd", "INITRD");
	put_version("E", "kernel", "quiet");
	unlink("/edeploy/roots/E/sbin/init");
	put_version("H", "kernel", "quiet");
	lab_file("/edeploy/roots/H", "sbin/init", "#! another");
	put_version("F", "KERNEL", "quiet");
	put_version("G", "kernel", "quiet splash");
	test_compare();
	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	check_generations();
	test_systemd();
	test_stragglers();
	test_modules();
	test_refusals();
	return test_end();
}

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	program = argv[1];
	return lab_run_on(image, run);
}
