/* The thread that calls only waits and tells how far it is, so what it tells
 * with need not be safe among threads. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <time.h>

#include "lib/base.h"

#include "rsyncd/team.h"

#define TICK_NS 250000000L

struct team {
	const struct team_opts *opts;
	pthread_mutex_t lock;
	pthread_cond_t change; /* of `working` */
	size_t next;
	int working;
	bool failed;
	struct err e;
};

int
team_size(int asked)
{
	cpu_set_t set;
	int n = asked;

	if (n <= 0)
		n = sched_getaffinity(0, sizeof(set), &set) == 0
			    ? CPU_COUNT(&set)
			    : 1;
	return n > TEAM_MAX ? TEAM_MAX : n;
}

/* The next part, or false when there is nothing more to do. */
static bool
take(struct team *t, size_t *i)
{
	bool more;

	pthread_mutex_lock(&t->lock);
	more = !t->failed && t->next < t->opts->parts;
	*i = t->next;
	t->next += more;
	pthread_mutex_unlock(&t->lock);
	return more;
}

static void
fail(struct team *t, const struct err *e)
{
	pthread_mutex_lock(&t->lock);
	if (!t->failed)
		t->e = *e;
	t->failed = true;
	pthread_mutex_unlock(&t->lock);
}

static void *
work(void *ctx)
{
	struct team *t = ctx;
	size_t i;

	while (take(t, &i)) {
		struct err e = { 0 };

		if (t->opts->part(t->opts->ctx, i, &e) < 0)
			fail(t, &e);
	}
	pthread_mutex_lock(&t->lock);
	t->working--;
	pthread_cond_signal(&t->change);
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void
wait_for(struct team *t)
{
	struct timespec until;
	int late;

	pthread_mutex_lock(&t->lock);
	while (t->working > 0) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += TICK_NS;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		late = pthread_cond_clockwait(&t->change, &t->lock,
					      CLOCK_MONOTONIC, &until);
		if (late && t->opts->tick) {
			pthread_mutex_unlock(&t->lock);
			t->opts->tick(t->opts->ctx);
			pthread_mutex_lock(&t->lock);
		}
	}
	pthread_mutex_unlock(&t->lock);
}

int
team_run(const struct team_opts *opts, struct err *e)
{
	struct team t = { .opts = opts };
	pthread_t thread[TEAM_MAX];
	int size = team_size(opts->threads), n;

	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.change, NULL);
	t.working = size;
	for (n = 0; n < size; n++)
		if (pthread_create(&thread[n], NULL, work, &t) != 0)
			break;
	pthread_mutex_lock(&t.lock);
	t.working -= size - n;
	pthread_mutex_unlock(&t.lock);
	if (n == 0) { /* no thread can be had: then it takes longer */
		t.working = 1;
		work(&t);
	}
	wait_for(&t);
	while (n > 0)
		pthread_join(thread[--n], NULL);
	pthread_cond_destroy(&t.change);
	pthread_mutex_destroy(&t.lock);
	if (t.failed)
		*e = t.e;
	return t.failed ? -1 : 0;
}
