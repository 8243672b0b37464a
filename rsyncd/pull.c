/* The flow of a pull: what is published, what is here, what the base gives, the
 * cheapest way to the rest; and once more, when something on that way was not
 * what it promised to be. */
#include "rsyncd/pull.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>

#include "lib/base.h"
#include "rsyncd/frame.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/stand.h"
#include "rsyncd/place.h"
#include "rsyncd/take.h"

/* A few patches, by patches, by what was at hand, by frames alone. */
#define ROUNDS 5
#define PROBE (1UL << 20) /* bytes of the few */
#define LARGE (1024 * 1024)

/* What a record says, its signature aside, is a bound at least: who may write
 * there needs no old version. */
static int
check_newer(const struct job *j, const char *record, const char *what,
	    struct err *e)
{
	const struct seal *s = j->seal;
	AUTO(seal) was = NULL;

	if (!record || record_peek(record, &was) == 0 ||
	    !str_eq(was->role, s->role))
		return 0;
	if (str_eq(was->version, s->version) && was->revision > s->revision)
		return err_set(e, ERR_REFUSED,
			       "%s %s: its revision %llu is older than that of "
			       "%s: somebody replays old files",
			       s->role, s->version,
			       (unsigned long long)s->revision, what);
	if (s->serial < was->serial && !j->o->allow_downgrade)
		return err_set(e, ERR_REFUSED,
			       "%s %s is older than %s, %s: that must be "
			       "allowed (--allow-downgrade)",
			       s->role, s->version, what, was->version);
	return 0;
}

static int
check_serial(const struct job *j, struct err *e)
{
	if (check_newer(j, j->o->base_record, "the base", e) < 0)
		return -1;
	return j->o->record_only
		       ? 0
		       : check_newer(j, j->o->record, "what is there", e);
}

/* ---- rounds ---- */

struct round {
	struct plan_want *want;
	size_t *content;
	size_t len;
	uint64_t bytes; /* of a probe */
	struct plan *plan;
	struct mending mending;
};

static void
round_clear(struct round *r)
{
	mend_clear(&r->mending);
	plan_free(r->plan);
	free(r->want);
	free(r->content);
	*r = (struct round){ 0 };
}

/* Is it one of the few small patches that tell how quick the wire is? */
static bool
is_probe(const struct job *j, struct round *r, const struct content *c)
{
	const struct patch_table *t = j->route.table[0];
	const struct patch_op *op = patch_find(t, c->hash.b);

	if (!op || op->kind == PATCH_GZIP || op->kind == PATCH_SYMBOLS ||
	    r->bytes >= PROBE || patch_size(t, op) > PROBE / 8)
		return false;
	r->bytes += patch_size(t, op);
	return true;
}

static bool
is_missing(const struct want *w)
{
	return w->state == WANT_MISSING && !w->linking;
}

static void
list_wants(const struct job *j, struct round *r, bool probe)
{
	size_t i, n = contents_len(j->h.contents);

	r->want = base_array(n + 1, sizeof(*r->want));
	r->content = base_array(n + 1, sizeof(*r->content));
	for (i = 0; i < n; i++) {
		const struct content *c = contents_at(j->h.contents, i);
		struct plan_want *w = &r->want[r->len];

		if (!is_missing(&j->want[i]) || (probe && !is_probe(j, r, c)))
			continue;
		memcpy(w->head, c->hash.b, sizeof(w->head));
		w->size = c->size;
		w->no_patch = j->want[i].no_patch;
		r->content[r->len++] = i;
	}
}

static void
make_plan(struct job *j, struct round *r)
{
	struct plan_in in = {
		.want = r->want,
		.wants = r->len,
		.delta = (const struct patch_table *const *)j->route.table,
		.deltas = j->route.len,
		.pack = (const struct pack_table *const *)j->pack,
		.packs = j->packs,
		.at_hand = base_at_hand,
		.ctx = j,
		.speed = source_speed(j->src),
		.slow = source_slow(j->src),
	};

	plan_free(r->plan);
	r->plan = plan_make(&in);
}

static uint64_t
packs_size(const struct seal *s)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < s->fulls; i++)
		sum += s->full[i].place.size;
	return sum;
}

