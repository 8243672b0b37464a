/* A site without decisions, for tests of the wire alone: machines are told
 * apart by nothing, the outcome of an upload is what the fact
 * (test, outcome, is, X) says. Everything is kept in memory. */
#include <pthread.h>
#include <stdio.h>

#include "site/site.h"
#include "lib/hash.h"
#include "lib/num.h"

#define RUNS_MAX 4096

struct fake_run {
	char run[TOKEN_HEX], token[TOKEN_HEX], hash[HASH_HEX];
	int64_t next;
	bool ended, old;
};

struct site {
	const struct conf *conf;
	pthread_mutex_t lock;
	struct fake_run run[RUNS_MAX];
	size_t runs;
	bool reinstall;
};

int
site_open(struct site **out, const struct conf *c, struct err *e)
{
	(void)e;
	*out = base_alloc(sizeof(**out));
	(*out)->conf = c;
	pthread_mutex_init(&(*out)->lock, NULL);
	return 0;
}

void
site_free(struct site *s)
{
	free(s);
}

const struct conf *
site_conf(const struct site *s)
{
	return s->conf;
}

static struct fake_run *
find(struct site *s, const char *run)
{
	for (size_t i = 0; i < s->runs; i++)
		if (str_eq(s->run[i].run, run))
			return &s->run[i];
	return NULL;
}

static struct fake_run *
open_run(struct site *s, const char *run, const char *hash)
{
	struct fake_run *r;

	for (size_t i = 0; !run && i < s->runs; i++)
		if (s->run[i].old && !s->run[i].ended &&
		    str_eq(s->run[i].hash, hash))
			return &s->run[i];
	r = run ? find(s, run) : NULL;
	if (r)
		return r;
	if (s->runs == RUNS_MAX)
		abort();
	r = &s->run[s->runs++];
	token_make(r->run);
	if (run)
		memcpy(r->run, run, TOKEN_HEX);
	token_make(r->token);
	memcpy(r->hash, hash, HASH_HEX);
	r->next = 1;
	r->old = !run;
	return r;
}

static void
hash_facts(const struct facts *f, char hash[HASH_HEX])
{
	AUTO_CLEAR(buf) b = { 0 };

	facts_to_json(f, &b);
	hash_hex(buf_text(&b), b.len, hash);
}

static int
answer(struct site *s, const struct site_upload *u, struct site_reply *out,
       struct err *e)
{
	const char *what = facts_find(u->facts, "test", "outcome", "is");
	char hash[HASH_HEX];
	struct fake_run *r;

	if (str_eq(what, "error"))
		return err_set(e, ERR_SYS, "the store is full");
	out->memory = base_strdup("0123456789abcdef-1");
	out->machine = base_strdup("m1");
	out->outcome = str_eq(what, "local")     ? SITE_BOOT_LOCAL
		       : str_eq(what, "nomatch") ? SITE_NO_MATCH
		       : str_eq(what, "waits")   ? SITE_WAITS
						 : SITE_ASSIGNED;
	if (out->outcome == SITE_NO_MATCH || out->outcome == SITE_WAITS) {
		out->reason = base_strdup(out->outcome == SITE_WAITS
						  ? "two machines say so"
						  : "no profile fits");
		out->detail = base_strdup("vm: ('disk', '$d', 'size', 'gt(4)')"
					  "\nhp: ('system', '$$x', 'y', 'z')");
		return 0;
	}
	hash_facts(u->facts, hash);
	r = open_run(s, u->run, hash);
	out->run = base_strdup(r->run);
	out->token = base_strdup(r->token);
	out->profile = out->outcome == SITE_ASSIGNED ? base_strdup("vm") : NULL;
	buf_printf(&out->script, "-- EDEPLOY_PROFILE = vm\nvar = {}\n-- %s\n",
		   r->run);
	return 0;
}

int
site_upload(struct site *s, const struct site_upload *u, struct site_reply *out,
	    struct err *e)
{
	int got;

	pthread_mutex_lock(&s->lock);
	got = answer(s, u, out, e);
	pthread_mutex_unlock(&s->lock);
	return got;
}

void
site_reply_clear(struct site_reply *r)
{
	free(r->memory);
	free(r->machine);
	free(r->run);
	free(r->token);
	free(r->profile);
	free(r->reason);
	free(r->detail);
	buf_clear(&r->script);
}

int
site_old_failure(struct site *s, const struct facts *f, const char *profile,
		 struct err *e)
{
	char hash[HASH_HEX];

	(void)profile;
	(void)e;
	hash_facts(f, hash);
	for (size_t i = 0; i < s->runs; i++)
		if (s->run[i].old && str_eq(s->run[i].hash, hash))
			s->run[i].ended = true;
	return 0;
}

