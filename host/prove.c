#include <errno.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/lock.h"
#include "lib/proc.h"

#include "roots/enter.h"
#include "roots/watchdog.h"

#include "host/history.h"
#include "host/keep.h"
#include "host/prove.h"
#include "host/switch.h"

#define AGAIN_S 5
#define PATIENCE_S 120 /* of a reboot that was asked for */

/* ---- looking ---- */

static int
run_check(const char *path, struct err *e)
{
	const char *const argv[] = { path, NULL };
	const struct proc_opts o = { .deadline_ms = PROVE_CHECK_S * 1000 };
	struct proc p = { 0 };
	char line[120];
	int bad = proc_run(argv, &o, &p, e);

	if (!bad && p.timed_out)
		bad = err_set(e, ERR_REFUSED, "%s: no answer in %d s", path,
			      PROVE_CHECK_S);
	else if (!bad && p.status != 0)
		bad = err_set(e, ERR_REFUSED, "%s: exit %d: %s", path, p.status,
			      proc_last_line(&p, line, sizeof(line)));
	proc_clear(&p);
	return bad;
}

/* Editors and package managers leave files beside: only names that run-parts
 * would take. */
static bool
is_check(const char *path, const char *name)
{
	return name_is_safe(name) && !strchr(name, '.') &&
	       access(path, X_OK) == 0;
}

static int
check_system(struct err *e)
{
	const char *const argv[] = { "systemctl", "is-active", "--quiet",
				     "multi-user.target", NULL };
	struct err why = { 0 };

	if (!file_exists("/run/systemd/system"))
		return 0;
	if (proc_ok(argv, &(struct proc_opts){ .deadline_ms = 30000 }, &why) ==
	    0)
		return 0;
	return err_set(e, ERR_REFUSED, "multi-user.target is not reached");
}

int
prove_healthy(struct err *e)
{
	char **names;
	int bad = check_system(e);
	size_t i;

	if (bad || dir_list(PROVE_DIR, &names, e) < 0)
		return -1;
	for (i = 0; names[i] && !bad; i++) {
		AUTO_FREE char *path =
			base_printf("%s/%s", PROVE_DIR, names[i]);

		if (is_check(path, names[i]))
			bad = run_check(path, e);
	}
	names_free(names);
	return bad;
}

/* ---- good ---- */

static bool
is_on_trial(const struct versioned *v)
{
	return *v->state.trial && str_eq(v->state.trial, v->running);
}

static int
check_post(const struct versioned *v, struct err *e)
{
	AUTO_FREE char *mark = versioned_beside(v, v->running, PROVE_POST);

	if (!file_exists(mark))
		return 0;
	return err_set(e, ERR_REFUSED,
		       "the post of %s was cut off in the middle: \"edeploy "
		       "upgrade %s\" runs it again, \"edeploy rollback\" goes "
		       "back to %s",
		       v->running, v->running, v->state.good);
}

/* The kernel was started for another version, and this one starts otherwise:
 * what runs well now says nothing of that. */
static int
check_started(const struct versioned *v, struct err *e)
{
	AUTO_FREE char *line = NULL;
	AUTO_FREE char *root = versioned_root(v, v->running);
	AUTO_FREE char *booted = NULL;
	struct state_words w = { 0 };
	bool same_kernel, same = false;
	struct err why = { 0 };

	if (!v->live)
		return 0;
	if (file_read("/proc/cmdline", STATE_LINE_MAX, &line, NULL, e) < 0)
		return -1;
	state_words_parse(&w, line);
	if (str_eq(w.root, v->running))
		return 0;
	/* GRUB names every version that it starts; what was converted live
	 * stands on a root that something else has started */
	if (!*w.root || str_eq(w.root, VERSIONED_PLAIN))
		return err_set(e, ERR_REFUSED,
			       "%s was entered live, and was never booted: "
			       "\"reboot\" proves it, \"edeploy rollback\" "
			       "goes back",
			       v->running);
	booted = versioned_root(v, w.root);
	if (switch_compare(v->top, w.root, v->running, &same_kernel, &same,
			   &why) == 0 &&
	    same && enter_same_init(booted, root, &same, &why) == 0 && same)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s was entered live, and starts otherwise than %s, "
		       "which was booted: \"reboot\" proves it, \"edeploy "
		       "rollback\" goes back to %s",
		       v->running, w.root, v->state.good);
}