static int
no_pack_has(const struct job *j, const struct round *r, struct err *e)
{
	size_t i;

	for (i = 0; r->want[i].way != PLAN_NOWHERE; i++)
		;
	return err_set(e, ERR_PEER,
		       "%s %s: no pack holds %s: the version must be published "
		       "anew",
		       j->seal->role, j->seal->version,
		       contents_at(j->h.contents, r->content[i])->first->path);
}

/* What made the plan take the larger one of two patches is the speed that the
 * first few hundred kilobytes had, which a shaped wire lets pass in a burst. A
 * megabyte of other patches tells more. */
static bool
probe_first(struct job *j, struct round *r)
{
	if (j->probed || !r->plan->plain || j->route.len != 1 || j->o->dry_run)
		return false;
	j->probed = true;
	round_clear(r);
	list_wants(j, r, true);
	if (r->len > 0) {
		make_plan(j, r);
		return true;
	}
	list_wants(j, r, false);
	make_plan(j, r);
	return false;
}

/* The packs' tables are not asked for when patches are enough, few, and
 * quickly made. */
static int
plan_round(struct job *j, struct round *r, struct err *e)
{
	list_wants(j, r, false);
	if (r->len == 0)
		return 0;
	make_plan(j, r);
	if (probe_first(j, r))
		return 0;
	if (r->plan->nowhere > 0 || r->plan->slow ||
	    r->plan->wire > packs_size(j->seal) / 4) {
		if (release_packs(j, e) < 0)
			return -1;
		make_plan(j, r);
	}
	if (r->plan->nowhere > 0)
		return no_pack_has(j, r, e);
	if (mend_look(j, r->want, r->content, r->len, &r->mending, e) < 0)
		return -1;
	if (r->mending.found > 0)
		make_plan(j, r);
	return 0;
}

static size_t
count_missing(const struct job *j)
{
	size_t i, n = contents_len(j->h.contents), missing = 0;

	for (i = 0; i < n; i++)
		missing += is_missing(&j->want[i]);
	return missing;
}

static int
run_round(struct job *j, struct round *r, struct err *e)
{
	const struct take_plan what = { r->plan, r->want, r->content, r->len,
					&r->mending };

	return take_planned(j, &what, e);
}

/* The way, for a person: what most of it came by. */
static void
name_way(struct job *j, const struct round *r)
{
	if (j->r->way != PULL_NOTHING) /* of what was there to link, no more */
		return;
	if (!j->o->base)
		j->r->way = PULL_FULL;
	else if (r->plan->patches == 0)
		j->r->way = PULL_FRAMES;
	else
		j->r->way = j->route.chain && j->route.len > 1 ? PULL_CHAIN
							       : PULL_DELTA;
}

static int
fetch_all(struct job *j, struct err *e)
{
	size_t missing = count_missing(j);
	int n, bad = 0;

	for (n = 0; bad == 0 && n < ROUNDS && missing > 0; n++) {
		struct round r = { 0 };

		bad = plan_round(j, &r, e);
		if (bad == 0 && n == 0)
			name_way(j, &r);
		if (bad == 0 && j->o->dry_run) {
			j->r->wire += r.plan->wire;
			j->r->fetched = missing;
			missing = 0;
		} else if (bad == 0) {
			bad = run_round(j, &r, e);
			missing = count_missing(j);
		}
		round_clear(&r);
	}
	if (bad == 0 && missing > 0)
		return err_set(e, ERR_PEER,
			       "%zu contents could not be made: damaged beyond "
			       "repeat",
			       missing);
	return bad;
}

/* ---- the flow ---- */

static void
prepare(struct job *j)
{
	j->r->files = j->m->len;
	j->r->bytes = j->m->bytes;
	holders_init(&j->h, j->m);
	j->entry = base_array(j->m->len + 1, sizeof(*j->entry));
	j->want = base_array(contents_len(j->h.contents) + 1, sizeof(*j->want));
}

static int
keep_record(struct job *j, struct err *e)
{
	if (!j->o->record)
		return 0;
	if (j->manifest_zst.len == 0)
		frame_store_text(j->m->text, j->m->text_len, &j->manifest_zst);
	if (record_write(j->o->record, j->seal_text, j->manifest_zst.at,
			 j->manifest_zst.len, e) < 0)
		return -1;
	done_keep(j, j->seal->hash);
	return 0;
}

