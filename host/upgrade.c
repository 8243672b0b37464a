/* An upgrade in place: old and new files are mixed while it runs. It is
 * written down before the first change and wiped off after the last, so that a
 * host caught between two versions says so. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/lock.h"
#include "lib/proc.h"

#include "host/history.h"
#include "host/host.h"
#include "host/show.h"

#define MARK_MAX 4096
#define SPARE_BYTES (64LL * 1024 * 1024)

static char *
below(const struct host *h, const char *path)
{
	return base_printf("%s%s", h->root, path);
}

/* ---- the mark ---- */

static char *
read_mark(const struct host *h)
{
	AUTO_FREE char *path = below(h, UPGRADE_MARK);
	AUTO_FREE char *to = NULL;
	struct err ignored;
	char *text = NULL;

	if (!file_exists(path))
		return NULL;
	if (file_read(path, MARK_MAX, &text, NULL, &ignored) < 0)
		return base_strdup("");
	to = conf_value(text, "TO");
	/* it ended, and the power went before the mark did */
	if (str_eq(to, h->conf.version))
		free(STEAL(text));
	return text;
}

char *
upgrade_under_way(const struct host *h)
{
	AUTO_FREE char *text = read_mark(h);
	AUTO_FREE char *to = text ? conf_value(text, "TO") : NULL;
	AUTO_FREE char *since = text ? conf_value(text, "SINCE") : NULL;
	AUTO_FREE char *step = text ? conf_value(text, "STEP") : NULL;

	if (!text)
		return NULL;
	return base_printf("upgrading to %s since %s, reached %s; files of "
			   "two versions are mixed until \"edeploy upgrade "
			   "%s\" has ended well",
			   to ? to : "?", since ? since : "?",
			   step ? step : "?", to ? to : "VERSION");
}

static int
mark(const struct host *h, const char *to, const char *step, struct err *e)
{
	AUTO_FREE char *path = below(h, UPGRADE_MARK);
	AUTO_FREE char *old = read_mark(h);
	AUTO_FREE char *since = old ? conf_value(old, "SINCE") : NULL;
	AUTO_FREE char *text = NULL;
	char now[24];

	clock_text(clock_wall_ms(), now);
	text = base_printf("FROM=%s\nTO=%s\nSINCE=%s\nSTEP=%s\n",
			   h->conf.version, to, since ? since : now, step);
	return file_replace(path, text, strlen(text), 0644, e);
}

static int
wipe_mark(const struct host *h, struct err *e)
{
	AUTO_FREE char *path = below(h, UPGRADE_MARK);

	return unlink(path) < 0 ? err_sys(e, "%s", path) : 0;
}

/* ---- the metadata's place ---- */

static int
remove_tree(const char *path, struct err *e)
{
	const char *const argv[] = { "rm", "-rf", "--", path, NULL };

	return proc_ok(argv, NULL, e);
}

/* Beside its final place, so that a rename is all that is left to do. */
static char *
fetch_dir(const struct host *h, const char *to)
{
	return base_printf("%s%s/.fetch-%s-%d", h->root, STATE_DIR, to,
			   (int)getpid());
}

/* `fetched` becomes /var/lib/edeploy/TO as a whole. */
static int
settle_metadata(const struct host *h, const char *fetched, const char *to,
		struct err *e)
{
	AUTO_FREE char *final = base_printf("%s%s/%s", h->root, STATE_DIR, to);
	AUTO_FREE char *old =
		base_printf("%s%s/.old-%s", h->root, STATE_DIR, to);

	if (remove_tree(old, e) < 0)
		return -1;
	if (rename(final, old) < 0 && errno != ENOENT)
		return err_sys(e, "%s", final);
	if (rename(fetched, final) < 0)
		return err_sys(e, "%s", final);
	sync();
	return remove_tree(old, e);
}

static int
fetch(const struct host *h, const char *to, struct err *e)
{
	AUTO_FREE char *dir = fetch_dir(h, to);
	struct err ignored;

	if (transfer_metadata(h, to, dir, e) == 0 &&
	    settle_metadata(h, dir, to, e) == 0)
		return 0;
	remove_tree(dir, &ignored);
	return -1;
}

/* ---- steps ---- */

/* Both passes, for real or only to look. */
static int
run_passes(const struct host *h, const char *to, const char *dir,
	   struct value *changes, bool only_look, struct err *e)
{
	AUTO_FREE char *exclude = base_printf("%s/exclude", dir);
	AUTO_FREE char *add_only = base_printf("%s/add_only", dir);
	struct pass first = { .number = 1,
			      .version = to,
			      .exclude = exclude,
			      .only_look = only_look,
			      .changes = changes };
	struct pass second = { .number = 2,
			       .version = to,
			       .add_only = add_only,
			       .only_look = only_look,
			       .changes = changes };

