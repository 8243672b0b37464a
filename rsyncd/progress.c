/* How far a pull is. The rate is of the last seconds, so that a cut wire shows;
 * while nothing comes, nobody knows how long it will take. */
#include "lib/clock.h"
#include "rsyncd/job.h"

#define TELL_MS 250
#define SILENT_MS 2000

static void
tell(struct job *j, int64_t now)
{
	struct pull_progress p = { .stage = j->stage, .eta_s = -1 };
	uint64_t done = __atomic_load_n(&j->stage_done, __ATOMIC_RELAXED);
	double took = (double)(now - j->told_ms) / 1000;
	const bool silent = now - j->moved_ms > SILENT_MS;
	double now_rate;

	if (!j->o->progress)
		return;
	now_rate = took > 0 ? (double)(done - j->told_done) / took : j->rate;
	j->rate = j->rate > 0 && !(silent && now_rate > 0)
			  ? 0.8 * j->rate + 0.2 * now_rate
			  : now_rate;
	if (done != j->told_done)
		j->moved_ms = now;
	j->told_ms = now;
	j->told_done = done;
	p.bytes = done;
	p.bytes_all = j->stage_all;
	p.percent = j->stage_all > 0
			    ? 100.0 * (double)done / (double)j->stage_all
			    : 0.0; /* how much there is to do is not known */
	if (p.percent > 100.0)
		p.percent = 100.0;
	p.bytes_per_s = (int64_t)j->rate;
	if (j->rate >= 1 && j->stage_all >= done && !silent)
		p.eta_s = (int64_t)((double)(j->stage_all - done) / j->rate);
	j->o->progress(j->o->ctx, &p);
}

void
stage_begin(struct job *j, const char *stage, uint64_t all)
{
	j->stage = stage;
	j->stage_all = all;
	j->stage_done = j->told_done = 0;
	j->rate = 0;
	j->told_ms = j->moved_ms = clock_boot_ms();
	tell(j, j->told_ms);
}

void
stage_add(struct job *j, uint64_t bytes)
{
	__atomic_add_fetch(&j->stage_done, bytes, __ATOMIC_RELAXED);
}

int
stage_tick(void *job, struct err *e)
{
	struct job *j = job;
	int64_t now = clock_boot_ms();

	if (now - j->told_ms >= TELL_MS)
		tell(j, now);
	if (j->o->source.tick && j->o->source.tick(j->o->source.ctx) != 0)
		return err_set(e, ERR_REFUSED, "stopped");
	return 0;
}

void
stage_end(struct job *j)
{
	tell(j, clock_boot_ms());
}
