/* Looking at a site without a store: what is wrong with its files, and which
 * profile would fit. Creates no file. */
#include <stdio.h>

#include "site/core.h"
#include "specs/explain.h"

static struct value *
problems_of(const struct snapshot *s)
{
	struct value *list = value_list();

	for (size_t i = 0; i < s->problems_len; i++) {
		struct value *v = value_dict();

		value_set_str(v, "file", s->problems[i].file);
		value_set_int(v, "line", s->problems[i].line);
		value_set_str(v, "level",
			      s->problems[i].warning ? "warning" : "error");
		value_set_str(v, "message", s->problems[i].message);
		value_push(list, v);
	}
	return list;
}

int
site_check(const struct conf *c, struct value **out, struct err *e)
{
	AUTO(snapshot) s = snapshot_read(c->configdir, NULL);

	(void)e;
	*out = problems_of(s);
	return 0;
}

int
site_problems(struct site *s, struct value **out, struct err *e)
{
	(void)e;
	*out = problems_of(site_look(s));
	site_let_go(s);
	return 0;
}

static const char *
try_one(const struct profile *p, const struct facts *f, struct match *m,
	char **reason)
{
	*reason = NULL;
	*m = (struct match){ .outcome = MATCH_MISS };
	if (p->problem) {
		*reason = base_strdup(p->problem);
		return "wrong";
	}
	if (!p->patterns) {
		*reason = base_strdup("has no .specs file");
		return "miss";
	}
	match_run(p->patterns, f, 0, m);
	if (m->outcome == MATCH_HIT)
		return "hit";
	if (m->outcome == MATCH_GAVE_UP) {
		*reason = base_strdup("too many ways to try; add a pattern "
				      "that tells the disks apart");
		return "gave up";
	}
	*reason = explain_line(p->patterns, f);
	return "miss";
}

static void
take_hit(struct site_dry_match *out, const struct profile *p,
	 const struct bindings *b)
{
	size_t i;

	out->profile = base_strdup(p->name);
	out->vars = value_dict();
	for (i = 0; i < b->len; i++)
		value_set_str(out->vars, b->at[i].name, b->at[i].value);
}

int
site_dry_match(const struct conf *c, const struct facts *f,
	       struct site_dry_match *out, struct err *e)
{
	AUTO(snapshot) s = snapshot_read(c->configdir, NULL);
	size_t i;

	*out = (struct site_dry_match){ 0 };
	if (!s->state)
		return err_set(e, ERR_INPUT, "%s", s->state_problem);
	out->tried = value_list();
	for (i = 0; i < s->len && !out->profile; i++) {
		struct value *row = value_dict();
		AUTO_FREE char *reason = NULL;
		struct match m;

		value_set_str(row, "profile", s->profiles[i].name);
		value_set_str(row, "outcome",
			      try_one(&s->profiles[i], f, &m, &reason));
		value_set_str(row, "reason", reason);
		value_push(out->tried, row);
		if (m.outcome == MATCH_HIT)
			take_hit(out, &s->profiles[i], m.bindings);
		match_clear(&m);
		if (s->profiles[i].problem)
			break; /* later profiles are not tried */
	}
	return 0;
}

void
site_dry_match_clear(struct site_dry_match *m)
{
	free(m->profile);
	value_free(m->vars);
	value_free(m->tried);
	*m = (struct site_dry_match){ 0 };
}
