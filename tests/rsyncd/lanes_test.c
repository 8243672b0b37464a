/* The workers: order within a job, one lane for each, the budget, waiting,
 * and failures that end everybody. */
#include <pthread.h>
#include <stdio.h>

#include "rsyncd/lanes.h"
#include "tests/test.h"

#define JOBS 200

struct seen {
	struct lanes *l;
	pthread_mutex_t lock;
	size_t next[JOBS]; /* the part that is to come */
	int lane[JOBS];
	size_t held, most, done, fail_at;
	bool drop, wrong;
	size_t order; /* jobs that have begun: in order, but for who is quick */
};

static int
work(void *ctx, int lane, struct load *load, struct err *e)
{
	struct seen *s = ctx;
	bool fail;

	pthread_mutex_lock(&s->lock);
	if (load->part == 0) {
		s->wrong |= load->job > s->order++ + LANES_MAX;
		s->lane[load->job] = lane;
	}
	s->wrong |= load->part != s->next[load->job]++;
	s->wrong |= s->lane[load->job] != lane;
	s->wrong |= load->bytes[0] != (unsigned char)load->job;
	fail = ++s->done == s->fail_at;
	pthread_mutex_unlock(&s->lock);
	if (s->drop)
		lanes_drop(s->l, load);
	return fail ? err_set(e, ERR_SYS, "at %zu", s->fail_at) : 0;
}

static int
give_jobs(struct lanes *l, size_t parts, struct err *e)
{
	size_t job, part;

	for (job = 0; job < JOBS; job++)
		for (part = 0; part < parts; part++) {
			struct load load = { .job = job,
					     .part = part,
					     .last = part + 1 == parts,
					     .bytes = lanes_room(l, 36, e),
					     .len = 36 };

			if (!load.bytes)
				return -1;
			load.bytes[0] = (unsigned char)job;
			if (lanes_give(l, &load, e) < 0)
				return -1;
		}
	return 0;
}

static const struct {
	int threads;
	size_t budget, parts, fail_at;
	bool drop;
} rows[] = {
	{ 1, 100, 1, 0, false },  { 1, 1000, 3, 0, true },
	{ 2, 100, 1, 0, true },   { 2, 250, 4, 0, false },
	{ 4, 50, 2, 0, false },   { 8, 100000, 5, 0, true },
	{ 2, 250, 4, 100, true }, { 3, 100, 1, JOBS, false },
	{ 1, 100, 1, 1, false },
};

static void
check_row(size_t i)
{
	struct seen s = { .lock = PTHREAD_MUTEX_INITIALIZER,
			  .fail_at = rows[i].fail_at,
			  .drop = rows[i].drop };
	struct lanes_opts o = { .threads = rows[i].threads,
				.budget = rows[i].budget,
				.work = work,
				.ctx = &s };
	struct err e = { 0 };
	int bad;

	s.l = lanes_new(&o);
	bad = give_jobs(s.l, rows[i].parts, &e);
	if (bad == 0)
		bad = lanes_end(s.l, &e);
	lanes_free(s.l);
	CHECK(i, !s.wrong);
	CHECK_SHOW(i, (bad < 0) == (rows[i].fail_at > 0), "%s", e.text);
	CHECK(i, bad < 0 || s.done == JOBS * rows[i].parts);
	CHECK(i, bad == 0 || e.kind == ERR_SYS);
}

/* Each job waits for the one before it: they end, also in one lane. */
static size_t turn;

static bool
is_turn(void *ctx)
{
	const size_t *mine = ctx;

	return turn == *mine;
}

static int
take_turn(void *ctx, int lane, struct load *load, struct err *e)
{
	size_t mine = load->job;

	(void)lane;
	if (!lanes_wait(*(struct lanes **)ctx, is_turn, &mine))
		return err_set(e, ERR_SYS, "stopped");
	lanes_lock(*(struct lanes **)ctx);
	turn++;
	lanes_wake(*(struct lanes **)ctx);
	/* one that fails in the middle: those that wait are woken */
	return load->job == 150 ? err_set(e, ERR_INPUT, "150") : 0;
}

static void
check_turns(int threads)
{
	struct lanes *l = NULL;
	struct lanes_opts o = {
		.threads = threads, .budget = 1000, .work = take_turn, .ctx = &l
	};
	struct err e = { 0 };
	int bad;

	turn = 0;
	l = lanes_new(&o);
	bad = give_jobs(l, 1, &e);
	if (bad == 0)
		bad = lanes_end(l, &e);
	lanes_free(l);
	CHECK_SHOW(threads, bad < 0 && e.kind == ERR_INPUT, "%s", e.text);
	CHECK(threads, turn >= 151);
}

static int
stop(void *ctx, struct err *e)
{
	(void)ctx;
	return err_set(e, ERR_REFUSED, "no more");
}

static bool
never(void *ctx)
{
	(void)ctx;
	return false;
}

static int
hang(void *ctx, int lane, struct load *load, struct err *e)
{
	(void)lane, (void)load;
	lanes_wait(*(struct lanes **)ctx, never, NULL);
	return err_set(e, ERR_SYS, "was stopped");
}

/* Who waits for room or for the end is asked whether to go on. */
static void
check_tick(size_t budget)
{
	struct lanes *l = NULL;
	struct lanes_opts o = { .threads = 2,
				.budget = budget,
				.work = hang,
				.tick = stop,
				.ctx = &l };
	struct err e = { 0 };
	int bad;

	l = lanes_new(&o);
	bad = give_jobs(l, 1, &e);
	if (bad == 0)
		bad = lanes_end(l, &e);
	lanes_free(l);
	CHECK_SHOW(budget, bad < 0 && e.kind == ERR_REFUSED, "%s", e.text);
}

struct sum {
	unsigned char hit[1000];
	size_t fail_at;
};

static int
hit(void *ctx, int lane, size_t i, struct err *e)
{
	struct sum *s = ctx;

	if (lane < 0 || lane >= LANES_MAX)
		abort();
	s->hit[i]++;
	return i == s->fail_at ? err_set(e, ERR_SYS, "%zu", i) : 0;
}

static void
check_each(int threads, size_t count, size_t fail_at)
{
	struct sum s = { .fail_at = fail_at };
	struct lanes_each o = { threads, count, hit, NULL, &s };
	struct err e = { 0 };
	bool right = true;
	size_t i;
	int bad = lanes_each(&o, &e);

	CHECK(count, (bad < 0) == (fail_at < count));
	for (i = 0; i < ARRAY_LEN(s.hit); i++)
		right = right &&
			(bad < 0 ? s.hit[i] <= 1 : s.hit[i] == (i < count));
	CHECK(count, right);
}

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i);
	check_turns(1);
	check_turns(2);
	check_turns(5);
	check_tick(100);
	check_tick(1000000);
	for (i = 1; i < 10; i += 4) {
		check_each((int)i, 0, 1);
		check_each((int)i, 1, 1000);
		check_each((int)i, 1000, 1000);
		check_each((int)i, 1000, 500);
	}
	return test_end();
}
