/* From a choice to a root that is full. Published trees are the usual way:
 * what is signed, or nothing; the other two are taken as they come. */
#include <stdio.h>

#include "lib/file.h"
#include "rsyncd/pull.h"

#include "agent/tree.h"
#include "agent/tree_archive.h"
#include "agent/tree_rsync.h"

static void
say_text(const struct tree_opts *o, char *owned)
{
	o->say(o->ctx, owned);
	free(owned);
}

/* ---- callbacks of the one as those of the other ---- */

struct coming {
	const struct tree_opts *o;
	char stage[16]; /* of the pull */
};

static int
tick(void *ctx)
{
	const struct coming *c = ctx;

	c->o->tick(c->o->ctx);
	return 0;
}

static void
say(void *ctx, const char *line)
{
	const struct coming *c = ctx;

	c->o->say(c->o->ctx, line);
}

/* What is told is how much of the tree came; what goes before and after has a
 * line each. */
static void
progress(void *ctx, const struct pull_progress *p)
{
	struct coming *c = ctx;
	const struct tree_progress told = { p->percent, (int64_t)p->bytes,
					    p->bytes_per_s, p->eta_s };

	if (!str_eq(c->stage, p->stage)) {
		snprintf(c->stage, sizeof(c->stage), "%s", p->stage);
		say_text(c->o, base_printf("tree: %s", p->stage));
	}
	if (str_eq(p->stage, "fetch"))
		c->o->progress(c->o->ctx, &told);
}

/* ---- published ---- */

static struct source_opts
source_of(struct coming *c)
{
	return (struct source_opts){ .where = c->o->choice->trees,
				     .tries = c->o->tries,
				     .pause_max_s = c->o->pause_max_s,
				     .tick = tick,
				     .say = say,
				     .ctx = c };
}

int
tree_published(const struct tree_opts *o, struct err *e)
{
	struct coming c = { .o = o };
	const struct source_opts opts = source_of(&c);
	AUTO_FREE char *path = base_printf("%s/%s/HEAD", o->role, o->version);
	AUTO_CLEAR(buf) head = { 0 };
	struct source *s = NULL;
	int there;

	if (o->choice->way == TREE_RSYNC)
		return 0;
	if (source_open(&s, &opts, e) < 0)
		return -1;
	there = source_small(s, path, HEAD_TEXT_MAX, true, &head, e);
	source_close(s);
	return there;
}

/* Nobody is believed without a key, also not the server that it came from. */
static int
read_trust(const struct tree_opts *o, struct sign_trust *out, struct err *e)
{
	if (file_exists(o->trust))
		return sign_trust_read(out, o->trust, e);
	return err_set(e, ERR_REFUSED,
		       "%s %s is published at %s, and this initrd has no key "
		       "to check it by (initrd/build --trust FILE.pub); "
		       "RSERV=… takes it by rsync, unsigned",
		       o->role, o->version, o->choice->trees);
}

static void
say_result(const struct tree_opts *o, const struct pull_result *r)
{
	say_text(o, base_printf("%s %s, root %.16s…: %llu files, %.1f MB out "
				"of %.1f MB that came, signature and every "
				"file checked",
				o->role, r->version, r->root,
				(unsigned long long)r->files,
				(double)r->bytes / 1e6, (double)r->wire / 1e6));
}

static int
by_pull(const struct tree_opts *o, struct err *e)
{
	struct sign_trust trust = { 0 };
	struct coming c = { .o = o };
	const struct pull_opts opts = {
		.source = source_of(&c),
		.trust = &trust,
		.role = o->role,
		.version = o->version,
		.into = o->into,
		.record = o->record,
		.keep = true,
		/* the operator named this version */
		.allow_downgrade = true,
		.progress = progress,
		.ctx = &c,
	};
	struct pull_result result = { 0 };

	if (read_trust(o, &trust, e) < 0 || pull(&opts, &result, e) < 0)
		return -1;
	say_result(o, &result);
	return 0;
}

/* ---- the other ways ---- */

static int
by_rsync(const struct tree_opts *o, struct err *e)
{
	AUTO_FREE char *into = base_printf("%s/", o->into);
	const struct tree_rsync_opts opts = { .url = o->choice->other,
					      .into = into,
					      .pause_max_s = o->pause_max_s,
					      .tries = o->tries,
					      .progress = o->progress,
					      .tick = o->tick,
					      .say = o->say,
					      .ctx = o->ctx };

	return tree_rsync(&opts, e);
}

static int
by_other(const struct tree_opts *o, struct err *e)
{
	const struct tree_choice *c = o->choice;

	if (c->way == TREE_PUBLISHED)
		return err_set(e, ERR_PEER,
			       "%s %s is not published at %s: look at its "
			       "name, or edeployctl publish %s %s DIR",
			       o->role, o->version, c->trees, o->role,
			       o->version);
	say_text(o, base_printf("%s %s is not published at %s: from %s, "
				"which nobody signed",
				o->role, o->version, c->trees, c->other));
	return c->way == TREE_ARCHIVE ? tree_archive(o, e) : by_rsync(o, e);
}

int
tree_bring(const struct tree_opts *o, bool published, struct err *e)
{
	if (published)
		return by_pull(o, e);
	return o->choice->way == TREE_RSYNC ? by_rsync(o, e) : by_other(o, e);
}
