#include <pthread.h>
#include <unistd.h>

#include "lib/base.h"

#include "rsyncd/ordered.h"

enum state { WAITS, MADE, FAILED };

struct run {
	const struct ordered *o;
	pthread_mutex_t lock;
	pthread_cond_t made, taken;
	size_t next;  /* job that nobody makes yet */
	size_t takes; /* job that is taken next */
	bool stop;
	unsigned char *state;
	struct err failed; /* of the first job that failed, in their order */
	size_t failed_job;
};

/* The next job of this thread; false when there are no more. */
static bool
next_job(struct run *r, size_t *job)
{
	bool there;

	pthread_mutex_lock(&r->lock);
	while (!r->stop && r->next < r->o->jobs &&
	       r->next - r->takes >= ORDERED_AHEAD)
		pthread_cond_wait(&r->taken, &r->lock);
	there = !r->stop && r->next < r->o->jobs;
	if (there)
		*job = r->next++;
	pthread_mutex_unlock(&r->lock);
	return there;
}

static void
put_result(struct run *r, size_t job, int got, const struct err *e)
{
	pthread_mutex_lock(&r->lock);
	r->state[job] = got < 0 ? FAILED : MADE;
	if (got < 0 && job < r->failed_job) {
		r->failed = *e;
		r->failed_job = job;
	}
	pthread_cond_signal(&r->made);
	pthread_mutex_unlock(&r->lock);
}

static void *
work(void *arg)
{
	struct run *r = arg;
	void *worker = r->o->worker_new(r->o->ctx);
	size_t job;

	while (next_job(r, &job)) {
		struct err e = { 0 };
		int got = r->o->make(r->o->ctx, worker, job, &e);

		put_result(r, job, got, &e);
	}
	r->o->worker_free(worker);
	return NULL;
}

static int
take_job(struct run *r, size_t job, struct err *e)
{
	enum state state;

	pthread_mutex_lock(&r->lock);
	while (r->state[job] == WAITS)
		pthread_cond_wait(&r->made, &r->lock);
	state = (enum state)r->state[job];
	pthread_mutex_unlock(&r->lock);
	if (state == FAILED) {
		*e = r->failed;
		return -1;
	}
	if (r->o->take(r->o->ctx, job, e) < 0)
		return -1;
	pthread_mutex_lock(&r->lock);
	r->takes = job + 1;
	pthread_cond_broadcast(&r->taken);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static void
stop(struct run *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->taken);
	pthread_mutex_unlock(&r->lock);
}

static int
threads_of(const struct ordered *o)
{
	long n = o->threads > 0 ? o->threads : sysconf(_SC_NPROCESSORS_ONLN);

	if (n > (o->threads > 0 ? ORDERED_THREADS_MAX : 8))
		n = o->threads > 0 ? ORDERED_THREADS_MAX : 8;
	if ((size_t)n > o->jobs)
		n = (long)o->jobs;
	return n < 1 ? 1 : (int)n;
}

int
ordered_run(const struct ordered *o, struct err *e)
{
	struct run r = { .o = o,
			 .lock = PTHREAD_MUTEX_INITIALIZER,
			 .made = PTHREAD_COND_INITIALIZER,
			 .taken = PTHREAD_COND_INITIALIZER,
			 .failed_job = o->jobs };
	AUTO_FREE unsigned char *state = base_alloc(o->jobs);
	pthread_t thread[ORDERED_THREADS_MAX];
	int n = threads_of(o), started = 0, got = 0;
	size_t job;

	r.state = state;
	while (started < n &&
	       pthread_create(&thread[started], NULL, work, &r) == 0)
		started++;
	if (started == 0)
		return err_set(e, ERR_SYS, "no thread could be started");
	for (job = 0; job < o->jobs && got == 0; job++)
		got = take_job(&r, job, e);
	stop(&r);
	while (started > 0)
		pthread_join(thread[--started], NULL);
	return got;
}
