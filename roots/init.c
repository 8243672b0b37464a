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

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/num.h"

#include "roots/enter.h"
#include "roots/state.h"

#define DIR "/edeploy"
#define SYSROOT DIR "/sysroot"
#define CMDLINE_MAX 8192
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

static void
take_word(struct state_words *w, const char *word)
{
	struct err ignored;
	const char *value = strchr(word, '=');

	if (!value++)
		return;
	if (str_starts(word, "edeploy.root=") && name_is_safe(value))
		snprintf(w->root, sizeof(w->root), "%s", value);
	else if (str_starts(word, "edeploy.gen="))
		num_u64(value, 0, UINT64_MAX - 1, &w->gen, "", &ignored);
	else if (str_starts(word, "edeploy.fell=") && strlen(value) < 8)
		snprintf(w->fell, sizeof(w->fell), "%s", value);
}

static int
read_words(struct state_words *w, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char *at, *word;

	*w = (struct state_words){ 0 };
	if (file_read("/proc/cmdline", CMDLINE_MAX, &text, NULL, e) < 0)
		return -1;
	for (at = text; (word = strsep(&at, " \n"));)
		take_word(w, word);
	if (!*w->root)
		return err_set(e, ERR_INPUT,
			       "the kernel was given no edeploy.root=VERSION");
	return 0;
}

/* ---- the log that `edeploy status` shows ---- */

static void
note(const char *version, const char *what)
{
	char now[24];
	struct err ignored;
	AUTO_FREE char *line = NULL;

	clock_text(clock_wall_ms(), now);
	line = base_printf("%s %s %s\n", now, version, what);
	file_append(DIR "/log", line, strlen(line), 0600, &ignored);
	say("%s: %s", version, what);
}

/* ---- a root that cannot be entered ---- */

/* The trial is over; without one there is nothing better than what failed, and
 * the reason stays on the screen. */
static void
give_up(const char *version, const char *why)
{
	struct err e = { 0 };
	struct state s;

	note(version, why);
	if (state_read(&s, DIR, &e) == 0 && str_eq(s.trial, version)) {
		state_fail(&s);
		if (state_write(&s, DIR, &e) == 0)
			say("going back to %s", s.good);
	}
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

/* 0: enter; what has to be on the disk before is on it. */
static int
judge(const struct state_words *w, struct err *e)
{
	char trial[STATE_VERSION];
	struct state s;
	enum state_step step;

	if (state_read(&s, DIR, e) < 0) {
		/* nothing to judge by; what GRUB started is the best there is
		 */
		say("%s; entering %s", e->text, w->root);
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
	if (step == STATE_FELL)
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

static int
read_places(const char *version, struct enter_places *out, struct err *e)
{
	AUTO_FREE char *path = base_printf(DIR "/roots/%s.mounts", version);
	AUTO_FREE char *text = NULL;

	*out = (struct enter_places){ 0 };
	if (file_read(path, ENTER_TEXT_MAX, &text, NULL, e) < 0)
		return -1;
	return enter_places_parse(out, text, path, e);
}

static int
enter(const char *version, struct err *e)
{
	AUTO_FREE char *root = base_printf(DIR "/roots/%s", version);
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_plan) plan = { 0 };

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "making / private");
	if (read_places(version, &places, e) < 0 ||
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
		say("making / writable: %s", strerror(errno));
		start_again();
	}
	if (judge(&w, &e) < 0) {
		say("%s", e.text);
		start_again();
	}
	if (enter(w.root, &e) < 0)
		give_up(w.root, e.text);
	execv("/sbin/init", argv);
	say("/sbin/init: %s", strerror(errno));
	give_up(w.root, "failed: /sbin/init cannot be started");
}
