/* The way back. A live one that was cut off, by a kill, goes on when the same
 * command is given again: without a note of it that command would be another
 * one, which leads back from where the first one came. */
#include <stdio.h>

#include "lib/file.h"
#include "lib/lock.h"
#include "lib/num.h"

#include "roots/identity.h"
#include "roots/watchdog.h"

#include "host/change.h"
#include "host/change_live.h"
#include "host/check.h"
#include "host/history.h"
#include "host/keep.h"
#include "host/left.h"

/* ---- may it be ---- */

static bool
is_plain(const char *version)
{
	return str_eq(version, VERSIONED_PLAIN);
}

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
		       "%s is damaged in %zu file%s, the first %s: \"edeploy "
		       "verify --fix %s\" mends that",
		       version, d.count, d.count == 1 ? "" : "s", d.first,
		       version);
}

/* Neither what cannot be brought nor what cannot be told keeps anybody here. */
static void
bring_identity(const struct change *c)
{
	AUTO_FREE char *from = versioned_root(c->on, c->on->running);
	AUTO_FREE char *to = versioned_root(c->on, c->to);
	struct err e = { 0 };

	if (is_plain(c->on->running) || is_plain(c->to) ||
	    identity_bring(from, to, &e) == 0)
		return;
	fprintf(stderr,
		"edeploy: warning: %s keeps a machine-id, hostname or keys of "
		"its own: %s\n",
		c->to, e.text);
}

static void
tell_left(const struct change *c)
{
	struct err e = { 0 };

	/* the old root has no record that tells an edit */
	if (is_plain(c->from) || is_plain(c->to))
		return;
	if (left_behind(c->on, c->from, c->to, c->notes, &e) < 0)
		fprintf(stderr,
			"edeploy: warning: what was edited since is not "
			"known: %s\n",
			e.text);
}

/* ---- a live way back that was cut off ---- */

/* Where it leads, from where, and the generation of boot.cfg that arms it. In
 * /run: a boot ends it in its own way. */
#define BACK "/run/edeploy/back"

static int
mark_back(const struct change *c, struct err *e)
{
	const struct state *s = &c->on->state;
	bool writes = *s->trial || !str_eq(c->to, s->good);
	AUTO_FREE char *line =
		base_printf("%s %s %llu\n", c->to, c->from,
			    (unsigned long long)s->gen + (writes ? 1 : 0));

	if (dir_make("/run/edeploy", 0755, e) < 0)
		return -1;
	return file_replace(BACK, line, strlen(line), 0600, e);
}

static bool
read_back(char to[STATE_VERSION], char from[STATE_VERSION], uint64_t *gen)
{
	AUTO_FREE char *text = NULL;
	struct err ignored;
	char *at, *word[3];
	size_t i;

	if (file_read(BACK, 200, &text, NULL, &ignored) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	at = text;
	for (i = 0; i < ARRAY_LEN(word); i++)
		if (!(word[i] = strsep(&at, " ")))
			return false;
	if (!versioned_name_ok(word[0]) || !versioned_name_ok(word[1]) ||
	    num_u64(word[2], 0, UINT64_MAX - 2, gen, "", &ignored) < 0)
		return false;
	snprintf(to, STATE_VERSION, "%s", word[0]);
	snprintf(from, STATE_VERSION, "%s", word[1]);
	return true;
}

/* It was armed, and nothing came since but the proof, which it does itself. */
static bool
is_cut_off(struct change *c)
{
	const struct state *s = &c->on->state;
	char to[STATE_VERSION], from[STATE_VERSION];
	uint64_t gen;
	bool good;

	if (!c->on->live || !read_back(to, from, &gen))
		return false;
	good = str_eq(to, s->good) && !*s->trial;
	if (!(gen == s->gen && (good || str_eq(to, s->trial))) &&
	    !(gen + 1 == s->gen && good && str_eq(to, c->on->running)))
		return false;
	memcpy(c->to, to, sizeof(to));
	memcpy(c->from, from, sizeof(from));
	return true;
}

/* 1: done; 0: at the next boot, then. */
static int
move_back(struct change *c, struct err *e)
{
	int live;

	if (!is_plain(c->to) && check_whole(c, c->to, e) < 0)
		return -1;
	bring_identity(c);
	tell_left(c);
	if (c->on->live && mark_back(c, e) < 0)
		return -1;
	live = change_try_live(c, NULL, e);
	unlink(BACK);
	return live;
}

/* ---- which way ---- */

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
	if (!runs)
		snprintf(c->from, sizeof(c->from), "%s", was);
	live = runs ? move_back(c, e) : 0;
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

/* It starts nothing of ours that would count or prove: it is the good one at
 * once, as it was before it was converted. */
static int
go_to_plain(struct change *c, struct err *e)
{
	AUTO_FREE char *history = history_path(c->on);

	state_return(&c->on->state);
	if (state_write(&c->on->state, c->on->dir, e) < 0)
		return -1;
	c->at_boot = true;
	history_add(history, "rollback", c->on->running, c->to,
		    "for the next boot");
	return 0;
}

static int
go_to(struct change *c, struct err *e)
{
	AUTO_FREE char *history = history_path(c->on);
	int live = move_back(c, e);

	if (live != 0)
		return live < 0 ? -1 : 0;
	if (str_eq(c->to, c->on->state.good))
		c->at_boot = true;
	else if (change_arm(c, e) < 0)
		return -1;
	history_add(history, "rollback", c->on->running, c->to,
		    "for the next boot");
	return 0;
}

static int
go_back(struct change *c, struct err *e)
{
	const struct state *s = &c->on->state;

	if (!*s->prev)
		return err_set(e, ERR_REFUSED,
			       "no version was good before %s on this disk: "
			       "\"edeploy upgrade VERSION --allow-downgrade\" "
			       "brings an older one",
			       s->good);
	snprintf(c->to, sizeof(c->to), "%s", s->prev);
	return is_plain(c->to) ? go_to_plain(c, e) : go_to(c, e);
}

/* A trial was left, and goes as nobody needs it: that comes last. */
static int
end_tidying(struct change *c)
{
	c->entered = true;
	c->proved = !*c->on->state.trial;
	keep_tidy(c->on, NULL, NULL, NULL);
	unlink(BACK);
	return 0;
}

static int
go_on(struct change *c, struct err *e)
{
	if (!c->host->json)
		printf("going on where it was cut off\n");
	if (str_eq(c->to, c->on->running) && !versioned_has(c->on, c->from))
		return end_tidying(c);
	if (str_eq(c->to, c->on->running)) {
		if (change_resume(c, true, e) < 0)
			return -1;
		unlink(BACK);
		return 0;
	}
	memcpy(c->from, c->on->running, sizeof(c->from));
	/* armed, and not entered */
	if (change_drop_trial(c, e) < 0)
		return -1;
	return go_to(c, e);
}

int
change_rollback(struct change *c, struct err *e)
{
	AUTO_CLEAR(lock) l = LOCK_NONE;
	bool trial, cut;
	int bad;

	if (versioned_lock(c->on, &l, e) < 0 || versioned_refresh(c->on, e) < 0)
		return -1;
	snprintf(c->from, sizeof(c->from), "%s", c->on->running);
	trial = *c->on->state.trial;
	cut = is_cut_off(c);
	bad = cut ? go_on(c, e) : trial ? give_up_trial(c, e) : go_back(c, e);
	/* what was cut off may have left a trial */
	if (!bad && (trial || cut) && c->on->live)
		watchdog_stop();
	return bad && *c->to ? change_failed(c, "rollback", e) : bad;
}
