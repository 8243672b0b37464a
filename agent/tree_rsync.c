/* rsync moves the files; here are the patience and the explanations. The file
 * list is made whole before the first file (--no-inc-recursive): only so is
 * the percentage a truth. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/proc.h"

#include "agent/tree_rsync.h"

#define LINE_MAX_BYTES 1024
#define PULL_TRIES 30
#define PULL_PAUSE_MAX_S 60

static int64_t
rate_of(double number, const char *unit)
{
	static const struct {
		const char *unit;
		double factor;
	} units[] = { { "kB/s", 1024.0 },
		      { "MB/s", 1024.0 * 1024 },
		      { "GB/s", 1024.0 * 1024 * 1024 },
		      { "B/s", 1 } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(units); i++)
		if (str_eq(unit, units[i].unit))
			return (int64_t)(number * units[i].factor);
	return -1;
}

int
tree_progress_parse(const char *line, struct tree_progress *out)
{
	long long bytes;
	unsigned percent, h, m, s;
	double rate;
	char unit[8], sign;

	if (sscanf(line, " %18lld %3u%c %lf%7[kMGB/s] %u:%2u:%2u", &bytes,
		   &percent, &sign, &rate, unit, &h, &m, &s) != 8)
		return -1;
	if (bytes < 0 || percent > 100 || sign != '%' || rate < 0 ||
	    rate > 1e9 || h > 100000 || m > 59 || s > 59 ||
	    rate_of(rate, unit) < 0)
		return -1;
	*out = (struct tree_progress){ percent, bytes, rate_of(rate, unit),
				       -1 };
	if (percent > 0 && out->bytes_per_s > 0)
		out->eta_s = (int64_t)((double)bytes * (100 - percent) /
				       percent / (double)out->bytes_per_s);
	return 0;
}

/* From rsync(1), "EXIT VALUES". `again`: the next try may well succeed. */
static const struct {
	int code;
	bool again;
	const char *text;
} exits[] = {
	{ 1, false, "rsync does not know an option: initrd and agent differ" },
	{ 2, false, "the daemon speaks another protocol: look at its version" },
	{ 3, false,
	  "no such file or directory: look at RPATH, and whether "
	  "this role and version are published" },
	{ 4, false, "not supported by the daemon" },
	{ 5, true,
	  "the daemon refused: unknown module, or too many "
	  "connections" },
	{ 10, true,
	  "no connection: look at RSERV, RSERV_PORT and the rsync "
	  "daemon" },
	{ 11, false, "a file could not be written: is the disk full?" },
	{ 12, true, "the connection broke" },
	{ 13, false, "an rsync program could not say what went wrong" },
	{ 14, true, "an rsync process failed" },
	{ 20, true, "rsync was stopped by a signal" },
	{ 22, true,
	  "not enough memory: this machine needs more, or the role "
	  "fewer files" },
	{ 23, false,
	  "some files could not be read or written, or the tree is "
	  "not there: look at the lines above" },
	{ 24, true,
	  "files vanished while they were read: a published tree "
	  "must not change" },
	{ 25, false, "a limit of deletions was reached" },
	{ 30, true, "nothing came for 60 s" },
	{ 35, true, "the daemon did not answer in time" },
};

const char *
tree_exit_text(int code)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(exits); i++)
		if (exits[i].code == code)
			return exits[i].text;
	return code > 128 ? "rsync was ended by a signal"
			  : "an exit code that rsync(1) does not list";
}

static bool
worth_another_try(int code)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(exits); i++)
		if (exits[i].code == code)
			return exits[i].again;
	return code > 128;
}

struct pull {
	const struct tree_rsync_opts *opts;
	char line[LINE_MAX_BYTES];
	size_t len;
	/* rsync counts what this life of it brought; what earlier ones did
	 * comes on top */
	struct tree_progress before, now;
};

static void
take_line(struct pull *p)
{
	struct tree_progress progress;

	p->line[p->len] = '\0';
	p->len = 0;
	if (!*p->line)
		return;
	if (tree_progress_parse(p->line, &progress) == 0) {
		p->now = progress;
		p->now.bytes += p->before.bytes;
		p->now.percent += p->before.percent;
		if (p->now.percent > 100)
			p->now.percent = 100;
		p->opts->progress(p->opts->ctx, &p->now);
		return;
	}
	p->opts->say(p->opts->ctx, p->line);
}

/* Progress lines end in a carriage return, the others in a newline. A line
 * longer than the buffer keeps its start. */
static void
take_output(void *ctx, const char *bytes, size_t len)
{
	struct pull *p = ctx;
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] == '\r' || bytes[i] == '\n')
			take_line(p);
		else if (p->len < sizeof(p->line) - 1)
			p->line[p->len++] = bytes[i];
}

static int
tick(void *ctx)
{
	const struct pull *p = ctx;

	p->opts->tick(p->opts->ctx);
	return 0;
}

/* One life of rsync; its exit code, or -1. */
static int
pull_once(struct pull *p, int *code, struct err *e)
{
	const char *const argv[] = { "rsync",
				     "-aHAX",
				     "--numeric-ids",
				     "--partial",
				     "--no-inc-recursive",
				     "--info=progress2",
				     "--no-human-readable",
				     "--timeout=60",
				     "--contimeout=15",
				     p->opts->url,
				     p->opts->into,
				     NULL };
	const struct proc_opts opts = { .output = take_output,
					.tick = tick,
					.ctx = p };
	struct proc out = { 0 };
	int bad;

	p->len = 0;
	p->before = p->now;
	bad = proc_run(argv, &opts, &out, e);
	take_line(p);
	*code = out.status;
	proc_clear(&out);
	return bad;
}

static void
wait_a_while(struct pull *p, int seconds)
{
	int i;

	for (i = 0; i < 2 * seconds; i++) {
		p->opts->tick(p->opts->ctx);
		usleep(500 * 1000);
	}
}

static int
explain(const struct pull *p, int code, struct err *e)
{
	return err_set(e, code == 11 ? ERR_SYS : ERR_PEER,
		       "the tree %s did not come: rsync exit %d: %s",
		       p->opts->url, code, tree_exit_text(code));
}

int
tree_rsync(const struct tree_rsync_opts *opts, struct err *e)
{
	struct pull p = { .opts = opts };
	int max_s = opts->pause_max_s ? opts->pause_max_s : PULL_PAUSE_MAX_S;
	int tries = opts->tries ? opts->tries : PULL_TRIES;
	int code, left = tries, pause_s = 1;

	for (;;) {
		AUTO_FREE char *line = NULL;

		if (pull_once(&p, &code, e) < 0)
			return -1;
		if (code == 0) {
			p.now.percent = 100;
			p.now.eta_s = 0;
			opts->progress(opts->ctx, &p.now);
			return 0;
		}
		/* --partial keeps what came, so this is a step forward */
		if (p.now.bytes > p.before.bytes) {
			left = tries;
			pause_s = 1;
		}
		if (!worth_another_try(code) || --left == 0)
			return explain(&p, code, e);
		line = base_printf("rsync exit %d: %s; taking it up again in "
				   "%d s",
				   code, tree_exit_text(code), pause_s);
		opts->say(opts->ctx, line);
		wait_a_while(&p, pause_s);
		pause_s = pause_s * 2 > max_s ? max_s : pause_s * 2;
	}
}
