/* A replay of what a server knows: a copy of its store, the files to try, and
 * every machine asks again. The site in use is only read. */
#include "site/replay.h"

/* A machine as the copy had it before the new files came. */
struct had {
	int64_t id;
	bool installed;
	struct standing was;
};

struct hads {
	struct had *at;
	size_t len, left_out;
	const char *dir; /* the files in force */
	struct err *e;
	bool failed;
};

static void
hads_clear(struct hads *h)
{
	for (size_t i = 0; i < h->len; i++)
		standing_clear(&h->at[i].was);
	free(h->at);
	*h = (struct hads){ 0 };
}

/* One that was released has nothing that could change, and may be gone from
 * the house; a machine without facts cannot be asked for. */
static int
keep_machine(void *ctx, const struct store_machine *m)
{
	struct hads *h = ctx;
	struct had *had;

	if (m->condition == CONDITION_RELEASED || !m->facts) {
		h->left_out++;
		return 0;
	}
	if ((h->len & (h->len - 1)) == 0)
		h->at = base_resize(h->at, h->len ? 2 * h->len : 1,
				    sizeof(*h->at));
	had = &h->at[h->len++];
	*had = (struct had){ m->id,
			     m->condition == CONDITION_INSTALLED,
			     { 0 } };
	h->failed = standing_of(m, h->dir, &had->was, h->e) < 0;
	return h->failed;
}

/* ---- the copy ---- */

static int
ask_reinstall(struct store *copy, int64_t id, struct err *e)
{
	struct store_machine m = { 0 };
	bool found = false;
	int failed = store_machine_get(copy, id, &m, &found, e);

	m.reinstall = true;
	if (failed == 0 && found)
		failed = store_machine_put(copy, &m, e);
	store_machine_clear(&m);
	return failed;
}

/* Installed machines shall tell what an installation would give them. */
static int
ask_reinstalls(struct store *copy, const struct hads *h, struct err *e)
{
	if (store_begin(copy, e) < 0)
		return -1;
	for (size_t i = 0; i < h->len; i++)
		if (h->at[i].installed &&
		    ask_reinstall(copy, h->at[i].id, e) < 0)
			return -1;
	return store_commit(copy, e);
}

static int
prepare_copy(const struct conf *live, const struct conf *c, struct hads *h,
	     struct err *e)
{
	AUTO(store) copy = NULL;

	h->dir = live->configdir;
	h->e = e;
	if (store_copy(live->storedir, c->storedir, e) < 0 ||
	    store_open_scratch(&copy, c->storedir, e) < 0 ||
	    store_machines(copy, keep_machine, h, e) < 0 || h->failed)
		return -1;
	return ask_reinstalls(copy, h, e);
}

/* ---- asking ---- */

/* The facts of its last upload; NULL without a failure when it became another
 * one's row meanwhile. */
static int
last_facts(struct site *s, int64_t id, struct facts **out, struct err *e)
{
	struct store_machine m = { 0 };
	bool found = false;
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = store_machine_get(s->reader, id, &m, &found, e);
	pthread_mutex_unlock(&s->reader_lock);
	if (failed == 0 && found && m.facts)
		failed = facts_from_json(out, m.facts, strlen(m.facts), e);
	store_machine_clear(&m);
	return failed;
}

static int
ask_one(struct replay *r, const struct had *h, struct err *e)
{
	AUTO_FREE char *name = machine_name(h->id);
	AUTO(facts) facts = NULL;
	struct standing now = { 0 };
	int failed;

	if (replay_go_on(r, e) < 0)
		return -1;
	failed = last_facts(r->now, h->id, &facts, e);
	if (failed == 0 && facts) {
		failed = standing_ask(r->now, facts, &now, e);
		if (failed == 0)
			replay_note(r, name, &h->was, &now);
		standing_clear(&now);
	}
	return failed < 0 ? err_add(e, "%s", name) : 0;
}

static int
ask_all(struct replay *r, struct site *live, const struct conf *c,
	const struct hads *h, struct value **out, struct err *e)
{
	AUTO(site) now = NULL;

	if (site_open_scratch(&now, c, e) < 0 || replay_check(now, e) < 0)
		return -1;
	replay_begin(r, now, replay_scripts(site_look(live)));
	site_let_go(live);
	r->total = h->len;
	r->left_out = h->left_out;
	for (size_t i = 0; i < h->len; i++)
		if (ask_one(r, &h->at[i], e) < 0)
			return -1;
	*out = replay_result(r);
	return 0;
}

int
site_replay(struct site *s, const struct value *files,
	    const struct site_watch *w, struct value **out, struct err *e)
{
	AUTO_CLEAR(scratch) t = SCRATCH_NONE;
	AUTO_CLEAR(hads) h = { 0 };
	AUTO_CLEAR(replay) r = { .watch = w };
	AUTO_FREE char *dir = NULL, *store = NULL;
	struct conf c;

	if (scratch_make_in(&t, s->conf->storedir, e) < 0 ||
	    scratch_write_site(&t, files, &dir, e) < 0)
		return -1;
	c = scratch_conf(&t, "store", s->conf, dir);
	store = c.storedir;
	if (prepare_copy(s->conf, &c, &h, e) < 0)
		return -1;
	return ask_all(&r, s, &c, &h, out, e);
}
