/* The order is that of roots/state.h's promises: what a boot would do is
 * written before anything moves, so that whenever the power goes the machine
 * boots a whole version, and a new one only as a trial. */
#include <signal.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "lib/clock.h"
#include "lib/file.h"

#include "roots/live.h"
#include "roots/state.h"

#include "host/services.h"
#include "host/switch.h"

#define DIR "/edeploy"

struct move {
	struct switch_job *job;
	char *from;          /* the running version */
	struct state before; /* the boot state as it was */
	bool same_start;     /* no boot is needed to prove it */
	bool moved;          /* the system stands in `to` */
	struct value *old;   /* programs that were behind before */
};

/* ---- a switch is not left half way ---- */

static const int held_signals[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE };

struct held {
	struct sigaction before[ARRAY_LEN(held_signals)];
};

static void
heed_not(int sig)
{
	(void)sig;
}

/* A handler and not SIG_IGN: what `post` starts would inherit that. */
static void
hold_signals(struct held *h)
{
	const struct sigaction none = { .sa_handler = heed_not,
					.sa_flags = SA_RESTART };
	size_t i;

	for (i = 0; i < ARRAY_LEN(held_signals); i++)
		sigaction(held_signals[i], &none, &h->before[i]);
}

static void
held_clear(struct held *h)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(held_signals); i++)
		sigaction(held_signals[i], &h->before[i], NULL);
}

/* ---- the log that `edeploy status` shows ---- */

static void
note(const char *version, const char *what)
{
	AUTO_FREE char *line = NULL;
	struct err ignored;
	char now[24];

	clock_text(clock_wall_ms(), now);
	line = base_printf("%s %s %s\n", now, version, what);
	file_append(DIR "/log", line, strlen(line), 0600, &ignored);
}

/* ---- the boot state ---- */

/* `to` is what the next boot tries; or, when it is the good version, what it
 * enters: then a trial, if there is one, is over. */
static int
arm(const struct move *m, struct err *e)
{
	struct state s = m->before;

	if (!str_eq(m->job->to, s.good)) {
		if (state_arm(&s, m->job->to, STATE_TRIES, e) < 0)
			return -1;
	} else if (*s.trial) {
		state_fail(&s);
	} else {
		return 0;
	}
	return state_write(&s, DIR, e);
}

static int
put_back(const struct move *m, struct err *e)
{
	struct state s = m->before, now;

	if (state_read(&now, DIR, e) < 0)
		return -1;
	s.gen = now.gen + 1;
	return state_write(&s, DIR, e);
}

static int
prove(const struct move *m, struct err *e)
{
	struct state s;

	if (state_read(&s, DIR, e) < 0)
		return -1;
	if (str_eq(s.good, m->job->to))
		return 0;
	return state_prove(&s, m->job->to, e) < 0 ? -1
						  : state_write(&s, DIR, e);
}

/* ---- the move ---- */

static int
move_to(const char *version, const char *from, struct err *e)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = version, .places = &places };
	struct utsname u;

	if (enter_places_read(&places, DIR, version, e) < 0 ||
	    live_switch(&o, e) < 0)
		return -1;
	note(version, "entered live");
	uname(&u);
	return live_keep_modules(from, u.release, e);
}

static int
settle(struct move *m, struct err *e)
{
	struct switch_job *job = m->job;

	if (services_reload(e) < 0 ||
	    (job->post && job->post(job->ctx, &job->reboot, e) < 0))
		return -1;
	return job->healthy ? job->healthy(job->ctx, e) : 0;
}

static int
move_and_settle(struct move *m, struct err *e)
{
	AUTO_FREE char *now = NULL;
	int bad;

	if (m->job->merge && m->job->merge(m->job->ctx, e) < 0)
		return -1;
	bad = move_to(m->job->to, m->from, e);
	now = live_running(&(struct err){ 0 });
	m->moved = now && str_eq(now, m->job->to);
	return bad < 0 ? -1 : settle(m, e);
}

/* ---- undo ---- */

/* What `post` has restarted runs files of a version that is left again. */
static int
restart_again(const struct move *m, struct err *e)
{
	struct value *old __attribute__((cleanup(value_freep))) = value_list();

	if (services_reload(e) < 0 || services_old(old, e) < 0)
		return -1;
	return services_restart(old, m->old, e);
}

