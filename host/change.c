#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "lib/file.h"
#include "lib/lock.h"
#include "lib/remove.h"

#include "roots/flush.h"

#include "host/change.h"
#include "host/change_live.h"
#include "host/history.h"
#include "host/hook.h"
#include "host/keep.h"
#include "host/own.h"
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

int
change_may(const struct change *c, const char *to, struct err *e)
{
	const struct versioned *v = c->on;
	const struct state *s = &v->state;

	if (!versioned_name_ok(to))
		return err_set(e, ERR_INPUT, "\"%.60s\" is not a version", to);
	if (str_eq(v->running, VERSIONED_PLAIN))
		return err_set(e, ERR_REFUSED,
			       "the old root runs, which is none of the "
			       "versions: \"edeploy convert\" makes one of it "
			       "again, \"edeploy rollback\" goes to the one "
			       "that was good");
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
	if (str_eq(to, s->good))
		return err_set(e, ERR_REFUSED,
			       "%s is the good version already and does not "
			       "run: \"reboot\" enters it, \"edeploy verify "
			       "--fix %s\" mends its files",
			       to, to);
	if (str_eq(to, s->trial) && s->left > 0 && !change_was_cut_off(c, to))
		return err_set(e, ERR_REFUSED,
			       "%s is what the next boot enters already: "
			       "reboot",
			       to);
	if (str_eq(to, s->prev) && versioned_has(v, to))
		return err_set(e, ERR_REFUSED,
			       "%s ran here before this one: \"edeploy "
			       "rollback\" goes back to it",
			       to);
	return 0;
}

int
change_drop_trial(struct change *c, struct err *e)
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
	if (own_adopt(c->on, to, e) < 0 ||
	    remove_locked(AT_FDCWD, fresh, fresh, e) < 0)
		return -1;
	return rename(root, fresh) < 0 ? err_sys(e, "%s", root) : 0;
}

static int
make_way(struct change *c, const char *to, struct err *e)
{
	if (change_drop_trial(c, e) < 0)
		return -1;
	keep_tidy(c->on, to, say_removed, c);
	return take_up(c, to, e);
}

/* ---- the version's own programs ---- */

static int
run_pre(const struct change *c, struct err *e)
{
	AUTO_FREE char *folder = base_printf("%s.new", c->to);
	int status;

	if (hook_run(c, "pre", folder, c->on->running, &status, e) < 0)
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

	if (hook_run(c, "post", c->to, where, &status, e) < 0)
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
	if (stage_packages(s, e) < 0 || stage_merge(s, e) < 0 ||
	    stage_settle(s, e) < 0)
		return -1;
	value_free(c->notes);
	c->notes = STEAL(s->notes);
	return 0;
}

int
change_arm(struct change *c, struct err *e)
{
	struct state *s = &c->on->state;

	if (flush(c->on->dir, e) < 0 ||
	    state_arm(s, c->to, STATE_TRIES, e) < 0 ||
	    state_write(s, c->on->dir, e) < 0)
		return -1;
	c->at_boot = true;
	return 0;
}

int
change_try_live(struct change *c, struct stage *s, struct err *e)
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
	say(c, "moving the running system into it");
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
	live = change_try_live(c, s, e);
	if (live != 0)
		return live < 0 ? -1 : 0;
	if (change_post(c, c->to, e) < 0 || change_post_ended(c, e) < 0 ||
	    change_arm(c, e) < 0)
		return -1;
	wire = show_size(c->pulled.wire);
	words = base_printf("for the next boot; %s fetched", wire);
	history_add(history, "upgrade", c->on->running, c->to, words);
	return 0;
}

int
change_failed(const struct change *c, const char *what, const struct err *e)
{
	AUTO_FREE char *history = history_path(c->on);
	AUTO_FREE char *words = base_printf("%s: %s", what, e->text);

	history_add(history, "failed", c->from, c->to, words);
	return -1;
}

/* An upgrade to it was cut off behind the move. */
static bool
stands_in_half(const struct change *c)
{
	const struct versioned *v = c->on;

	return v->live && str_eq(c->to, v->state.trial) &&
	       str_eq(c->to, v->running) && change_was_cut_off(c, c->to);
}

int
change_upgrade(struct change *c, const char *to, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	struct stage s = { 0 };
	int bad;

	if (versioned_lock(c->on, &l, e) < 0 || versioned_refresh(c->on, e) < 0)
		return -1;
	snprintf(c->from, sizeof(c->from), "%s", c->on->running);
	snprintf(c->to, sizeof(c->to), "%s", to);
	if (stands_in_half(c)) {
		say(c, "going on where it was cut off");
		memcpy(c->from, c->on->state.good, sizeof(c->from));
		return change_resume(c, false, e);
	}
	if (change_may(c, to, e) < 0)
		return -1;
	bad = stage_open(&s, c->host, c->on, c->to, e) < 0 ||
	      make_way(c, to, e) < 0 || upgrade_staged(c, &s, e) < 0;
	stage_clear(&s);
	if (!bad)
		return 0;
	/* before that nothing was begun */
	return c->pulled.files ? change_failed(c, "upgrade", e) : -1;
}
