/* What host/switch.h calls in the middle of a move. */
#include <errno.h>
#include <stdio.h>

#include "lib/file.h"

#include "roots/live.h"

#include "host/change_live.h"
#include "host/history.h"
#include "host/keep.h"
#include "host/prove.h"
#include "host/stage.h"
#include "host/switch.h"

struct going {
	struct change *c;
	struct stage *s;
};

/* That a move was refused means that it was not begun. */
static int
from_within(int bad, struct err *e)
{
	if (bad < 0 && e->kind == ERR_REFUSED)
		e->kind = ERR_INPUT;
	return bad;
}

static int
merge(void *ctx, struct err *e)
{
	const struct going *g = ctx;

	return from_within(stage_merge_again(g->s, e), e);
}

/* From before the move on, on the disk: a version whose post was cut off, by a
 * power cut or a kill, is not proved by a boot. */
static int
mark_post(const struct change *c, struct err *e)
{
	AUTO_FREE char *path = versioned_beside(c->on, c->to, PROVE_POST);

	return file_replace(path, "its post runs\n", 14, 0644, e);
}

bool
change_was_cut_off(const struct change *c, const char *version)
{
	AUTO_FREE char *path = versioned_beside(c->on, version, PROVE_POST);

	return file_exists(path);
}

int
change_post_ended(const struct change *c, struct err *e)
{
	AUTO_FREE char *path = versioned_beside(c->on, c->to, PROVE_POST);

	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "%s", path);
	return stage_sync(c->on->dir, e);
}

static int
post(void *ctx, bool *reboot, struct err *e)
{
	const struct going *g = ctx;

	if (change_post(g->c, g->c->to, e) < 0 ||
	    change_post_ended(g->c, e) < 0)
		return from_within(-1, e);
	*reboot = g->c->reboot;
	return 0;
}

static int
healthy(void *ctx, struct err *e)
{
	(void)ctx;
	return from_within(prove_healthy(e), e);
}

int
change_may_live(const struct change *c, bool *may, struct err *e)
{
	AUTO_FREE char *automount = NULL;
	bool same_kernel, same_start;

	*may = false;
	/* the old root was never entered, and cannot be left, by a move */
	if (!c->on->live || c->later ||
	    str_eq(c->on->running, VERSIONED_PLAIN) ||
	    str_eq(c->to, VERSIONED_PLAIN))
		return 0;
	if (switch_compare(c->on->top, c->on->running, c->to, &same_kernel,
			   &same_start, e) < 0)
		return -1;
	*may = same_kernel || c->live;
	automount = *may ? live_automount() : NULL;
	if (!automount)
		return 0;
	if (c->live)
		return err_set(e, ERR_REFUSED,
			       "%s is an automount, which cannot be moved into "
			       "%s: unmount it (systemctl stop), or let the "
			       "next boot enter (--at-boot)",
			       automount, c->to);
	*may = false;
	if (!c->host->json)
		printf("%s is an automount, which cannot be moved: the next "
		       "boot enters\n",
		       automount);
	return 0;
}

static void
tell(const struct change *c, const char *action, const char *was)
{
	AUTO_FREE char *history = history_path(c->on);

	history_add(history, action, was, c->to,
		    c->proved ? "live" : "live, on trial until it was booted");
}

/* The system stands in c->to, and was in `was`. */
static int
entered(struct change *c, const struct switch_job *job, const char *action,
	const char *was, struct err *e)
{
	c->entered = true;
	c->proved = job->proved;
	c->reboot = job->reboot;
	value_free(c->services);
	c->services = job->stragglers;
	tell(c, action, was);
	if (versioned_refresh(c->on, e) < 0)
		return -1;
	if (c->proved)
		keep_tidy(c->on, NULL, NULL, NULL);
	return 0;
}

int
change_live(struct change *c, struct stage *s, struct err *e)
{
	struct going g = { c, s };
	struct switch_job job = { .to = c->to,
				  .merge = s ? merge : NULL,
				  .post = s ? post : NULL,
				  .healthy = healthy,
				  .restart = !s,
				  .stragglers = value_list(),
				  .ctx = &g };
	char was[STATE_VERSION];

	/* the write of the boot state takes it to the disk */
	if (s && mark_post(c, e) < 0) {
		value_free(job.stragglers);
		return -1;
	}
	if (switch_live(c->host, &job, e) < 0) {
		value_free(job.stragglers);
		if (e->kind != ERR_REFUSED)
			return -1;
		fprintf(stderr, "edeploy: not live: %s\n", e->text);
		*e = (struct err){ 0 };
		/* a trial may have been written, and taken back */
		return versioned_refresh(c->on, e) < 0 ? -1 : 1;
	}
	memcpy(was, c->on->running, sizeof(was));
	memcpy(c->on->running, c->to, sizeof(c->to));
	return entered(c, &job, s ? "upgrade" : "rollback", was, e);
}

int
change_resume(struct change *c, bool back, struct err *e)
{
	struct going g = { c, NULL };
	struct switch_job job = { .to = c->to,
				  .from = c->from,
				  .post = back ? NULL : post,
				  .restart = back,
				  .healthy = healthy,
				  .stragglers = value_list(),
				  .ctx = &g };

	if (switch_resume(c->host, &job, e) < 0) {
		value_free(job.stragglers);
		return -1;
	}
	return entered(c, &job, back ? "rollback" : "upgrade", c->from, e);
}
