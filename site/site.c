/* A site opened: its store, its files, its writer thread. */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/log.h"
#include "site/core.h"
#include "site/leftover.h"
#include "site/memory.h"
#include "site/sync.h"

#define QUIET_MS 500  /* files that changed later are still being edited */
#define LOOK_MS 50    /* between looks at the files */
#define RETRY_MS 2000 /* after files that the store did not take */

char *
machine_name(int64_t id)
{
	return base_printf("m%lld", (long long)id);
}

/* ---- the writer ---- */

static struct job *
take_jobs(struct site *s)
{
	struct job *group;

	pthread_mutex_lock(&s->jobs_lock);
	while (!s->first && !s->stopping)
		pthread_cond_wait(&s->jobs_come, &s->jobs_lock);
	group = s->first;
	s->first = s->last = NULL;
	pthread_mutex_unlock(&s->jobs_lock);
	return group;
}

static void
do_one(struct site *s, struct job *j)
{
	if (store_mark(s->writer, j->e) < 0) {
		j->result = -1;
		return;
	}
	j->result = j->work(s, j->ctx, j->e);
	if (j->result == 0)
		j->result = store_mark_keep(s->writer, j->e);
	else
		store_mark_undo(s->writer);
}

static void
fail_all(struct job *group, const struct err *e)
{
	struct job *j;

	for (j = group; j; j = j->next)
		if (j->result == 0) {
			j->result = -1;
			*j->e = *e;
		}
}

/* What was committed goes to the scribe; what was not is undone already. */
static void
hand_to_scribe(struct site *s, bool committed)
{
	for (size_t i = 0; i < s->changed_len; i++) {
		if (committed && s->scribe)
			scribe_mark(s->scribe, s->changed[i].profile,
				    s->changed[i].id);
		free(s->changed[i].profile);
	}
	s->changed_len = 0;
}

/* One transaction for all that came meanwhile: one sync for many answers. */
static void
do_group(struct site *s, struct job *group)
{
	struct err e = { 0 };
	struct job *j;
	int failed = store_begin(s->writer, &e);

	for (j = group; failed == 0 && j; j = j->next) {
		do_one(s, j);
		/* a full disk, say, undoes all marks, too: nothing of this
		 * group stands, and nothing more may be done outside it */
		if (!store_begun(s->writer)) {
			e = *j->e;
			failed = -1;
		}
	}
	if (failed == 0)
		failed = store_commit(s->writer, &e);
	if (failed < 0)
		fail_all(group, &e);
	hand_to_scribe(s, failed == 0);
}

static void
tell_news(struct site *s, bool end)
{
	pthread_mutex_lock(&s->news_lock);
	s->news++;
	s->no_more_news |= end;
	pthread_cond_broadcast(&s->news_come);
	pthread_mutex_unlock(&s->news_lock);
}

static void *
write_for_ever(void *ctx)
{
	struct site *s = ctx;
	struct job *group, *j, *next;

	while ((group = take_jobs(s))) {
		do_group(s, group);
		for (j = group; j; j = next) {
			next = j->next; /* gone once it is done */
			sem_post(&j->done);
		}
		tell_news(s, false);
	}
	return NULL;
}

int
site_write(struct site *s, int (*work)(struct site *, void *, struct err *),
	   void *ctx, struct err *e)
{
	struct job j = { .work = work, .ctx = ctx, .e = e };

	sem_init(&j.done, 0, 0);
	pthread_mutex_lock(&s->jobs_lock);
	if (s->last)
		s->last->next = &j;
	else
		s->first = &j;
	s->last = &j;
	if (s->first == &j) /* else it has not slept since */
		pthread_cond_signal(&s->jobs_come);
	pthread_mutex_unlock(&s->jobs_lock);
	while (sem_wait(&j.done) < 0)
		; /* a signal came */
	sem_destroy(&j.done);
	return j.result;
}

/* ---- the files ---- */

struct refreshing {
	struct snapshot *fresh;
	struct conflicts *told; /* one for each profile */
};

/* An operator may put back into the state file what was not there for long. */
static int
check_vanished(struct site *s, struct snapshot *fresh, struct profile *p,
	       struct err *e)
{
	if (memory_has_cmdb(s->writer, p, e) < 0)
		return -1;
	if (p->has_cmdb)
		snapshot_note_vanished(fresh, p, s->conf->configdir);
	return 0;
}

/* A file that cannot be merged makes the machines that need it wait. */
static int
sync_one(struct site *s, struct refreshing *r, size_t i, struct err *e)
{
	struct profile *p = &r->fresh->profiles[i];
	AUTO_FREE char *refusal = NULL;

	if (!p->has_cmdb && !p->problem)
		return check_vanished(s, r->fresh, p, e);
	if (!p->cmdb)
		return 0;
	conflicts_clear(&r->told[i]);
	if (entries_sync(s, p, &r->told[i], &refusal, e) < 0)
		return err_add(e, "%s.cmdb", p->name);
	if (refusal)
		snapshot_refuse_cmdb(r->fresh, p, refusal);
	return 0;
}