	if (transfer_pass(h, &first, e) < 0)
		return -1;
	if (!only_look && mark(h, to, "pass 2", e) < 0)
		return -1;
	return transfer_pass(h, &second, e);
}

/* The new files need room beside the old ones, which go last. */
static int
check_space(const struct host *h, const char *to, const char *dir,
	    struct err *e)
{
	AUTO_FREE char *exclude = base_printf("%s/exclude", dir);
	struct host quiet = *h;
	struct pass look = { .number = 1,
			     .version = to,
			     .exclude = exclude,
			     .only_look = true };
	struct statvfs fs;
	int64_t have;

	quiet.json = true;
	if (transfer_pass(&quiet, &look, e) < 0)
		return -1;
	if (statvfs(*h->root ? h->root : "/", &fs) < 0)
		return err_sys(e, "%s/", h->root);
	have = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	if (look.bytes + SPARE_BYTES > have)
		return err_set(e, ERR_REFUSED,
			       "%lld MB are to come and %lld MB are free (64 "
			       "MB shall stay free): make room first; nothing "
			       "was changed",
			       (long long)look.bytes / 1000000,
			       (long long)have / 1000000);
	if (!h->json)
		printf("%.1f MB to come\n", (double)look.bytes / 1e6);
	return 0;
}

static void
pass_on(void *ctx, const char *bytes, size_t len)
{
	struct err ignored;

	/* with --json, stdout is for the result */
	fflush(stdout);
	fd_write_all(*(const bool *)ctx ? STDERR_FILENO : STDOUT_FILENO, bytes,
		     len, &ignored);
}

/* `pre` or `post` of the metadata; *status 0 when there is none. */
static int
run_hook(const struct host *h, const char *to, const char *name, int *status,
	 struct err *e)
{
	AUTO_FREE char *inside = base_printf("%s/%s/%s", STATE_DIR, to, name);
	AUTO_FREE char *path = below(h, inside);
	const char *const argv[] = { inside, NULL };
	bool json = h->json;
	const struct proc_opts o = { .chroot = *h->root ? h->root : NULL,
				     .output = pass_on,
				     .ctx = &json };
	struct proc p = { 0 };
	int bad;

	*status = 0;
	if (access(path, X_OK) < 0)
		return 0;
	if (!h->json)
		printf("running %s\n", name);
	setenv("EDEPLOY_FROM", h->conf.version, 1);
	setenv("EDEPLOY_TO", to, 1);
	setenv("EDEPLOY_LIVE", *h->root ? "" : "1", 1);
	bad = proc_run(argv, &o, &p, e);
	*status = p.status;
	proc_clear(&p);
	return bad;
}

static int
run_pre(const struct host *h, const char *to, struct err *e)
{
	int status;

	if (run_hook(h, to, "pre", &status, e) < 0)
		return -1;
	if (status != 0)
		return err_set(e, ERR_REFUSED,
			       "pre said no (exit %d); no file of the system "
			       "was changed",
			       status);
	return 0;
}

static int
run_post(const struct host *h, const char *to, bool *reboot, struct err *e)
{
	int status;

	if (run_hook(h, to, "post", &status, e) < 0)
		return err_add(e,
			       "the files are those of %s, and it is not "
			       "recorded: mend its post and run the upgrade "
			       "again",
			       to);
	if (status != 0 && status != POST_REBOOT)
		return err_set(e, ERR_REFUSED,
			       "post failed (exit %d): the files are those of "
			       "%s, and it is not recorded; mend what post "
			       "said and run the upgrade again",
			       status, to);
	*reboot = status == POST_REBOOT;
	return 0;
}

static int
relabel(const struct host *h, struct err *e)
{
	static const char contexts[] =
		"/etc/selinux/targeted/contexts/files/file_contexts";
	const char *const argv[] = {
		"setfiles", "-r", "/", contexts, "/", NULL
	};
	AUTO_FREE char *there = below(h, contexts);

	if (!file_exists("/sys/fs/selinux/enforce") || !file_exists(there))
		return 0;
	return proc_ok(
		argv,
		&(struct proc_opts){ .chroot = *h->root ? h->root : NULL }, e);
}

static int
record(const struct host *h, const char *to, struct err *e)
{
	AUTO_FREE char *motd = below(h, "/etc/motd");
	AUTO_FREE char *text = base_printf("Version %s\n", to);

	if (file_replace(motd, text, strlen(text), 0644, e) < 0 ||
	    conf_set_version(h->root, to, e) < 0)
		return -1;
	return wipe_mark(h, e);
}