int
prove_good(struct versioned *v, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	AUTO_FREE char *history = history_path(v);
	char was[STATE_VERSION];

	if (versioned_lock(v, &l, e) < 0 || versioned_refresh(v, e) < 0)
		return -1;
	if (!is_on_trial(v))
		return 0;
	if (check_post(v, e) < 0 || check_started(v, e) < 0)
		return -1;
	snprintf(was, sizeof(was), "%s", v->state.good);
	if (state_prove(&v->state, v->running, e) < 0 ||
	    state_write(&v->state, v->dir, e) < 0)
		return -1;
	if (v->live)
		watchdog_stop();
	history_add(history, "proved", was, v->running, "it is the good one");
	keep_tidy(v, NULL, NULL, NULL);
	return 0;
}

/* ---- waiting ---- */

/* And nobody runs it now: no patience mends that. */
static bool
is_cut_off(const struct versioned *v)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	struct err e = { 0 };

	return check_post(v, &e) < 0 && versioned_lock(v, &l, &e) == 0 &&
	       check_post(v, &e) < 0;
}

static int
start_again(struct err *e)
{
	const char *const argv[] = { "reboot", NULL };
	struct err ignored;

	sync();
	if (proc_ok(argv, &(struct proc_opts){ .deadline_ms = 30000 },
		    &ignored) == 0)
		sleep(PATIENCE_S);
	/* what was asked to stop does not; the disk is as synced as it gets */
	sync();
	reboot(RB_AUTOBOOT);
	return err_sys(e, "reboot");
}

int
prove_wait(struct versioned *v, int limit_s, struct err *e)
{
	int64_t end_ms = clock_boot_ms() + (int64_t)limit_s * 1000;
	struct watchdog dog = watchdog_found();
	struct err why = { 0 };

	while (is_on_trial(v)) {
		AUTO_FREE char *words = NULL;
		bool cut = is_cut_off(v);

		watchdog_feed(&dog);
		if (!cut && prove_healthy(&why) == 0 &&
		    prove_good(v, &why) == 0)
			return 0;
		if (!cut && clock_boot_ms() < end_ms) {
			sleep(AGAIN_S);
			if (versioned_refresh(v, e) < 0)
				return -1;
			continue;
		}
		words = cut ? base_strdup("failed: its post was cut off")
			    : base_printf("failed: not well after %d s: %s",
					  limit_s, why.text);
		fprintf(stderr, "edeploy: %s\n", words);
		history_fell(v, v->running, words);
		/* the watchdog stays: it starts again what cannot */
		return start_again(e);
	}
	watchdog_stop();
	return 0;
}

/* ---- the unit ---- */

static const char unit[] =
	"# by edeploy: a version on trial becomes the good one when it is well,"
	"\n# and the machine starts again when it is not in time\n"
	"[Unit]\n"
	"Description=Prove the version that eDeploy started\n"
	"Documentation=man:edeploy(8)\n"
	"DefaultDependencies=no\n"
	"ConditionPathExists=/edeploy/boot.cfg\n"
	"Conflicts=shutdown.target\n"
	"Before=shutdown.target\n"
	"# the emergency target is when it is needed most\n"
	"IgnoreOnIsolate=yes\n"
	"[Service]\n"
	"ExecStart=/usr/sbin/edeploy prove --wait\n"
	"Restart=on-failure\n"
	"RestartSec=5\n";

static const char watchdog[] =
	"# by edeploy: a machine that hangs starts again, and falls back from "
	"a\n# version on trial; nothing happens where there is no watchdog\n"
	"[Manager]\n"
	"RuntimeWatchdogSec=2min\n";

#define SYSTEMD "/usr/lib/systemd"
#define UNIT "edeploy-prove.service"

/* Never into a file in place: another version may have the same. */
static int
put(const char *path, const char *text, struct err *e)
{
	AUTO_FREE char *dir =
		base_strndup(path, (size_t)(strrchr(path, '/') - path));

	if (dir_make(dir, 0755, e) < 0)
		return -1;
	return file_replace(path, text, strlen(text), 0644, e);
}

int
prove_install(const char *root, struct err *e)
{
	AUTO_FREE char *systemd = base_printf("%s" SYSTEMD "/system", root);
	AUTO_FREE char *there = base_printf("%s/" UNIT, systemd);
	AUTO_FREE char *wants = base_printf("%s/sysinit.target.wants", systemd);
	AUTO_FREE char *link = base_printf("%s/" UNIT, wants);
	AUTO_FREE char *conf = base_printf(
		"%s" SYSTEMD "/system.conf.d/50-edeploy.conf", root);
	struct stat st;

	if (stat(systemd, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	if (put(there, unit, e) < 0 || put(conf, watchdog, e) < 0 ||
	    dir_make(wants, 0755, e) < 0)
		return -1;
	if (symlink("../" UNIT, link) < 0 && errno != EEXIST)
		return err_sys(e, "%s", link);
	return 0;
}
