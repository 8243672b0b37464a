/* What an operator changes about a machine. */
#include "lib/clock.h"
#include "site/core.h"

static int
ask_reinstall(struct site *s, void *ctx, struct err *e)
{
	struct store_machine m = { 0 };
	int failed = machine_by_name(s->writer, ctx, &m, e);

	if (failed == 0 && !m.profile)
		failed = err_set(
			e, ERR_REFUSED,
			"m%lld has no profile: it will be asked for at its "
			"next boot anyway",
			(long long)m.id);
	if (failed == 0) {
		m.reinstall = true;
		failed = store_machine_put(s->writer, &m, e) < 0 ||
					 note_event(s, m.id, "reinstall",
						    "its next run installs",
						    e) < 0
				 ? -1
				 : 0;
	}
	store_machine_clear(&m);
	return failed;
}

int
site_reinstall(struct site *s, const char *name, struct err *e)
{
	return site_write(s, ask_reinstall, (void *)(uintptr_t)name, e);
}

static int
end_run(struct site *s, const char *id, struct err *e)
{
	struct store_run r = { 0 };
	bool found = false;
	int failed = 0;

	if (id && store_run_get(s->writer, id, &r, &found, e) < 0)
		return -1;
	if (found && !r.ended_ms) {
		r.ended_ms = clock_wall_ms();
		r.outcome = RUN_REPLACED;
		failed = store_run_put(s->writer, &r, e);
	}
	store_run_clear(&r);
	return failed;
}

static int
release_machine(struct site *s, struct store_machine *m, struct err *e)
{
	if (end_run(s, m->run, e) < 0)
		return -1;
	if (m->entry && entry_release(s, m->entry, m->id, e) < 0)
		return -1;
	m->condition = CONDITION_RELEASED;
	m->entry = 0;
	m->reinstall = false;
	free(m->reason);
	m->reason = NULL;
	free(m->profile);
	m->profile = NULL;
	free(m->vars);
	m->vars = NULL;
	if (store_machine_put(s->writer, m, e) < 0)
		return -1;
	return note_event(s, m->id, "released", "unit and entry are free", e);
}

static int
release(struct site *s, void *ctx, struct err *e)
{
	struct store_machine m = { 0 };
	int failed = machine_by_name(s->writer, ctx, &m, e);

	if (failed == 0)
		failed = release_machine(s, &m, e);
	store_machine_clear(&m);
	return failed;
}

static int
forget(struct site *s, void *ctx, struct err *e)
{
	struct store_machine m = { 0 };
	int failed = machine_by_name(s->writer, ctx, &m, e);

	if (failed == 0 && m.profile)
		failed = err_set(e, ERR_REFUSED,
				 "m%lld has profile %.60s; edeployctl release "
				 "it first",
				 (long long)m.id, m.profile);
	if (failed == 0)
		failed = store_machine_drop(s->writer, m.id, e);
	store_machine_clear(&m);
	return failed;
}

int
site_forget(struct site *s, const char *name, struct err *e)
{
	return site_write(s, forget, (void *)(uintptr_t)name, e);
}

int
site_release(struct site *s, const char *name, struct err *e)
{
	return site_write(s, release, (void *)(uintptr_t)name, e);
}
