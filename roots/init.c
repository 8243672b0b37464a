/* /edeploy/init: pid 1 between a distribution's initramfs, which is not
 * changed, and the init of the version that is entered. The initramfs has
 * mounted the file system and handed over dev, proc, sys and run.
 *
 * It writes down a trial before it enters it, and gives up a root that cannot
 * be entered by naming the good one and booting again. It never ends otherwise:
 * a pid 1 that ends is a panic. */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"

#include "roots/enter.h"
#include "roots/state.h"
#include "roots/watchdog.h"

#define DIR "/edeploy"
#define SYSROOT DIR "/sysroot"
#define PAUSE_S 10 /* to read what went wrong */

__attribute__((format(printf, 1, 2))) static void
say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("edeploy: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
}

static void
start_again(void)
{
	sync();
	sleep(PAUSE_S);
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_RESTART, NULL);
	for (;;)
		pause();
}

/* ---- what GRUB said ---- */

static int
read_words(struct state_words *w, struct err *e)
{
	AUTO_FREE char *text = NULL;

	*w = (struct state_words){ .watchdog_s = WATCHDOG_S };
	if (file_read("/proc/cmdline", STATE_LINE_MAX, &text, NULL, e) < 0)
		return -1;
	state_words_parse(w, text);
	if (!*w->root)
		return err_set(e, ERR_INPUT,
			       "the kernel was given no edeploy.root=VERSION");
	return 0;
}

/* ---- the log that `edeploy status` shows ---- */

/* The clock of a machine without a battery is set long after this: what fell
 * would be older to `status` than the upgrade that brought it. */
static int64_t
now_ms(void)
{
	int64_t now = clock_wall_ms(), last;
	struct stat st;

	if (stat(DIR "/history", &st) < 0)
		return now;
	last = (int64_t)st.st_mtim.tv_sec * 1000;
	return now > last ? now : last;
}

static void
note(const char *version, const char *what)
{
	char now[24];
	struct err ignored;
	AUTO_FREE char *line = NULL;

	clock_text(now_ms(), now);
	line = base_printf("%s %s %s\n", now, version, what);
	file_append(DIR "/log", line, strlen(line), 0600, &ignored);
	say("%s: %s", version, what);
}

/* ---- a root that cannot be entered ---- */

/* Is there anything better than what failed? A trial is over, and for a good
 * version that somebody has broken there is the one before it. */
static bool
leave(struct state *s, const char *version)
{
	if (str_eq(s->trial, version)) {
		state_fail(s);
		return true;
	}
	if (!str_eq(s->good, version) || !*s->prev)
		return false;
	state_return(s);
	*s->prev = '\0'; /* nobody goes back to that */
	return true;
}

/* Where there is nothing better the reason stays on the screen. */
static void
give_up(const char *version, const char *why)
{
	/* "failed" is what host/history.c looks for */
	AUTO_FREE char *words = base_printf("failed: %s", why);
	struct err e = { 0 };
	struct state s;

	note(version, words);
	if (state_read(&s, DIR, &e) == 0 && leave(&s, version) &&
	    state_write(&s, DIR, &e) == 0)
		say("going back to %s", s.good);
	if (e.kind)
		say("%s", e.text);
	start_again();
}

/* ---- count, then enter ---- */

static const char *
fell_text(const char *fell)
{
	if (str_eq(fell, "load"))
		return "failed: GRUB could not load its kernel or initrd";
	if (str_eq(fell, "count"))
		return "failed: started as often as allowed, never proved well";
	return "failed: its kernel started and never got as far as "
	       "/edeploy/init";
}

/* Nothing to judge by: what GRUB started is the best there is. */
static void
mend(const char *root, const char *why)
{
	AUTO_FREE char *words =
		base_printf("boot.cfg was damaged, and is made anew: %s", why);
	struct err e = { 0 };
	struct state s;

	if (state_mend(&s, DIR, &e) == 0)
		note(root, words);
	else
		say("%s; %s; entering %s", why, e.text, root);
}

