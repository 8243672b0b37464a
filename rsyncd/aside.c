/* What needs nothing from the wire is made by a thread of its own while the
 * wire is asked already: a look whether there is room, folders, links, devices,
 * empty files, and files of the base that nobody has touched. A wire that waits
 * for these is time lost on each machine; measured, a fifteenth of an upgrade.
 */
#include <pthread.h>

#include "lib/base.h"
#include "rsyncd/job.h"

struct aside {
	struct job *j;
	pthread_t thread;
	bool runs; /* a thread does it */
	bool stop; /* atomic */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool folders, failed; /* under the lock */
	struct err e;
};

static void
tell(struct aside *a, bool *what, const struct err *e)
{
	pthread_mutex_lock(&a->lock);
	*what = true;
	a->e = *e;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

static void *
work(void *arg)
{
	struct aside *a = arg;
	struct err e = { 0 };
	int bad = into_room(a->j, &e);

	if (bad == 0)
		bad = into_folders(a->j, &e);
	if (bad == 0)
		tell(a, &a->folders, &e);
	if (bad == 0)
		bad = into_others(a->j, &e);
	if (bad == 0)
		bad = link_untouched(a->j, &e);
	if (bad < 0)
		tell(a, &a->failed, &e);
	return NULL;
}

void
aside_begin(struct job *j)
{
	struct aside *a = base_alloc(sizeof(*a));

	a->j = j;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	j->aside = a;
	a->runs = pthread_create(&a->thread, NULL, work, a) == 0;
	if (!a->runs) /* no thread to be had: then it takes longer */
		work(a);
}

bool
aside_stopped(const struct job *j)
{
	return j->aside && __atomic_load_n(&j->aside->stop, __ATOMIC_RELAXED);
}

int
aside_folders(struct job *j, struct err *e)
{
	struct aside *a = j->aside;
	bool failed;

	if (!a)
		return 0;
	pthread_mutex_lock(&a->lock);
	while (!a->folders && !a->failed)
		pthread_cond_wait(&a->changed, &a->lock);
	failed = a->failed;
	if (failed)
		*e = a->e;
	pthread_mutex_unlock(&a->lock);
	return failed ? -1 : 0;
}

int
aside_end(struct job *j, bool wanted, struct err *e)
{
	struct aside *a = j->aside;
	bool failed;

	if (!a)
		return 0;
	if (!wanted)
		__atomic_store_n(&a->stop, true, __ATOMIC_RELAXED);
	if (a->runs)
		pthread_join(a->thread, NULL);
	j->aside = NULL; /* the thread asked by it whether it is wanted */
	failed = a->failed;
	if (failed && wanted)
		*e = a->e;
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return failed ? -1 : 0;
}
