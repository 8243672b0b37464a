/* A ring of frames. Numbers of frames only grow: done <= taken <= given, and a
 * frame's slot is its number modulo the ring's size. */
#include <pthread.h>

#include "rsyncd/frame.h"
#include "rsyncd/press.h"
#include "rsyncd/team.h"

#define SLOTS (TEAM_MAX + 1)

struct press {
	pthread_mutex_t lock;
	pthread_cond_t work, ready;
	pthread_t thread[TEAM_MAX];
	int threads, level;
	size_t slots;
	size_t done, taken, given;
	bool stop, failed;
	bool pressed[SLOTS];
	struct press_frame frame[SLOTS];
	struct err e;
};

/* ---- the threads ---- */

struct worker {
	struct frame_coder *coder;
	struct frame_decoder *decoder;
	char *again;
	size_t room;
};

static int
press_one(struct worker *w, struct press_frame *f, struct err *e)
{
	if (w->room < f->raw.len) {
		free(w->again);
		w->room = f->raw.len;
		w->again = base_alloc(w->room);
	}
	buf_reset(&f->packed);
	frame_pack(w->coder, f->raw.at, f->raw.len, NULL, 0, &f->packed);
	digest_of(f->packed.at, f->packed.len, &f->hash);
	if (frame_unpack(w->decoder, f->packed.at, f->packed.len, NULL, 0,
			 w->again, f->raw.len, e) < 0 ||
	    memcmp(w->again, f->raw.at, f->raw.len) != 0)
		return err_set(e, ERR_SYS,
			       "a frame is not what was packed into it: is "
			       "this machine's memory good?");
	return 0;
}

/* The number of the next frame to press; false: no more will come. */
static bool
next_frame(struct press *p, size_t *number)
{
	bool more;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && p->taken == p->given)
		pthread_cond_wait(&p->work, &p->lock);
	more = p->taken < p->given && !p->stop;
	*number = p->taken;
	p->taken += more;
	pthread_mutex_unlock(&p->lock);
	return more;
}

static void *
work(void *ctx)
{
	struct press *p = ctx;
	struct worker w = { .coder = frame_coder_new(p->level),
			    .decoder = frame_decoder_new() };
	size_t number;

	while (next_frame(p, &number)) {
		size_t slot = number % p->slots;
		struct err e = { 0 };
		int got = press_one(&w, &p->frame[slot], &e);

		pthread_mutex_lock(&p->lock);
		if (got < 0 && !p->failed)
			p->e = e;
		p->failed = p->failed || got < 0;
		p->pressed[slot] = true;
		pthread_cond_signal(&p->ready);
		pthread_mutex_unlock(&p->lock);
	}
	frame_coder_free(w.coder);
	frame_decoder_free(w.decoder);
	free(w.again);
	return NULL;
}

/* ---- the caller ---- */

int
press_open(struct press **out, int level, int threads, struct err *e)
{
	struct press *p = base_alloc(sizeof(*p));
	int want = team_size(threads);

	p->level = level;
	p->slots = (size_t)want + 1;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->ready, NULL);
	while (p->threads < want &&
	       pthread_create(&p->thread[p->threads], NULL, work, p) == 0)
		p->threads++;
	if (p->threads == 0) {
		press_free(p);
		return err_set(e, ERR_SYS, "no thread can be started");
	}
	*out = p;
	return 0;
}

/* `given` and `done` are changed by the caller's thread alone, so it may read
 * them without the lock. */
struct press_frame *
press_room(struct press *p)
{
	if (p->given - p->done == p->slots)
		return NULL;
	return &p->frame[p->given % p->slots];
}

void
press_give(struct press *p)
{
	pthread_mutex_lock(&p->lock);
	p->pressed[p->given % p->slots] = false;
	p->given++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

int
press_take(struct press *p, bool wait, struct press_frame **out, struct err *e)
{
	size_t slot = p->done % p->slots;
	bool ready, failed;

	if (p->done == p->given)
		return 0;
	pthread_mutex_lock(&p->lock);
	while (wait && !p->pressed[slot] && !p->failed)
		pthread_cond_wait(&p->ready, &p->lock);
	ready = p->pressed[slot];
	failed = p->failed;
	if (failed)
		*e = p->e;
	pthread_mutex_unlock(&p->lock);
	*out = &p->frame[slot];
	if (failed)
		return -1;
	return ready ? 1 : 0;
}

void
press_done(struct press *p)
{
	buf_reset(&p->frame[p->done % p->slots].raw);
	p->done++;
}

void
press_free(struct press *p)
{
	size_t i;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	while (p->threads > 0)
		pthread_join(p->thread[--p->threads], NULL);
	for (i = 0; i < SLOTS; i++) {
		buf_clear(&p->frame[i].raw);
		buf_clear(&p->frame[i].packed);
	}
	pthread_cond_destroy(&p->ready);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