static int
undo(struct move *m, struct err *e)
{
	struct err again = { 0 };
	int bad = 0;

	if (m->moved && move_to(m->from, m->job->to, &again) < 0)
		bad = -1;
	else if (m->moved && restart_again(m, &again) < 0)
		bad = -1;
	/* whatever runs now, the next boot enters what was good before */
	if (put_back(m, &again) < 0)
		bad = -1;
	if (m->moved)
		note(m->job->to, bad ? "failed (live), and was not left whole"
				     : "failed (live), left again");
	if (!bad)
		return err_add(e,
			       m->moved ? "%s was entered and left again"
					: "%s was not entered",
			       m->job->to);
	return err_add(e, "%s was not left whole (%s): reboot, which enters %s",
		       m->job->to, again.text, m->before.good);
}

/* ---- the whole ---- */

/* A boot would do with `to` what it did with the version that runs, up to and
 * with its first program. */
static int
compare_starts(struct move *m, struct err *e)
{
	AUTO_FREE char *from = base_printf(DIR "/roots/%s", m->from);
	AUTO_FREE char *to = base_printf(DIR "/roots/%s", m->job->to);
	bool same_kernel, same_init;

	if (switch_compare("", m->from, m->job->to, &same_kernel,
			   &m->same_start, e) < 0 ||
	    enter_same_init(from, to, &same_init, e) < 0)
		return -1;
	m->same_start = m->same_start && same_init;
	return 0;
}

static int
check(const struct host *h, struct move *m, struct err *e)
{
	AUTO_CLEAR(enter_places) places = { 0 };

	if (*h->root)
		return err_set(e, ERR_REFUSED,
			       "only the running system can be switched live; "
			       "--root is a disk that is not");
	m->from = live_running(e);
	if (!m->from)
		return -1;
	if (str_eq(m->from, m->job->to))
		return err_set(e, ERR_REFUSED, "%s runs already", m->from);
	if (state_read(&m->before, DIR, e) < 0 ||
	    enter_places_read(&places, DIR, m->job->to, e) < 0 ||
	    compare_starts(m, e) < 0)
		return -1;
	return services_old(m->old, e);
}

static int
finish(struct move *m, struct err *e)
{
	struct switch_job *job = m->job;
	struct value *old __attribute__((cleanup(value_freep))) = value_list();

	/* a version that `post` wants to see booted is proved by that */
	if (str_eq(job->to, m->before.good))
		job->proved = true;
	else if (m->same_start && !job->reboot) {
		if (prove(m, e) < 0)
			return err_add(e, "%s runs, and is on trial still",
				       job->to);
		job->proved = true;
	}
	if (job->restart &&
	    (services_old(old, e) < 0 || services_restart(old, NULL, e) < 0))
		return err_add(e, "%s runs", job->to);
	return job->stragglers ? services_old(job->stragglers, e) : 0;
}

static int
resume(struct move *m, struct err *e)
{
	struct utsname u;

	if (state_read(&m->before, DIR, e) < 0)
		return -1;
	m->from = base_strdup(m->job->from);
	uname(&u);
	if (compare_starts(m, e) < 0 || live_finish(e) < 0 ||
	    live_keep_modules(m->from, u.release, e) < 0 || settle(m, e) < 0 ||
	    finish(m, e) < 0)
		return str_eq(m->job->to, m->before.good)
			       ? err_add(e, "%s runs", m->job->to)
			       : err_add(e,
					 "%s runs and is on trial still; "
					 "\"edeploy rollback\" goes back to %s",
					 m->job->to, m->before.good);
	return 0;
}

int
switch_resume(const struct host *h, struct switch_job *job, struct err *e)
{
	AUTO_CLEAR(held) held;
	struct move m = { .job = job };
	int bad;

	(void)h;
	hold_signals(&held);
	job->proved = job->reboot = false;
	bad = resume(&m, e);
	free(m.from);
	return bad;
}

int
switch_live(const struct host *h, struct switch_job *job, struct err *e)
{
	struct value *old __attribute__((cleanup(value_freep))) = value_list();
	AUTO_CLEAR(held) held;
	struct move m = { .job = job, .old = old };
	int bad = 0;

	hold_signals(&held);
	job->proved = job->reboot = false;
	if (check(h, &m, e) < 0)
		bad = -1;
	else if (arm(&m, e) < 0)
		/* refused, nothing was written */
		bad = e->kind == ERR_REFUSED ? -1 : undo(&m, e);
	else if (move_and_settle(&m, e) < 0)
		bad = undo(&m, e);
	else
		bad = finish(&m, e);
	free(m.from);
	return bad;
}
