#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "lib/file.h"
#include "lib/lock.h"
#include "lib/proc.h"

#include "roots/flush.h"
#include "roots/live.h"

#include "host/affected.h"
#include "host/change.h"
#include "host/change_live.h"
#include "host/check.h"
#include "host/history.h"
#include "host/inside.h"
#include "host/keep.h"
#include "host/show.h"
#include "host/stage.h"

static void
say(const struct change *c, const char *text)
{
	if (!c->host->json)
		printf("%s\n", text);
}

void
change_clear(struct change *c)
{
	value_free(c->notes);
	value_free(c->services);
	c->notes = c->services = NULL;
}

/* ---- may it be ---- */

static int
check_target(const struct change *c, const char *to, struct err *e)
{
	const struct versioned *v = c->on;
	const struct state *s = &v->state;

	if (!versioned_name_ok(to))
		return err_set(e, ERR_INPUT, "\"%.60s\" is not a version", to);
	if (*s->trial && str_eq(s->trial, v->running))
		return err_set(e, ERR_REFUSED,
			       "%s is on trial: \"edeploy prove\" makes it the "
			       "good one, \"edeploy rollback\" goes back to %s",
			       s->trial, s->good);
	if (str_eq(to, v->running))
		return err_set(e, ERR_REFUSED,
			       "this host is at %s already; \"edeploy verify\" "
			       "shows what differs",
			       to);
	if (str_eq(to, s->trial) && s->left > 0)
		return err_set(e, ERR_REFUSED,
			       "%s is what the next boot enters already: "
			       "reboot",
			       to);
	if (str_eq(to, s->prev) && versioned_has(v, to))
		return err_set(e, ERR_REFUSED,
			       "%s is the version before this one: \"edeploy "
			       "rollback\" goes back to it",
			       to);
	return 0;
}

/* A version that was armed and never booted makes room for another. */
static int
drop_trial(struct change *c, struct err *e)
{
	if (!*c->on->state.trial)
		return 0;
	state_fail(&c->on->state);
	return state_write(&c->on->state, c->on->dir, e);
}

static void
say_removed(void *ctx, const char *version)
{
	const struct change *c = ctx;

	if (!c->host->json)
		printf("removing %s: nothing boots it any more\n", version);
}

/* A root that is whole and was never named is gone on with. */
static int
take_up(const struct change *c, const char *to, struct err *e)
{
	AUTO_FREE char *root = versioned_root(c->on, to);
	AUTO_FREE char *fresh = versioned_beside(c->on, to, ".new");
	AUTO_FREE char *grub = versioned_beside(c->on, to, ".grub");

	if (!file_exists(root))
		return 0;
	if (unlink(grub) < 0 && errno != ENOENT)
		return err_sys(e, "%s", grub);
	if (dir_remove(fresh, e) < 0)
		return -1;
	return rename(root, fresh) < 0 ? err_sys(e, "%s", root) : 0;
}

static int
make_way(struct change *c, const char *to, struct err *e)
{
	if (drop_trial(c, e) < 0 ||
	    keep_needed(c->on, to, say_removed, c, e) < 0)
		return -1;
	return take_up(c, to, e);
}

/* ---- the version's own programs ---- */

static void
pass_on(void *ctx, const char *bytes, size_t len)
{
	struct err ignored;

	/* with --json, stdout is for the result */
	fd_write_all(*(const bool *)ctx ? STDERR_FILENO : STDOUT_FILENO, bytes,
		     len, &ignored);
}

static int
run_here(const struct change *c, const char *path, int *status, struct err *e)
{
	const char *const argv[] = { path, NULL };
	bool json = c->host->json;
	const struct proc_opts o = { .output = pass_on, .ctx = &json };
	struct proc p = { 0 };
	int bad;

	fflush(stdout);
	bad = proc_run(argv, &o, &p, e);
	*status = p.status;
	proc_clear(&p);
	return bad;
}

/* In the middle of a live move the new version is "/" already. */
static bool
is_entered(const struct change *c, const char *version)
{
	struct err ignored;
	AUTO_FREE char *running = c->on->live ? live_running(&ignored) : NULL;

	return str_eq(running, version);
}

/* `name` of the tree of `to`, which stands in the folder roots/`folder`, run in
 * version `where`. *status 0 when it has none. */
static int
run_hook(const struct change *c, const char *name, const char *folder,
	 const char *where, int *status, struct err *e)
{
	AUTO_FREE char *inside = base_printf(
		"/edeploy/roots/%s" STATE_DIR "/%s/%s", folder, c->to, name);
	AUTO_FREE char *path = base_printf("%s%s", c->on->top, inside);
	const struct inside in = { c->on, where, c->host->json };
	const char *const argv[] = { inside, NULL };

	*status = 0;
	if (access(path, X_OK) < 0)
		return 0;
	if (!c->host->json)
		printf("running %s\n", name);
	setenv("EDEPLOY_FROM", c->from, 1);
	setenv("EDEPLOY_TO", c->to, 1);
	if (str_eq(where, c->on->running) ? c->on->live : is_entered(c, where))
		return run_here(c, path, status, e);
	return inside_run(&in, argv, status, e);
}

