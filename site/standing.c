/* What one machine has, and whether something else is different for it. */
#include "lib/hash.h"
#include "lib/json.h"
#include "site/asking.h"
#include "site/standing.h"

void
standing_clear(struct standing *g)
{
	free(g->profile);
	free(g->reason);
	value_free(g->vars);
	*g = (struct standing){ 0 };
}

char *
without_dir(const char *text, const char *dir)
{
	AUTO_FREE char *head = base_printf("%s/", dir);
	AUTO_CLEAR(buf) out = { 0 };
	const char *hit;

	if (!text)
		return NULL;
	for (; (hit = strstr(text, head)); text = hit + strlen(head))
		buf_add(&out, text, (size_t)(hit - text));
	buf_str(&out, text);
	return buf_take(&out);
}

static int
set_vars(struct standing *g, const char *json, struct err *e)
{
	if (!json)
		return 0;
	return json_parse(&g->vars, json, strlen(json), e);
}

int
standing_of(const struct store_machine *m, const char *dir,
	    struct standing *out, struct err *e)
{
	*out = (struct standing){ 0 };
	out->reason = tells_no_match(m->reason) ? base_strdup("no profile fits")
						: without_dir(m->reason, dir);
	if (!m->profile || m->condition == CONDITION_WAITING ||
	    m->condition == CONDITION_RELEASED)
		return 0;
	out->profile = base_strdup(m->profile);
	return set_vars(out, m->vars, e);
}

/* What was committed is in its row; the reader sees it. */
static int
read_row(struct site *s, const char *id, struct standing *out, struct err *e)
{
	struct store_machine m = { 0 };
	int failed;

	pthread_mutex_lock(&s->reader_lock);
	failed = machine_by_name(s->reader, id, &m, e);
	pthread_mutex_unlock(&s->reader_lock);
	if (failed == 0)
		failed = standing_of(&m, s->conf->configdir, out, e);
	store_machine_clear(&m);
	return failed;
}

int
standing_ask(struct site *s, const struct facts *f, struct standing *out,
	     struct err *e)
{
	struct site_upload u = { .facts = f, .peer = "replay" };
	struct site_reply r = { 0 };
	char run[TOKEN_HEX];
	int failed;

	*out = (struct standing){ 0 };
	token_make(run);
	u.run = run;
	failed = site_upload(s, &u, &r, e);
	if (failed == 0)
		failed = read_row(s, r.machine, out, e);
	/* a failed machine that is turned away is failed still */
	if (failed == 0 && r.outcome != SITE_ASSIGNED) {
		free(STEAL(out->profile));
		value_free(STEAL(out->vars));
	}
	site_reply_clear(&r);
	return failed;
}

/* ---- comparing ---- */

static struct value *
or_none(const struct value *v)
{
	return v ? value_copy(v) : value_none();
}

static void
add_change(struct value *list, const char *name, const struct value *was,
	   const struct value *becomes)
{
	struct value *v = value_dict();

	value_set_str(v, "name", name);
	value_set(v, "was", or_none(was));
	value_set(v, "becomes", or_none(becomes));
	value_push(list, v);
}

/* Told by the profile, and by the entry's being there at all. */
static bool
tells_itself(const char *name)
{
	return str_eq(name, "edeploy-profile") || str_eq(name, "used");
}

/* Those that differ, in the order in which the new ones are written. */
static struct value *
changes_of(const struct value *was, const struct value *now)
{
	struct value *list = value_list();

	for (size_t i = 0; now && i < now->dict.len; i++) {
		const struct member *m = &now->dict.at[i];
		const struct value *old = value_get(was, m->key);

		if (!tells_itself(m->key) && (!old || !value_eq(old, m->value)))
			add_change(list, m->key, old, m->value);
	}
	for (size_t i = 0; now && was && i < was->dict.len; i++) {
		const struct member *m = &was->dict.at[i];

		if (!tells_itself(m->key) && !value_get(now, m->key))
			add_change(list, m->key, m->value, NULL);
	}
	return list;
}

static struct value *
tell(const struct standing *g)
{
	struct value *v = value_dict();

	value_set_str(v, "profile", g->profile);
	value_set_str(v, "reason", g->profile ? NULL : g->reason);
	return v;
}

bool
standing_compare(const struct standing *was, const struct standing *now,
		 struct value *row)
{
	AUTO(value) changes = changes_of(was->vars, now->vars);

	/* one that failed and is told the same again has nothing new, too */
	if (now->profile ? str_eq(was->profile, now->profile) &&
				   changes->list.len == 0
			 : str_eq(was->reason, now->reason))
		return false;
	value_set(row, "was", tell(was));
	value_set(row, "becomes", tell(now));
	value_set(row, "changes", STEAL(changes));
	return true;
}