static int
sync_all(struct site *s, void *ctx, struct err *e)
{
	struct refreshing *r = ctx;

	for (size_t i = 0; i < r->fresh->len; i++)
		if (sync_one(s, r, i, e) < 0)
			return -1;
	return memory_keep(s->writer, r->fresh, e);
}

/* The store has them: from now on the scribe may write into these files. */
static void
tell_scribe(struct site *s, struct snapshot *fresh)
{
	for (size_t i = 0; i < fresh->len; i++) {
		struct profile *p = &fresh->profiles[i];

		if (p->cmdb && !p->problem && s->scribe)
			scribe_learn(s->scribe, p->name, STEAL(p->cmdb),
				     &p->cmdb_stamp);
		cmdb_free(p->cmdb);
		p->cmdb = NULL;
	}
}

/* What was told of a file that is still the same is told still. */
static void
keep_conflicts(struct snapshot *fresh, const struct snapshot *old)
{
	for (size_t i = 0; i < old->problems_len; i++) {
		const struct problem *q = &old->problems[i];
		const struct profile *p;

		p = q->conflict_of ? snapshot_profile(fresh, q->conflict_of)
				   : NULL;
		if (p && !p->cmdb)
			snapshot_note_conflict(fresh, p, q->line, q->message);
	}
}

static bool
is_known(const struct snapshot *old, const struct problem *q)
{
	for (size_t i = 0; i < old->problems_len; i++)
		if (str_eq(old->problems[i].message, q->message))
			return true;
	return false;
}

/* What is new among what is wrong. */
static void
log_problems(const struct snapshot *fresh, const struct snapshot *old)
{
	for (size_t i = 0; i < fresh->problems_len; i++) {
		const struct problem *q = &fresh->problems[i];
		bool placed = strstr(q->message, q->file) != NULL;

		if (!is_known(old, q))
			log_line(LOG_WARNING, "%s%s%s", placed ? "" : q->file,
				 placed ? "" : ": ", q->message);
	}
}

/* Take the files as they are now. What the store says of the entries is made
 * equal first; if that fails the old snapshot stays. */
static int
take_files(struct site *s, struct err *e)
{
	struct refreshing r = { .fresh = snapshot_read(s->conf->configdir,
						       s->snapshot) };
	int failed;

	r.told = base_array(r.fresh->len + 1, sizeof(*r.told));
	failed = site_write(s, sync_all, &r, e);
	if (failed == 0) {
		keep_conflicts(r.fresh, s->snapshot);
		for (size_t i = 0; i < r.fresh->len; i++)
			for (size_t k = 0; k < r.told[i].len; k++)
				snapshot_note_conflict(r.fresh,
						       &r.fresh->profiles[i],
						       r.told[i].at[k].line,
						       r.told[i].at[k].text);
		if (!s->scratch)
			log_problems(r.fresh, s->snapshot);
		tell_scribe(s, r.fresh);
	}
	for (size_t i = 0; i < r.fresh->len; i++)
		conflicts_clear(&r.told[i]);
	free(r.told);
	if (failed < 0) {
		snapshot_free(r.fresh);
		return -1;
	}
	pthread_rwlock_wrlock(&s->snapshot_lock);
	snapshot_free(s->snapshot);
	s->snapshot = r.fresh;
	pthread_rwlock_unlock(&s->snapshot_lock);
	return 0;
}

static void
refresh(struct site *s)
{
	struct err e = { 0 };

	if (take_files(s, &e) == 0)
		return;
	log_line(LOG_ERROR, "the site's files are not taken: %s", e.text);
	atomic_store(&s->looked_ms, clock_boot_ms() + RETRY_MS);
}

/* Files that changed and are quiet are to be read. */
static bool
is_stale(struct site *s)
{
	AUTO_CLEAR(site_files) now = { 0 };

	site_files_read(&now, s->conf->configdir);
	return site_files_quiet_ms(&s->snapshot->files, &now,
				   s->conf->configdir) >= QUIET_MS;
}

/* Once in a while is enough: machines need not see an edit at once, and a
 * thousand of them asking must not look at every file each. */
static bool
may_look(struct site *s)
{
	int64_t now = clock_boot_ms(), last = atomic_load(&s->looked_ms);

	return !s->scratch && now - last >= LOOK_MS &&
	       atomic_compare_exchange_strong(&s->looked_ms, &last, now);
}

