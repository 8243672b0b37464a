/* What a machine is told, and what is stored of it: a script with a run of its
 * own, the same bytes again, or why it waits. */
#include "lib/clock.h"
#include "site/asking.h"

/* What the upload said, into the machine's row, for tables and `show`. */
static void
take_look(struct asking *a)
{
	const struct facts *f = a->u->facts;

	set_text(&a->m.product, facts_find(f, "system", "product", "name"));
	set_text(&a->m.facts, a->facts_json);
	set_text(&a->m.peer, a->u->peer);
	a->m.last_seen_ms = a->now_ms;
}

static int
save(struct site *s, struct asking *a, enum condition c, const char *reason,
     struct err *e)
{
	a->m.condition = c;
	set_text(&a->m.reason, reason);
	take_look(a);
	return store_machine_put(s->writer, &a->m, e);
}

int
turn_away(struct site *s, struct asking *a, enum site_outcome outcome,
	  const char *reason, struct err *e)
{
	bool news = !str_eq(a->m.reason, reason);

	a->out->outcome = outcome;
	set_text(&a->out->machine, NULL);
	a->out->machine = machine_name(a->m.id);
	set_text(&a->out->reason, reason);
	if (a->detail.len > 0)
		set_text(&a->out->detail, a->detail.at);
	if (save(s, a,
		 a->m.condition == CONDITION_FAILED ? CONDITION_FAILED
						    : CONDITION_WAITING,
		 reason, e) < 0)
		return -1;
	return news ? note_event(s, a->m.id, "waits", reason, e) : 0;
}

static struct value *
vars_of(const struct profile *p, const struct bindings *b,
	const struct value *entry, const struct conf *conf)
{
	struct value *vars = entry ? value_copy(entry) : value_dict();
	size_t i;

	for (i = 0; i < b->len; i++)
		value_set_str(vars, b->at[i].name, b->at[i].value);
	value_set_str(vars, "edeploy-profile", p->name);
	if (conf->metadataurl)
		value_set_str(vars, "metadata_url", conf->metadataurl);
	return vars;
}

static void
write_script(const struct profile *p, const struct value *vars, struct buf *out)
{
	buf_printf(out, "-- EDEPLOY_PROFILE = %s\nvar = ", p->name);
	value_lua(vars, out);
	buf_printf(out, "\n-- EDEPLOY_CONFIGURE = %s.configure\n", p->name);
	buf_str(out, p->configure);
}

/* The open run before this one, if any, is over. */
static int
close_old_run(struct site *s, struct asking *a, struct err *e)
{
	struct store_run r;
	bool found = false;
	int failed;

	if (!a->m.run)
		return 0;
	if (store_run_get(s->writer, a->m.run, &r, &found, e) < 0)
		return -1;
	if (!found || r.ended_ms) {
		store_run_clear(&r);
		return 0;
	}
	r.ended_ms = a->now_ms;
	r.outcome = RUN_REPLACED;
	failed = store_run_put(s->writer, &r, e);
	store_run_clear(&r);
	return failed;
}

static char *
memory_of(const struct site *s, const struct store_machine *m)
{
	return base_printf("%s-%llx", store_id(s->writer),
			   (unsigned long long)m->first_seen_ms);
}

static int
start_run(struct site *s, struct asking *a, const char *profile, struct err *e)
{
	char run[TOKEN_HEX], token[TOKEN_HEX];
	struct store_run r = { .machine = a->m.id,
			       .started_ms = a->now_ms,
			       .heard_ms = a->now_ms,
			       .old_agent = a->u->run == NULL,
			       .local = a->out->outcome == SITE_BOOT_LOCAL,
			       .facts_hash = a->facts_hash,
			       .profile = (char *)(uintptr_t)profile,
			       .answer = a->out->script.at,
			       .next_event = 1 };

	if (close_old_run(s, a, e) < 0)
		return -1;
	token_make(run);
	token_make(token);
	r.id = a->u->run ? (char *)(uintptr_t)a->u->run : run;
	r.token = token;
	if (store_run_add(s->writer, &r, e) < 0)
		return -1;
	set_text(&a->m.run, r.id);
	set_text(&a->out->run, r.id);
	set_text(&a->out->token, token);
	set_text(&a->out->profile, profile);
	free(a->out->machine);
	a->out->machine = machine_name(a->m.id);
	a->out->memory = memory_of(s, &a->m);
	return 0;
}

int
send_to_disk(struct site *s, struct asking *a, struct err *e)
{
	a->out->outcome = SITE_BOOT_LOCAL;
	buf_str(&a->out->script, "boot_local()\n");
	set_text(&a->out->reason, "installed already: it boots its own disk; "
				  "edeployctl reinstall installs it again");
	if (start_run(s, a, NULL, e) < 0)
		return -1;
	return save(s, a, CONDITION_INSTALLED, NULL, e);
}

/* Everything fits: unit, entry, variables, script, run. */
int
answer_script(struct site *s, struct asking *a, const struct profile *p,
	      const struct bindings *b, const struct value *entry,
	      struct err *e)
{
	__attribute__((cleanup(value_freep))) struct value *vars =
		vars_of(p, b, entry, s->conf);
	AUTO_CLEAR(buf) json = { 0 };

	a->out->outcome = SITE_ASSIGNED;
	write_script(p, vars, &a->out->script);
	value_json(vars, 0, &json);
	set_text(&a->m.vars, json.at);
	set_text(&a->m.profile, p->name);
	a->m.reinstall = false;
	if (start_run(s, a, p->name, e) < 0 ||
	    note_event(s, a->m.id, "assigned", p->name, e) < 0)
		return -1;
	return save(s, a, CONDITION_ASSIGNED, NULL, e);
}

static int
answer_again(struct site *s, struct asking *a, struct store_run *r)
{
	a->out->outcome = r->local ? SITE_BOOT_LOCAL : SITE_ASSIGNED;
	a->out->machine = machine_name(r->machine);
	a->out->memory = memory_of(s, &a->m);
	a->out->run = STEAL(r->id);
	a->out->token = STEAL(r->token);
	a->out->profile = STEAL(r->profile);
	buf_str(&a->out->script, r->answer ? r->answer : "");
	return 0;
}

/* An id that was used cannot begin another run: what that one was given, its
 * entry above all, may be another machine's by now. */
static int
check_reuse(const struct asking *a, const struct store_run *r, struct err *e)
{
	if (r->machine != a->m.id)
		return err_set(e, ERR_REFUSED,
			       "this run id was used by another machine");
	if (r->ended_ms)
		return err_set(e, ERR_REFUSED,
			       "this run is over; reboot the machine to begin "
			       "another");
	return 0;
}

int
answer_same_run(struct site *s, struct asking *a, struct err *e)
{
	const char *id = a->u->run ? a->u->run : a->m.run;
	struct store_run r;
	bool found = false;
	int again;

	if (!id)
		return 0;
	if (store_run_get(s->writer, id, &r, &found, e) < 0)
		return -1;
	if (a->u->run)
		again = found;
	else
		again = found && r.old_agent && !r.ended_ms &&
			str_eq(r.facts_hash, a->facts_hash);
	if (again && check_reuse(a, &r, e) < 0)
		again = -1;
	if (again > 0)
		answer_again(s, a, &r);
	store_run_clear(&r);
	return again;
}