/* A record of what was there promises too much from now on. */
static void
forget_record(const struct job *j)
{
	if (j->o->record && !j->o->dry_run)
		record_forget(j->o->record);
}

/* What the base does not give comes over the wire. */
static int
bring(struct job *j, struct err *e)
{
	if (base_share(j, e) < 0 || base_prove(j, e) < 0)
		return -1;
	return fetch_all(j, e);
}

static int
fill(struct job *j, struct err *e)
{
	int bad;

	if (into_through(j, e) < 0)
		return -1;
	base_choose(j);
	if (j->o->dry_run)
		return bring(j, e);
	link_begin(j);
	aside_begin(j);
	bad = link_read(j, e) < 0 ? -1 : bring(j, e);
	if (aside_end(j, bad == 0, e) < 0 || bad < 0)
		return -1;
	link_end(j);
	/* what became no link after all */
	if (bring(j, e) < 0)
		return -1;
	if (into_finish(j, e) < 0)
		return -1;
	return keep_record(j, e);
}

static int
run(struct job *j, struct err *e)
{
	int done = 0;

	if (!j->o->record_only && done_read(j, e) < 0)
		return -1;
	if (release_head(j, e) < 0)
		return -1;
	if (!j->o->record_only)
		done = done_is(j, e);
	if (done != 0)
		return done < 0 ? -1 : 0;
	if (release_read(j, e) < 0 || base_open(j, e) < 0 ||
	    check_serial(j, e) < 0)
		return -1;
	if (route_find(j, e) < 0 || release_manifest(j, e) < 0 ||
	    base_ready(j, e) < 0)
		return -1;
	if (j->o->record_only)
		return keep_record(j, e);
	prepare(j);
	forget_record(j);
	return fill(j, e);
}

static void
job_clear(struct job *j)
{
	size_t i;

	route_clear(&j->route);
	base_close(&j->base);
	for (i = 0; i < j->packs; i++)
		pack_table_free(j->pack[i]);
	for (i = 0; i < ARRAY_LEN(j->room); i++)
		free(j->room[i]);
	if (j->m && j->h.contents)
		holders_clear(&j->h);
	manifest_free(j->m);
	manifest_free(j->done.m);
	seal_free(j->done.seal);
	seal_free(j->seal);
	free(j->seal_text);
	buf_clear(&j->manifest_zst);
	free(j->entry);
	free(j->link_from);
	inodes_free(j->inodes);
	free(j->want);
	if (j->work >= 0)
		close(j->work);
	if (j->into >= 0)
		close(j->into);
	source_close(j->src);
}

static int
wire_tick(void *ctx)
{
	struct err e = { 0 };

	return stage_tick(ctx, &e) < 0;
}

static void
wire_say(void *ctx, const char *line)
{
	const struct job *j = ctx;

	if (j->o->source.say)
		j->o->source.say(j->o->source.ctx, line);
}

int
pull(const struct pull_opts *opts, struct pull_result *out, struct err *e)
{
	struct job j = { .o = opts, .r = out, .into = -1, .work = -1 };
	struct source_opts so = opts->source;
	int i, bad;

	*out = (struct pull_result){ 0 };
	/* Frames are made by one thread and freed by another. Left to itself,
	 * malloc keeps them in heaps that nobody else can use: 30 MB more;
	 * but what patches need again and again should not go back to the
	 * kernel each time. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	mallopt(M_TRIM_THRESHOLD, 4 * LARGE);
	j.base.fd = -1;
	j.threads = opts->threads > 0 ? opts->threads : 2;
	if (j.threads > LANES_MAX)
		j.threads = LANES_MAX;
	for (i = 0; i < j.threads; i++)
		j.room[i] = base_alloc(PLACE_ROOM);
	so.tick = wire_tick;
	so.say = wire_say;
	so.ctx = &j;
	bad = into_open(&j, e);
	if (bad == 0)
		bad = source_open(&j.src, &so, e);
	if (bad == 0)
		stage_begin(&j, "look", 0);
	if (bad == 0)
		bad = run(&j, e);
	if (bad == 0 && !opts->dry_run)
		out->wire = source_bytes(j.src);
	else if (bad == 0)
		out->wire += source_bytes(j.src);
	if (bad == 0 && opts->tree && j.m) {
		holders_clear(&j.h);
		*opts->tree = STEAL(j.m);
	}
	job_clear(&j);
	return bad;
}