static int
run_pre(const struct change *c, struct err *e)
{
	AUTO_FREE char *folder = base_printf("%s.new", c->to);
	int status;

	if (run_hook(c, "pre", folder, c->on->running, &status, e) < 0)
		return err_add(e, "pre");
	if (status != 0)
		return err_set(e, ERR_REFUSED,
			       "pre said no (exit %d); no file of the system "
			       "was changed",
			       status);
	return 0;
}

int
change_post(struct change *c, const char *where, struct err *e)
{
	int status;

	if (run_hook(c, "post", c->to, where, &status, e) < 0)
		return err_add(e, "post");
	if (status != 0 && status != POST_REBOOT)
		return err_set(e, ERR_REFUSED,
			       "post failed (exit %d): %s goes on as it was; "
			       "mend what post said and run the upgrade again",
			       status, c->on->running);
	c->reboot = status == POST_REBOOT;
	return 0;
}

/* ---- upgrade ---- */

static int
build(struct change *c, struct stage *s, struct err *e)
{
	if (stage_fetch(s, e) < 0)
		return -1;
	c->pulled = s->pulled;
	if (run_pre(c, e) < 0)
		return -1;
	say(c, "merging /etc");
	if (stage_merge(s, e) < 0 || stage_settle(s, e) < 0)
		return -1;
	value_free(c->notes);
	c->notes = STEAL(s->notes);
	return 0;
}

/* All of it is where GRUB sees it, and only then it is named. */
static int
arm(struct change *c, struct err *e)
{
	struct state *s = &c->on->state;

	if (flush(c->on->dir, e) < 0 ||
	    state_arm(s, c->to, STATE_TRIES, e) < 0 ||
	    state_write(s, c->on->dir, e) < 0)
		return -1;
	c->at_boot = true;
	return 0;
}

/* 1: done; 0: at the next boot, then. */
static int
try_live(struct change *c, struct stage *s, struct err *e)
{
	bool may;
	int not ;

	if (change_may_live(c, &may, e) < 0)
		return -1;
	if (!may)
		return 0;
	/* where GRUB sees it, since from now on it may be booted */
	if (flush(c->on->dir, e) < 0)
		return -1;
	say(c, "going on in it");
	not = change_live(c, s, e);
	return not < 0 ? -1 : !not ;
}

static int
upgrade_staged(struct change *c, struct stage *s, struct err *e)
{
	AUTO_FREE char *history = history_path(c->on);
	AUTO_FREE char *wire = NULL;
	AUTO_FREE char *words = NULL;
	int live;

	s->allow_downgrade = c->allow_downgrade;
	s->strict = c->strict;
	if (build(c, s, e) < 0)
		return -1;
	live = try_live(c, s, e);
	if (live != 0)
		return live < 0 ? -1 : 0;
	if (change_post(c, c->to, e) < 0 || arm(c, e) < 0)
		return -1;
	wire = show_size(c->pulled.wire);
	words = base_printf("for the next boot; %s fetched", wire);
	history_add(history, "upgrade", c->on->running, c->to, words);
	return 0;
}

int
change_upgrade(struct change *c, const char *to, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	struct stage s = { 0 };
	int bad;

	if (versioned_lock(c->on, &l, e) < 0 ||
	    versioned_refresh(c->on, e) < 0 || check_target(c, to, e) < 0)
		return -1;
	snprintf(c->from, sizeof(c->from), "%s", c->on->running);
	snprintf(c->to, sizeof(c->to), "%s", to);
	bad = stage_open(&s, c->host, c->on, c->to, e) < 0 ||
	      make_way(c, to, e) < 0 || upgrade_staged(c, &s, e) < 0;
	stage_clear(&s);
	return bad ? -1 : 0;
}

/* ---- rollback ---- */

struct damage {
	size_t count;
	char first[120];
};

static void
on_damage(void *ctx, enum check_kind kind, const char *path, const char *what)
{
	struct damage *d = ctx;

	if (kind != CHECK_DAMAGED)
		return;
	if (d->count++ == 0)
		snprintf(d->first, sizeof(d->first), "%s (%s)", path, what);
}