/* 0: enter; what has to be on the disk before is on it. */
static int
judge(const struct state_words *w, struct err *e)
{
	char trial[STATE_VERSION];
	struct state s;
	enum state_step step;

	if (state_read(&s, DIR, e) < 0) {
		mend(w->root, e->text);
		return 0;
	}
	memcpy(trial, s.trial, sizeof(trial));
	step = state_boot(&s, w);
	if (step == STATE_ENTER)
		return 0;
	if (state_write(&s, DIR, e) < 0) {
		/* a trial that is not counted is not entered, or it would be
		 * tried for ever; the good one never waits for a disk */
		if (step == STATE_COUNT)
			return -1;
		say("%s", e->text);
		return 0;
	}
	if (step == STATE_COUNT)
		watchdog_start(w->watchdog_s);
	else if (step == STATE_FELL)
		note(trial, fell_text(w->fell));
	else if (step == STATE_GIVE_UP)
		note(trial, fell_text("count"));
	else if (step == STATE_STALE)
		say("GRUB read an older boot.cfg (%llu); once more",
		    (unsigned long long)w->gen);
	if (step == STATE_GIVE_UP || step == STATE_STALE)
		start_again();
	return 0;
}

/* ---- what was edited since it was built ---- */

#define LATE_S 120

/* By the command of that version, in a child that has a limit: whatever becomes
 * of it, the version is entered; without the latest edits when it must be. It
 * reads the other version, and changes nothing but this one. */
static void
bring_edits(const char *version)
{
	AUTO_FREE char *kept =
		base_printf(DIR "/roots/%s.record/then/from", version);
	AUTO_FREE char *command =
		base_printf(DIR "/roots/%s/usr/sbin/edeploy", version);
	pid_t child;
	int status = 0;

	if (!file_exists(kept))
		return;
	child = fork();
	if (child == 0) {
		alarm(LATE_S);
		/* "/" would be a system that runs */
		execl(command, "edeploy", "late-edits", version, "--root", "/.",
		      (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* from the first start on what is edited is edited in that version */
	if (unlink(kept) < 0 && errno != ENOENT)
		say("%s: %s", kept, strerror(errno));
	if (child < 0 || status != 0)
		note(version, "edits of /etc since it was built did not all "
			      "come along");
}

/* ---- entering ---- */

static int
enter(const char *version, struct err *e)
{
	AUTO_FREE char *root = base_printf(DIR "/roots/%s", version);
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "making / private");
	if (enter_places_read(&places, DIR, version, e) < 0 ||
	    enter_check_init(root, e) < 0)
		return -1;
	enter_plan_make(&plan, "", version, &places);
	if (enter_do(&plan, e) < 0)
		return -1;
	if (chdir(SYSROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "pivot_root to %s", root);
	/* the old top is stacked below the new one; nobody needs it */
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		say("the old root stays: %s", strerror(errno));
	return 0;
}

int
main(int argc, char **argv)
{
	struct state_words w;
	struct err e = { 0 };

	(void)argc;
	if (getpid() != 1) {
		fputs("usage: init=/edeploy/init edeploy.root=VERSION on the "
		      "kernel's command line\n",
		      stderr);
		return 2;
	}
	if (read_words(&w, &e) < 0)
		give_up("?", e.text);
	/* the initramfs mounted it read only, and replayed its journal */
	if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0) {
		/* nobody can count there, nor write down who failed: a machine
		 * that runs is better than one that turns in circles */
		say("making / writable: %s; entering %s", strerror(errno),
		    w.root);
	} else if (judge(&w, &e) < 0) {
		say("%s", e.text);
		start_again();
	} else {
		bring_edits(w.root);
	}
	if (enter(w.root, &e) < 0)
		give_up(w.root, e.text);
	execv("/sbin/init", argv);
	say("/sbin/init: %s", strerror(errno));
	give_up(w.root, "/sbin/init cannot be started");
}
