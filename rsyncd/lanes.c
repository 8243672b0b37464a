/* Few threads, one lock. Loads are large (a frame), so nobody fights for it.
 *
 * Why jobs keep to one lane: the parts of a patch come in order and each needs
 * what the one before left. Why they begin in order: who waits for an earlier
 * job then waits for one that runs already, so waiting always ends. */
#include <errno.h>
#include <pthread.h>

#include "lib/clock.h"

#include "rsyncd/lanes.h"
#include "rsyncd/ring.h"

#define TICK_MS 400

/* ---- over numbers ---- */

struct each {
	const struct lanes_each *o;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	size_t next;
	int running;
	bool failed;
	struct err e;
};

struct each_lane {
	struct each *each;
	int lane;
};

static void
each_fail(struct each *x, const struct err *why)
{
	if (!x->failed)
		x->e = *why;
	x->failed = true;
}

static void *
run_each(void *arg)
{
	struct each_lane *me = arg;
	struct each *x = me->each;

	pthread_mutex_lock(&x->lock);
	while (!x->failed && x->next < x->o->count) {
		size_t i = x->next++;
		struct err why = { 0 };
		int bad;

		pthread_mutex_unlock(&x->lock);
		bad = x->o->work(x->o->ctx, me->lane, i, &why);
		pthread_mutex_lock(&x->lock);
		if (bad < 0)
			each_fail(x, &why);
	}
	x->running--;
	pthread_cond_signal(&x->ended);
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

static void
watch_each(struct each *x)
{
	const struct lanes_each *o = x->o;

	pthread_mutex_lock(&x->lock);
	while (x->running > 0) {
		struct timespec t = clock_in(TICK_MS);
		struct err why = { 0 };

		if (pthread_cond_timedwait(&x->ended, &x->lock, &t) !=
			    ETIMEDOUT ||
		    !o->tick)
			continue;
		pthread_mutex_unlock(&x->lock);
		if (o->tick(o->ctx, &why) < 0) {
			pthread_mutex_lock(&x->lock);
			each_fail(x, &why);
			continue;
		}
		pthread_mutex_lock(&x->lock);
	}
	pthread_mutex_unlock(&x->lock);
}

static void
cond_monotonic(pthread_cond_t *c)
{
	pthread_condattr_t a;

	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(c, &a);
	pthread_condattr_destroy(&a);
}

static int
threads_of(int threads)
{
	return threads < 1 ? 1 : threads > LANES_MAX ? LANES_MAX : threads;
}

int
lanes_each(const struct lanes_each *o, struct err *e)
{
	struct each x = { .o = o };
	struct each_lane lane[LANES_MAX];
	pthread_t thread[LANES_MAX];
	int threads = threads_of(o->threads), i, started = 0;

	if ((size_t)threads > o->count)
		threads = (int)o->count;
	pthread_mutex_init(&x.lock, NULL);
	cond_monotonic(&x.ended);
	x.running = threads;
	for (i = 0; i < threads; i++) {
		lane[i] = (struct each_lane){ &x, i };
		if (pthread_create(&thread[i], NULL, run_each, &lane[i]) != 0)
			break;
		started++;
	}
	for (; i < threads; i++) /* no threads to be had: this one does it */
		run_each(&lane[i]);
	watch_each(&x);
	for (i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	pthread_cond_destroy(&x.ended);
	pthread_mutex_destroy(&x.lock);
	if (x.failed)
		*e = x.e;
	return x.failed ? -1 : 0;
}

/* ---- over loads ---- */

struct lane {
	struct lanes *l;
	int number;
	bool busy; /* owns `job` until its last load is done */
	size_t job;
	pthread_t thread;
};

struct lanes {
	struct lanes_opts o;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct load *first, **last;
	struct ring *ring;
	size_t inside; /* loads waiting or worked on */
	bool no_more, failed, thrown;
	struct err e;
	struct lane lane[LANES_MAX];
	int started;
};

static bool
owned(const struct lanes *l, size_t job)
{
	int i;

	for (i = 0; i < l->started; i++)
		if (l->lane[i].busy && l->lane[i].job == job)
			return true;
	return false;
}

/* The next load for this lane, taken out of the queue, or NULL. */
static struct load *
choose(struct lane *me)
{
	struct lanes *l = me->l;
	struct load **p = &l->first, *got;

	while (*p && (me->busy ? (*p)->job != me->job : owned(l, (*p)->job)))
		p = &(*p)->next;
	got = *p;
	if (!got)
		return NULL;
	*p = got->next;
	if (!got->next)
		l->last = p;
	me->busy = true;
	me->job = got->job;
	return got;
}

static void
drop_locked(struct lanes *l, struct load *load)
{
	if (!load->bytes)
		return;
	ring_give(l->ring, STEAL(load->bytes));
	pthread_cond_broadcast(&l->changed);
}

static void
work_one(struct lane *me, struct load *load)
{
	struct lanes *l = me->l;
	struct err why = { 0 };
	int bad;

	pthread_mutex_unlock(&l->lock);
	bad = l->o.work(l->o.ctx, me->number, load, &why);
	pthread_mutex_lock(&l->lock);
	if (bad < 0 && !l->failed) {
		l->failed = true;
		l->e = why;
	}
	drop_locked(l, load);
	if (load->last)
		me->busy = false;
	free(load);
	l->inside--;
	pthread_cond_broadcast(&l->changed);
}

static void *
run_lane(void *arg)
{
	struct lane *me = arg;
	struct lanes *l = me->l;
	struct load *load;

	pthread_mutex_lock(&l->lock);
	while (!l->failed && !l->thrown) {
		load = choose(me);
		if (load)
			work_one(me, load);
		else if (l->no_more && !l->first)
			break;
		else
			pthread_cond_wait(&l->changed, &l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

struct lanes *
lanes_new(const struct lanes_opts *o)
{
	struct lanes *l = base_alloc(sizeof(*l));
	int i, threads = threads_of(o->threads);

	l->o = *o;
	l->last = &l->first;
	l->ring = ring_new(o->budget);
	pthread_mutex_init(&l->lock, NULL);
	cond_monotonic(&l->changed);
	pthread_mutex_lock(&l->lock);
	for (i = 0; i < threads; i++) {
		struct lane *me = &l->lane[l->started];

		*me = (struct lane){ .l = l, .number = l->started };
		if (pthread_create(&me->thread, NULL, run_lane, me) != 0)
			break;
		l->started++;
	}
	if (l->started == 0) {
		l->failed = true;
		err_set(&l->e, ERR_SYS, "no thread can be started");
	}
	pthread_mutex_unlock(&l->lock);
	return l;
}

/* With the lock held: wait a little; false when something failed. */
static bool
wait_a_tick(struct lanes *l)
{
	struct timespec t = clock_in(TICK_MS);
	struct err why = { 0 };
	int bad = 0;

	if (pthread_cond_timedwait(&l->changed, &l->lock, &t) == ETIMEDOUT &&
	    l->o.tick) {
		pthread_mutex_unlock(&l->lock);
		bad = l->o.tick(l->o.ctx, &why);
		pthread_mutex_lock(&l->lock);
	}
	if (bad < 0 && !l->failed) {
		l->failed = true;
		l->e = why;
	}
	return !l->failed;
}

unsigned char *
lanes_room(struct lanes *l, size_t len, struct err *e)
{
	unsigned char *bytes = NULL;

	if (len > ring_max(l->ring)) {
		err_set(e, ERR_INPUT, "%zu bytes in one piece are too many",
			len);
		return NULL;
	}
	pthread_mutex_lock(&l->lock);
	while (!l->failed && !(bytes = ring_take(l->ring, len)))
		wait_a_tick(l);
	if (!bytes)
		*e = l->e;
	pthread_mutex_unlock(&l->lock);
	return bytes;
}

void
lanes_unroom(struct lanes *l, unsigned char *bytes)
{
	pthread_mutex_lock(&l->lock);
	ring_give(l->ring, bytes);
	pthread_mutex_unlock(&l->lock);
}

int
lanes_give(struct lanes *l, const struct load *load, struct err *e)
{
	struct load *mine = base_alloc(sizeof(*mine));
	bool good;

	*mine = *load;
	mine->next = NULL;
	pthread_mutex_lock(&l->lock);
	good = !l->failed;
	if (good) {
		*l->last = mine;
		l->last = &mine->next;
		l->inside++;
		pthread_cond_broadcast(&l->changed);
	} else {
		*e = l->e;
		drop_locked(l, mine);
		free(mine);
	}
	pthread_mutex_unlock(&l->lock);
	return good ? 0 : -1;
}

void
lanes_drop(struct lanes *l, struct load *load)
{
	pthread_mutex_lock(&l->lock);
	drop_locked(l, load);
	pthread_mutex_unlock(&l->lock);
}

bool
lanes_wait(struct lanes *l, bool (*ready)(void *ctx), void *ctx)
{
	bool good;

	pthread_mutex_lock(&l->lock);
	while (!(good = ready(ctx)) && !l->failed && !l->thrown)
		pthread_cond_wait(&l->changed, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return good;
}

void
lanes_lock(struct lanes *l)
{
	pthread_mutex_lock(&l->lock);
}

void
lanes_wake(struct lanes *l)
{
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

int
lanes_end(struct lanes *l, struct err *e)
{
	bool failed;

	pthread_mutex_lock(&l->lock);
	l->no_more = true;
	pthread_cond_broadcast(&l->changed);
	while (!l->failed && l->inside > 0)
		wait_a_tick(l);
	failed = l->failed;
	if (failed)
		*e = l->e;
	pthread_mutex_unlock(&l->lock);
	return failed ? -1 : 0;
}

void
lanes_free(struct lanes *l)
{
	struct load *load;
	int i;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->thrown = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	for (i = 0; i < l->started; i++)
		pthread_join(l->lane[i].thread, NULL);
	while ((load = l->first)) {
		l->first = load->next;
		free(load);
	}
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	ring_free(l->ring);
	free(l);
}
