/* What would change if a site's files were others. Nothing is modelled here:
 * machines ask a real site, which is thrown away, with the facts that they have
 * sent; what they get is compared with what they have. */
#include "site/replay.h"
#include "lib/json.h"

/* ---- asking one after the other ---- */

int
replay_go_on(struct replay *r, struct err *e)
{
	if (r->watch && !r->watch->go_on(r->watch->ctx, r->done, r->total))
		return err_set(e, ERR_REFUSED, "stopped");
	r->done++;
	return 0;
}

static void
count_script(struct replay *r, const char *profile)
{
	const char *was = value_get_str(r->scripts, profile);
	const struct profile *p = snapshot_profile(r->now->snapshot, profile);

	if (!was || !p || !p->configure || str_eq(was, p->configure))
		return;
	value_set_int(r->differ, profile,
		      value_get_int(r->differ, profile, 0) + 1);
}

/* Its row, where something is different for it. */
void
replay_note(struct replay *r, const char *name, const struct standing *was,
	    const struct standing *now)
{
	AUTO(value) row = value_dict();

	r->asked++;
	if (now->profile && str_eq(was->profile, now->profile))
		count_script(r, now->profile);
	value_set_str(row, "machine", name);
	value_set_str(row, "hostname", value_get_str(was->vars, "hostname"));
	if (standing_compare(was, now, row))
		value_push(r->rows, STEAL(row));
}

struct value *
replay_scripts(const struct snapshot *s)
{
	struct value *v = value_dict();

	for (size_t i = 0; i < s->len; i++)
		value_set_str(v, s->profiles[i].name, s->profiles[i].configure);
	return v;
}

int
replay_check(const struct site *s, struct err *e)
{
	if (s->snapshot->state)
		return 0;
	return err_set(e, ERR_INPUT, "%s", s->snapshot->state_problem);
}

/* ---- what is told ---- */

/* What is wrong with the new files, by their names. */
static struct value *
problems_of(struct site *s)
{
	struct value *list = NULL;
	struct err e = { 0 };

	if (site_problems(s, &list, &e) < 0)
		return value_list();
	for (size_t i = 0; i < list->list.len; i++) {
		struct value *row = list->list.at[i];
		AUTO_FREE char *file = without_dir(value_get_str(row, "file"),
						   s->conf->configdir);
		AUTO_FREE char *message = without_dir(
			value_get_str(row, "message"), s->conf->configdir);

		value_set_str(row, "file", file);
		value_set_str(row, "message", message);
	}
	return list;
}

struct value *
replay_result(struct replay *r)
{
	struct value *v = value_dict(), *scripts = value_list();

	value_set_int(v, "asked", (int64_t)r->asked);
	value_set_int(v, "left_out", (int64_t)r->left_out);
	value_set_int(v, "changed", (int64_t)r->rows->list.len);
	value_set(v, "machines", STEAL(r->rows));
	for (size_t i = 0; i < r->differ->dict.len; i++) {
		struct value *row = value_dict();

		value_set_str(row, "profile", r->differ->dict.at[i].key);
		value_set(row, "machines",
			  value_copy(r->differ->dict.at[i].value));
		value_push(scripts, row);
	}
	value_set(v, "scripts", scripts);
	value_set(v, "problems", problems_of(r->now));
	return v;
}

void
replay_begin(struct replay *r, struct site *now, struct value *scripts)
{
	r->now = now;
	r->scripts = scripts;
	r->differ = value_dict();
	r->rows = value_list();
}

void
replay_clear(struct replay *r)
{
	value_free(r->scripts);
	value_free(r->differ);
	value_free(r->rows);
}

/* ---- without a server ---- */

static int
ask_both(struct replay *r, struct site *before, const struct site_asker *a,
	 struct err *e)
{
	struct standing was = { 0 }, now = { 0 };
	int failed;

	if (replay_go_on(r, e) < 0)
		return -1;
	failed = standing_ask(before, a->facts, &was, e);
	if (failed == 0)
		failed = standing_ask(r->now, a->facts, &now, e);
	if (failed == 0)
		replay_note(r, a->name, &was, &now);
	standing_clear(&was);
	standing_clear(&now);
	return failed < 0 ? err_add(e, "%s", a->name) : 0;
}

static int
open_both(const struct conf *was, const struct conf *now, struct site **before,
	  struct site **after, struct err *e)
{
	if (site_open_scratch(before, was, e) < 0 ||
	    replay_check(*before, e) < 0 ||
	    site_open_scratch(after, now, e) < 0 || replay_check(*after, e) < 0)
		return -1;
	return 0;
}

int
site_replay_files(const struct conf *was, const struct conf *now,
		  const struct site_asker *askers, size_t len,
		  const struct site_watch *w, struct value **out, struct err *e)
{
	AUTO_CLEAR(scratch) t = SCRATCH_NONE;
	AUTO_CLEAR(replay) r = { .watch = w, .total = len };
	AUTO_FREE char *old_store = NULL, *new_store = NULL;
	AUTO(site) before = NULL;
	AUTO(site) after = NULL;
	struct conf old, new;

	if (scratch_make(&t, e) < 0)
		return -1;
	old = scratch_conf(&t, "was", was, was->configdir);
	old_store = old.storedir;
	new = scratch_conf(&t, "now", now, now->configdir);
	new_store = new.storedir;
	if (open_both(&old, &new, &before, &after, e) < 0)
		return -1;
	replay_begin(&r, after, replay_scripts(before->snapshot));
	for (size_t i = 0; i < len; i++)
		if (ask_both(&r, before, &askers[i], e) < 0)
			return -1;
	*out = replay_result(&r);
	return 0;
}