static int
check_whole(const struct change *c, const char *version, struct err *e)
{
	struct damage d = { 0 };
	const struct check check = {
		.on = c->on, .version = version, .tell = on_damage, .ctx = &d
	};

	if (!versioned_has(c->on, version))
		return err_set(e, ERR_REFUSED,
			       "%s is not on this disk any more: \"edeploy "
			       "upgrade --allow-downgrade %s\" brings it",
			       version, version);
	if (check_version(&check, e) < 0)
		return -1;
	if (d.count == 0)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "%s is damaged in %zu files, the first %s: \"edeploy "
		       "verify --fix %s\" mends them",
		       version, d.count, d.first, version);
}

static int
give_up_trial(struct change *c, struct err *e)
{
	struct state *s = &c->on->state;
	bool runs = str_eq(s->trial, c->on->running);
	AUTO_FREE char *history = history_path(c->on);
	char was[STATE_VERSION];
	int live;

	snprintf(was, sizeof(was), "%s", s->trial);
	snprintf(c->to, sizeof(c->to), "%s", s->good);
	if (runs && check_whole(c, s->good, e) < 0)
		return -1;
	live = runs ? try_live(c, NULL, e) : 0;
	if (live != 0)
		return live < 0 ? -1 : 0;
	state_fail(s);
	if (state_write(s, c->on->dir, e) < 0)
		return -1;
	c->at_boot = runs;
	history_add(history, "rollback", was, s->good,
		    runs ? "for the next boot" : "it had not been started");
	return 0;
}

static int
go_back(struct change *c, struct err *e)
{
	struct state *s = &c->on->state;
	AUTO_FREE char *history = history_path(c->on);
	int live;

	if (!*s->prev)
		return err_set(e, ERR_REFUSED,
			       "no version was good before %s on this disk",
			       s->good);
	snprintf(c->to, sizeof(c->to), "%s", s->prev);
	if (check_whole(c, c->to, e) < 0)
		return -1;
	live = try_live(c, NULL, e);
	if (live != 0)
		return live < 0 ? -1 : 0;
	if (arm(c, e) < 0)
		return -1;
	history_add(history, "rollback", c->on->running, c->to,
		    "for the next boot");
	return 0;
}

int
change_rollback(struct change *c, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;

	if (versioned_lock(c->on, &l, e) < 0 || versioned_refresh(c->on, e) < 0)
		return -1;
	snprintf(c->from, sizeof(c->from), "%s", c->on->running);
	return *c->on->state.trial ? give_up_trial(c, e) : go_back(c, e);
}

/* ---- looking ahead ---- */

static void
add_change(struct value *changes, const char *path, const char *what)
{
	struct value *row = value_dict();
	AUTO_CLEAR(buf) shown = { 0 };

	show_path(path, &shown);
	value_set_str(row, "path", buf_text(&shown));
	value_set_str(row, "what", what);
	value_push(changes, row);
}

static void
compare(const struct manifest *was, const struct manifest *will,
	struct value *changes)
{
	size_t i = 0, k = 0;

	while (i < was->len || k < will->len) {
		const struct manifest_entry *a =
			i < was->len ? &was->entry[i] : NULL;
		const struct manifest_entry *b =
			k < will->len ? &will->entry[k] : NULL;
		int cmp = !a   ? 1
			  : !b ? -1
			       : manifest_path_cmp(a->path, b->path);

		if (cmp < 0)
			add_change(changes, a->path, "removed");
		else if (cmp > 0)
			add_change(changes, b->path, "new");
		else if (!affected_same(a, b))
			add_change(changes, b->path, "changed");
		i += cmp <= 0;
		k += cmp >= 0;
	}
}

static int
look_for_room(struct change *c, const struct stage *s, struct err *e)
{
	struct statvfs v;

	if (statvfs(c->on->dir, &v) < 0)
		return err_sys(e, "%s", c->on->dir);
	c->free = (uint64_t)v.f_bavail * v.f_frsize;
	return stage_room(s, &c->room, e);
}

int
change_look(struct change *c, const char *to, struct value *changes,
	    struct err *e)
{
	struct stage s = { 0 };
	int bad;

	if (check_target(c, to, e) < 0)
		return -1;
	snprintf(c->to, sizeof(c->to), "%s", to);
	bad = stage_open(&s, c->host, c->on, c->to, e);
	s.allow_downgrade = c->allow_downgrade;
	s.strict = c->strict;
	bad = bad || stage_look(&s, e) < 0 || stage_merge_look(&s, e) < 0;
	if (!bad) {
		compare(s.was, s.will, changes);
		c->kernel = affected_kernel(s.was, s.will);
		bad = look_for_room(c, &s, e);
		if (c->on->live)
			c->services = affected_services(s.was, s.will);
		c->pulled = s.pulled;
		value_free(c->notes);
		c->notes = STEAL(s.notes);
	}
	stage_clear(&s);
	return bad ? -1 : 0;
}
