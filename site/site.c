/* A site opened: its store, its files, its writer thread. */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "site/core.h"

#define QUIET_MS 500 /* files that changed later are still being edited */

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

/* One transaction for all that came meanwhile: one sync for many answers. */
static void
do_group(struct site *s, struct job *group)
{
	struct err e = { 0 };
	struct job *j;

	if (store_begin(s->writer, &e) < 0) {
		fail_all(group, &e);
		return;
	}
	for (j = group; j; j = j->next)
		do_one(s, j);
	if (store_commit(s->writer, &e) < 0)
		fail_all(group, &e);
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
		pthread_mutex_lock(&s->jobs_lock);
		for (j = group; j; j = next) {
			next = j->next; /* gone once it is done */
			j->done = true;
		}
		pthread_cond_broadcast(&s->jobs_done);
		pthread_mutex_unlock(&s->jobs_lock);
		tell_news(s, false);
		entries_write_back(s);
	}
	return NULL;
}

int
site_write(struct site *s, int (*work)(struct site *, void *, struct err *),
	   void *ctx, struct err *e)
{
	struct job j = { .work = work, .ctx = ctx, .e = e };

	pthread_mutex_lock(&s->jobs_lock);
	if (s->last)
		s->last->next = &j;
	else
		s->first = &j;
	s->last = &j;
	pthread_cond_signal(&s->jobs_come);
	while (!j.done)
		pthread_cond_wait(&s->jobs_done, &s->jobs_lock);
	pthread_mutex_unlock(&s->jobs_lock);
	return j.result;
}

/* ---- the files ---- */

static int
sync_all(struct site *s, void *ctx, struct err *e)
{
	const struct snapshot *fresh = ctx;
	size_t i;

	for (i = 0; i < fresh->len; i++)
		if (fresh->profiles[i].cmdb_text &&
		    entries_sync(s, &fresh->profiles[i], e) < 0)
			return -1;
	return 0;
}

/* Take the files as they are now. What the store says of the entries is made
 * equal first; if that fails the old snapshot stays. */
static void
refresh(struct site *s)
{
	struct snapshot *fresh = snapshot_read(s->conf->configdir, s->snapshot);
	struct err e = { 0 };

	if (site_write(s, sync_all, fresh, &e) < 0) {
		snapshot_free(fresh);
		return;
	}
	pthread_rwlock_wrlock(&s->snapshot_lock);
	snapshot_free(s->snapshot);
	s->snapshot = fresh;
	pthread_rwlock_unlock(&s->snapshot_lock);
}

const struct snapshot *
site_look(struct site *s)
{
	AUTO_FREE char *now = NULL;
	int64_t age_ms = 0;
	bool stale;

	now = snapshot_signature(s->conf->configdir, &age_ms);
	pthread_rwlock_rdlock(&s->snapshot_lock);
	stale = !str_eq(s->snapshot->signature, now) && age_ms >= QUIET_MS;
	if (!stale)
		return s->snapshot;
	pthread_rwlock_unlock(&s->snapshot_lock);
	pthread_mutex_lock(&s->refresh_lock);
	if (!str_eq(s->snapshot->signature, now))
		refresh(s);
	pthread_mutex_unlock(&s->refresh_lock);
	pthread_rwlock_rdlock(&s->snapshot_lock);
	return s->snapshot;
}

void
site_let_go(struct site *s)
{
	pthread_rwlock_unlock(&s->snapshot_lock);
}

/* ---- open and close ---- */

static void
init_locks(struct site *s)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->reader_lock, NULL);
	pthread_rwlock_init(&s->snapshot_lock, NULL);
	pthread_mutex_init(&s->refresh_lock, NULL);
	pthread_mutex_init(&s->jobs_lock, NULL);
	pthread_cond_init(&s->jobs_come, NULL);
	pthread_cond_init(&s->jobs_done, NULL);
	pthread_mutex_init(&s->news_lock, NULL);
	pthread_cond_init(&s->news_come, &a);
	pthread_condattr_destroy(&a);
}

int
site_open(struct site **out, const struct conf *c, struct err *e)
{
	AUTO(site) s = base_alloc(sizeof(*s));

	s->conf = c;
	init_locks(s);
	s->own_number = clock_wall_ms() * 1000;
	if (store_open(&s->writer, c->storedir, e) < 0 ||
	    store_reader(&s->reader, c->storedir, e) < 0 ||
	    dir_make(c->logdir, 0750, e) < 0)
		return -1;
	s->snapshot = base_alloc(sizeof(*s->snapshot));
	s->snapshot->signature = base_strdup("nothing read yet");
	if (pthread_create(&s->thread, NULL, write_for_ever, s) != 0)
		return err_set(e, ERR_SYS, "the writer thread does not start");
	s->started = true;
	refresh(s);
	*out = STEAL(s);
	return 0;
}

void
site_free(struct site *s)
{
	if (!s)
		return;
	tell_news(s, true);
	pthread_mutex_lock(&s->jobs_lock);
	s->stopping = true;
	pthread_cond_signal(&s->jobs_come);
	pthread_mutex_unlock(&s->jobs_lock);
	if (s->started)
		pthread_join(s->thread, NULL);
	store_free(s->writer);
	store_free(s->reader);
	snapshot_free(s->snapshot);
	free(s->dirty);
	pthread_mutex_destroy(&s->reader_lock);
	pthread_rwlock_destroy(&s->snapshot_lock);
	pthread_mutex_destroy(&s->refresh_lock);
	pthread_mutex_destroy(&s->jobs_lock);
	pthread_cond_destroy(&s->jobs_come);
	pthread_cond_destroy(&s->jobs_done);
	pthread_mutex_destroy(&s->news_lock);
	pthread_cond_destroy(&s->news_come);
	free(s);
}

const struct conf *
site_conf(const struct site *s)
{
	return s->conf;
}
