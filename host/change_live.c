/* What host/switch.h calls in the middle of a move. */
#include <stdio.h>

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

static int
post(void *ctx, bool *reboot, struct err *e)
{
	const struct going *g = ctx;

	if (change_post(g->c, g->c->to, e) < 0)
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
	bool same_kernel, same_start;

	*may = false;
	if (!c->on->live || c->later)
		return 0;
	if (switch_compare(c->on->top, c->on->running, c->to, &same_kernel,
			   &same_start, e) < 0)
		return -1;
	*may = same_kernel || c->live;
	return 0;
}

static void
tell(const struct change *c, const char *action, const char *was)
{
	AUTO_FREE char *history = history_path(c->on);

	history_add(history, action, was, c->to,
		    c->proved ? "live" : "live, on trial until it was booted");
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

	if (switch_live(c->host, &job, e) < 0) {
		value_free(job.stragglers);
		if (e->kind != ERR_REFUSED)
			return -1;
		fprintf(stderr, "edeploy: not live: %s\n", e->text);
		*e = (struct err){ 0 };
		return 1;
	}
	memcpy(was, c->on->running, sizeof(was));
	memcpy(c->on->running, c->to, sizeof(c->to));
	c->entered = true;
	c->proved = job.proved;
	c->reboot = job.reboot;
	value_free(c->services);
	c->services = job.stragglers;
	tell(c, s ? "upgrade" : "rollback", was);
	if (versioned_refresh(c->on, e) < 0)
		return -1;
	return c->proved ? keep_needed(c->on, NULL, NULL, NULL, e) : 0;
}