/* ---- the whole ---- */

/* An upgrade that stopped half way can only be finished. */
static int
check_target(const struct host *h, const char *to, struct err *e)
{
	AUTO_FREE char *text = read_mark(h);
	AUTO_FREE char *before = text ? conf_value(text, "TO") : NULL;

	if (!name_is_safe(to))
		return err_set(e, ERR_INPUT, "\"%.60s\" is not a version", to);
	if (before && !str_eq(before, to))
		return err_set(e, ERR_REFUSED,
			       "this host is between %s and %s: finish with "
			       "\"edeploy upgrade %s\" first",
			       h->conf.version, before, before);
	if (!text && str_eq(to, h->conf.version))
		return err_set(e, ERR_REFUSED,
			       "this host is at %s already; \"edeploy verify\" "
			       "shows what differs",
			       to);
	return 0;
}

/* What the installation recorded of its tree (agent/tree.h) is no longer so. */
static int
forget_record(const struct host *h, struct err *e)
{
	AUTO_FREE char *seal = below(h, STATE_DIR "/tree/seal");

	return unlink(seal) < 0 && errno != ENOENT ? err_sys(e, "%s", seal) : 0;
}

static int
change(const struct host *h, const char *to, bool *reboot, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s%s/%s", h->root, STATE_DIR, to);

	if (mark(h, to, "pre", e) < 0 || run_pre(h, to, e) < 0)
		return -1;
	if (mark(h, to, "pass 1", e) < 0 || forget_record(h, e) < 0 ||
	    run_passes(h, to, dir, NULL, false, e) < 0)
		return -1;
	if (mark(h, to, "post", e) < 0 || run_post(h, to, reboot, e) < 0 ||
	    relabel(h, e) < 0)
		return -1;
	sync();
	return record(h, to, e);
}

static int
take_lock(const struct host *h, struct lock *l, struct err *e)
{
	AUTO_FREE char *path = below(h, "/run/edeploy/upgrade.lock");

	if (lock_take(l, path, 0, e) == 0)
		return 0;
	return e->kind == ERR_REFUSED ? err_add(e, "another upgrade is running")
				      : -1;
}

/* Who looks later sees that it was tried. */
static void
failed(const struct host *h, const char *to, const struct err *e)
{
	AUTO_FREE char *history = below(h, HISTORY_PLAIN);
	AUTO_FREE char *words = base_printf("upgrade: %s", e->text);

	history_add(history, "failed", h->conf.version, to, words);
}

int
upgrade(const struct host *h, const char *to, bool *reboot, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	AUTO_FREE char *dir = base_printf("%s%s/%s", h->root, STATE_DIR, to);
	AUTO_FREE char *under_way = NULL;

	if (take_lock(h, &l, e) < 0 || check_target(h, to, e) < 0)
		return -1;
	under_way = upgrade_under_way(h);
	if (fetch(h, to, e) < 0 || check_space(h, to, dir, e) < 0)
		return -1;
	if (!h->json)
		printf("This upgrade works in place and is not safe against a "
		       "power cut:\nkeep the power on until it says that it is "
		       "done.\n");
	if (change(h, to, reboot, e) == 0)
		return 0;
	failed(h, to, e);
	/* a `pre` that said no changed nothing: the host is whole */
	if (!under_way && str_starts(e->text, "pre said no")) {
		struct err ignored;

		wipe_mark(h, &ignored);
	}
	return -1;
}

int
upgrade_test(const struct host *h, const char *to, struct value *changes,
	     struct err *e)
{
	AUTO_FREE char *dir = fetch_dir(h, to);
	struct err ignored;
	int bad;

	if (!name_is_safe(to))
		return err_set(e, ERR_INPUT, "\"%.60s\" is not a version", to);
	bad = transfer_metadata(h, to, dir, e) < 0 ||
	      run_passes(h, to, dir, changes, true, e) < 0;
	remove_tree(dir, &ignored);
	return bad ? -1 : 0;
}

static void
say_all_listed(const char *exclude)
{
	AUTO_FREE char *words = base_printf(
		"%s is not there, so every file that is not the role's is "
		"listed",
		exclude);

	show_say("", words);
}

int
upgrade_verify(const struct host *h, struct value *changes, struct err *e)
{
	AUTO_FREE char *exclude = base_printf("%s%s/%s/exclude", h->root,
					      STATE_DIR, h->conf.version);
	struct pass p = { .number = 1,
			  .version = h->conf.version,
			  .only_look = true,
			  .changes = changes };

	if (file_exists(exclude))
		p.exclude = exclude;
	else
		say_all_listed(exclude);
	return transfer_pass(h, &p, e);
}