int
site_events(struct site *s, const char *run, const char *token,
	    const struct value *events, int64_t *next, struct err *e)
{
	struct fake_run *r = find(s, run);

	(void)token;
	if (r->ended)
		return err_set(e, ERR_REFUSED, "the run has ended");
	for (size_t i = 0; i < events->list.len; i++) {
		const struct value *ev = events->list.at[i];
		int64_t n = value_get_int(ev, "n", 0);

		if (n > r->next)
			return err_set(e, ERR_INPUT, "event %lld: %lld is next",
				       (long long)n, (long long)r->next);
		r->next += n == r->next;
		r->ended |= str_eq(value_get_str(ev, "kind"), "done");
	}
	*next = r->next;
	return 0;
}

int
site_log_path(struct site *s, const char *run, const char *token, char **path,
	      struct err *e)
{
	struct fake_run *r = find(s, run);

	if (!r || !token_equal(r->token, token))
		return err_set(e, ERR_REFUSED, "no such run or token");
	*path = base_printf("%s/%s.log", s->conf->logdir, run);
	return 0;
}

int
site_boot(struct site *s, const struct site_boot_ask *ask, enum site_boot *out,
	  struct err *e)
{
	(void)s;
	(void)e;
	*out = str_eq(ask->serial, "installed") ? SITE_BOOT_DISK
						: SITE_BOOT_INSTALL;
	return 0;
}

int
site_machines(struct site *s, struct value **out, struct err *e)
{
	struct value *m = value_dict();

	(void)s;
	(void)e;
	value_set_str(m, "id", "m1");
	*out = value_list();
	value_push(*out, m);
	return 0;
}

int
site_machine(struct site *s, const char *name, struct value **out,
	     struct err *e)
{
	if (!str_eq(name, "m1"))
		return err_set(e, ERR_REFUSED, "no machine is named %s", name);
	*out = value_dict();
	value_set_str(*out, "id", name);
	value_set(*out, "reinstall", value_bool(s->reinstall));
	return 0;
}

int
site_feed(struct site *s, int64_t after, int wait_ms, struct value **out,
	  struct err *e)
{
	(void)s;
	(void)e;
	usleep((useconds_t)wait_ms * 1000);
	*out = value_dict();
	value_set(*out, "events", value_list());
	value_set_int(*out, "next", after < 0 ? 41 : after);
	return 0;
}

int
site_reinstall(struct site *s, const char *name, struct err *e)
{
	(void)name;
	(void)e;
	s->reinstall = true;
	return 0;
}

int
site_release(struct site *s, const char *name, struct err *e)
{
	(void)s;
	return err_set(e, ERR_REFUSED, "%s has nothing to give back", name);
}

int
site_same(struct site *s, const char *a, const char *b, struct err *e)
{
	(void)s;
	return str_eq(a, b) ? err_set(e, ERR_REFUSED, "both are machine %s", a)
			    : 0;
}

int
site_distinct(struct site *s, const char *a, const char *b, struct err *e)
{
	return site_same(s, a, b, e);
}

int
site_forget(struct site *s, const char *name, struct err *e)
{
	return site_release(s, name, e);
}

int
site_explain(struct site *s, const char *name, const struct facts *f,
	     struct value **out, struct err *e)
{
	(void)s;
	if (name && !str_eq(name, "m1"))
		return err_set(e, ERR_REFUSED, "no machine is called \"%s\"",
			       name);
	*out = value_dict();
	value_set_str(*out, "machine", name);
	value_set_int(*out, "facts", f ? (int64_t)facts_len(f) : 0);
	return 0;
}

int
site_replay(struct site *s, const struct value *files,
	    const struct site_watch *w, struct value **out, struct err *e)
{
	(void)s;
	if (!files || !w->go_on(w->ctx, 0, 1))
		return err_set(e, ERR_INPUT, "no files, or no time");
	*out = value_dict();
	value_set(*out, "machines", value_list());
	return 0;
}

int
site_problems(struct site *s, struct value **out, struct err *e)
{
	(void)s;
	(void)e;
	*out = value_list();
	return 0;
}

int
site_entries(struct site *s, const char *profile, struct buf *out,
	     struct err *e)
{
	(void)s;
	if (!str_eq(profile, "vm"))
		return err_set(e, ERR_REFUSED, "no profile \"%s\"", profile);
	buf_str(out, "{\"entries\": []}");
	return 0;
}

int
site_state(struct site *s, struct value **out, struct err *e)
{
	(void)s;
	(void)e;
	*out = value_list();
	return 0;
}