const struct snapshot *
site_look(struct site *s)
{
	bool stale;

	if (may_look(s)) {
		pthread_mutex_lock(&s->refresh_lock);
		pthread_rwlock_rdlock(&s->snapshot_lock);
		stale = is_stale(s);
		pthread_rwlock_unlock(&s->snapshot_lock);
		if (stale)
			refresh(s);
		pthread_mutex_unlock(&s->refresh_lock);
	}
	pthread_rwlock_rdlock(&s->snapshot_lock);
	return s->snapshot;
}

void
site_file_written(struct site *s, const char *profile, const struct stamp *was,
		  const struct stamp *now)
{
	AUTO_FREE char *name = base_printf("%s.cmdb", profile);
	struct site_file *file;

	pthread_rwlock_wrlock(&s->snapshot_lock);
	file = site_files_find(&s->snapshot->files, name);
	if (file && stamp_eq(&file->stamp, was)) {
		struct profile *p =
			(struct profile *)(uintptr_t)snapshot_profile(
				s->snapshot, profile);

		file->stamp = *now;
		if (p)
			p->cmdb_stamp = *now;
	}
	pthread_rwlock_unlock(&s->snapshot_lock);
}

void
site_let_go(struct site *s)
{
	pthread_rwlock_unlock(&s->snapshot_lock);
}

/* ---- open and close ---- */

/* Machines that ask without a pause must not keep a new snapshot out. */
static void
init_locks(struct site *s)
{
	pthread_rwlockattr_t writer_first;
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->reader_lock, NULL);
	pthread_rwlockattr_init(&writer_first);
	pthread_rwlockattr_setkind_np(
		&writer_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&s->snapshot_lock, &writer_first);
	pthread_rwlockattr_destroy(&writer_first);
	pthread_mutex_init(&s->refresh_lock, NULL);
	pthread_mutex_init(&s->jobs_lock, NULL);
	pthread_cond_init(&s->jobs_come, NULL);
	pthread_mutex_init(&s->news_lock, NULL);
	pthread_cond_init(&s->news_come, &a);
	pthread_condattr_destroy(&a);
}

static struct site *
site_new(const struct conf *c, bool scratch)
{
	struct site *s = base_alloc(sizeof(*s));

	s->conf = c;
	s->scratch = scratch;
	init_locks(s);
	s->own_number = clock_wall_ms() * 1000;
	return s;
}

/* The store is open: what it remembers, and the thread that writes to it. */
static int
start_writer(struct site *s, struct err *e)
{
	if (store_reader(&s->reader, s->conf->storedir, e) < 0)
		return -1;
	s->snapshot = memory_load(s->writer, e);
	if (!s->snapshot)
		return -1;
	if (pthread_create(&s->thread, NULL, write_for_ever, s) != 0)
		return err_set(e, ERR_SYS, "the writer thread does not start");
	s->started = true;
	return 0;
}

int
site_open(struct site **out, const struct conf *c, struct err *e)
{
	AUTO(site) s = site_new(c, false);

	if (store_open(&s->writer, c->storedir, e) < 0 ||
	    dir_make(c->logdir, 0750, e) < 0 || start_writer(s, e) < 0)
		return -1;
	leftovers_set_aside(c);
	if (scribe_start(&s->scribe, s, e) < 0)
		return -1;
	pthread_mutex_lock(&s->refresh_lock); /* the scribe looks, too */
	refresh(s);
	pthread_mutex_unlock(&s->refresh_lock);
	*out = STEAL(s);
	return 0;
}

int
site_open_scratch(struct site **out, const struct conf *c, struct err *e)
{
	AUTO(site) s = site_new(c, true);

	if (store_open_scratch(&s->writer, c->storedir, e) < 0 ||
	    start_writer(s, e) < 0 || take_files(s, e) < 0)
		return -1;
	*out = STEAL(s);
	return 0;
}

void
site_free(struct site *s)
{
	if (!s)
		return;
	tell_news(s, true);
	scribe_free(s->scribe); /* while the writer can still merge an edit */
	s->scribe = NULL;
	pthread_mutex_lock(&s->jobs_lock);
	s->stopping = true;
	pthread_cond_signal(&s->jobs_come);
	pthread_mutex_unlock(&s->jobs_lock);
	if (s->started)
		pthread_join(s->thread, NULL);
	store_free(s->writer);
	store_free(s->reader);
	snapshot_free(s->snapshot);
	free(s->changed);
	pthread_mutex_destroy(&s->reader_lock);
	pthread_rwlock_destroy(&s->snapshot_lock);
	pthread_mutex_destroy(&s->refresh_lock);
	pthread_mutex_destroy(&s->jobs_lock);
	pthread_cond_destroy(&s->jobs_come);
	pthread_mutex_destroy(&s->news_lock);
	pthread_cond_destroy(&s->news_come);
	free(s);
}

const struct conf *
site_conf(const struct site *s)
{
	return s->conf;
}
