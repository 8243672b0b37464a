/* Run a program: fork, own process group, pipes, a loop over poll. vfork-like
 * calls are not used, since a chroot may be wanted before exec. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/proc.h"

#define KEEP_DEFAULT 65536
#define TICK_MS 500
#define PIPE_BYTES 65536 /* as pipe(7) has it */

struct running {
	const struct proc_opts *opts;
	struct proc *out;
	pid_t pid;
	int said[2]; /* stdout and stderr of the program; -1 when closed */
	int input;   /* its stdin, -1 when all is written */
	const char *input_left;
	int64_t end_ms, next_tick_ms;
	size_t late; /* bytes that came after its end */
};

/* In the child, between fork and exec: only system calls. `why` is a pipe to
 * tell the parent what went wrong. */
static void
become(const char *const argv[], const struct proc_opts *o, const int fds[3],
       int why)
{
	sigset_t none;
	int i, saved;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	for (i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			goto tell;
	if (dup2(why, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0)
		goto tell;
	why = 3;
	syscall(SYS_close_range, 4, ~0U, 0);
	if (o->chroot && (chroot(o->chroot) < 0 || chdir("/") < 0))
		goto tell;
	if (o->env)
		execvpe(argv[0], (char *const *)(uintptr_t)argv,
			(char *const *)(uintptr_t)o->env);
	else
		execvp(argv[0], (char *const *)(uintptr_t)argv);
tell:
	saved = errno;
	if (write(why, &saved, sizeof(saved)) < 0)
		_exit(126);
	_exit(127);
}

static void
close_pair(int pair[2])
{
	int i;

	for (i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		pair[i] = -1;
	}
}

struct pipes {
	int input[2], said[2], errors[2], why[2];
};

static int
open_pipes(struct pipes *p, struct err *e)
{
	*p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(p->input, O_CLOEXEC) == 0 && pipe2(p->said, O_CLOEXEC) == 0 &&
	    pipe2(p->errors, O_CLOEXEC) == 0 && pipe2(p->why, O_CLOEXEC) == 0)
		return 0;
	return err_sys(e, "pipe");
}

static void
close_pipes(struct pipes *p)
{
	close_pair(p->input);
	close_pair(p->said);
	close_pair(p->errors);
	close_pair(p->why);
}

/* Fork; 0 when the exec worked. */
static int
start(const char *const argv[], const struct proc_opts *o, struct pipes *p,
      pid_t *pid, struct err *e)
{
	int failed = 0;
	ssize_t n;

	*pid = fork();
	if (*pid < 0)
		return err_sys(e, "fork");
	if (*pid == 0) {
		const int fds[3] = { p->input[0], p->said[1],
				     o->split_stderr ? p->errors[1]
						     : p->said[1] };

		become(argv, o, fds, p->why[1]);
	}
	setpgid(*pid, *pid);
	close(p->why[1]);
	p->why[1] = -1;
	do
		n = read(p->why[0], &failed, sizeof(failed));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	waitpid(*pid, NULL, 0);
	errno = failed;
	return err_sys(e, "cannot run %s", argv[0]);
}

static void
keep_last(struct running *r, const char *bytes, size_t len)
{
	size_t keep = r->opts->keep ? r->opts->keep : KEEP_DEFAULT;
	struct buf *b = &r->out->out;

	buf_add(b, bytes, len);
	if (b->len > 2 * keep) {
		memmove(b->at, b->at + b->len - keep, keep + 1);
		b->len = keep;
	}
}

static void
take_output(struct running *r, int which)
{
	char bytes[16384];
	ssize_t n = read(r->said[which], bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(r->said[which]);
		r->said[which] = -1;
		return;
	}
	r->late += (size_t)n;
	if (which == 0)
		keep_last(r, bytes, (size_t)n);
	if (r->opts->output)
		r->opts->output(r->opts->ctx, bytes, (size_t)n);
}

static void
give_input(struct running *r)
{
	size_t left = r->input_left ? strlen(r->input_left) : 0;
	ssize_t n = left ? write(r->input, r->input_left, left) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		r->input_left += n;
	if (n <= 0 || (size_t)n == left) {
		close(r->input);
		r->input = -1;
	}
}

static void
kill_group(struct running *r)
{
	kill(-r->pid, SIGKILL);
	kill(r->pid, SIGKILL);
}

static void
look_at_time(struct running *r)
{
	int64_t now = clock_boot_ms();

	if (r->end_ms && now >= r->end_ms && !r->out->timed_out) {
		r->out->timed_out = true;
		kill_group(r);
	}
	if (r->opts->tick && now >= r->next_tick_ms) {
		r->next_tick_ms = now + TICK_MS;
		if (r->opts->tick(r->opts->ctx) != 0)
			kill_group(r);
	}
}

/* One round of poll; false when all is heard. A child that the program left
 * behind may hold the pipes open, or write for ever: then the program's own
 * end is what counts, and what stood in the pipes by then. Its process id is
 * nobody's from there on, so nothing is killed any more. */
static bool
serve(struct running *r, int *status, bool *ended)
{
	struct pollfd p[3] = { { r->said[0], POLLIN, 0 },
			       { r->said[1], POLLIN, 0 },
			       { r->input, POLLOUT, 0 } };
	int n = poll(p, 3, *ended ? 0 : 50), i;

	for (i = 0; i < 2; i++)
		if (n > 0 && r->said[i] >= 0 && p[i].revents)
			take_output(r, i);
	if (n > 0 && r->input >= 0 && p[2].revents)
		give_input(r);
	if (*ended)
		return n > 0 && r->late <= (size_t)2 * PIPE_BYTES;
	look_at_time(r);
	if (waitpid(r->pid, status, WNOHANG) == r->pid) {
		*ended = true;
		r->late = 0;
	}
	return true;
}

static void
wait_for(struct running *r)
{
	bool ended = false;
	int status = 0;

	while (serve(r, &status, &ended))
		if (r->said[0] < 0 && r->said[1] < 0 && r->input < 0 && ended)
			break;
	r->out->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
					     : WEXITSTATUS(status);
}

int
proc_run(const char *const argv[], const struct proc_opts *opts,
	 struct proc *out, struct err *e)
{
	static const struct proc_opts defaults;
	struct running r = { .opts = opts ? opts : &defaults, .out = out };
	struct pipes p;
	size_t keep = r.opts->keep ? r.opts->keep : KEEP_DEFAULT;
	int failed;

	*out = (struct proc){ 0 };
	failed =
		open_pipes(&p, e) < 0 || start(argv, r.opts, &p, &r.pid, e) < 0;
	if (failed) {
		close_pipes(&p);
		return -1;
	}
	r.said[0] = p.said[0];
	r.said[1] = p.errors[0];
	r.input = p.input[1];
	r.input_left = r.opts->input;
	p.said[0] = p.errors[0] = p.input[1] = -1;
	close_pipes(&p);
	/* a program that reads nothing must not end us or block us */
	fcntl(r.input, F_SETFL, O_NONBLOCK);
	if (!r.input_left)
		give_input(&r);
	if (r.opts->deadline_ms > 0)
		r.end_ms = clock_boot_ms() + r.opts->deadline_ms;
	wait_for(&r);
	close_pair(r.said);
	if (r.input >= 0)
		close(r.input);
	if (out->out.len > keep) {
		memmove(out->out.at, out->out.at + out->out.len - keep,
			keep + 1);
		out->out.len = keep;
	}
	return 0;
}

int
proc_ok(const char *const argv[], const struct proc_opts *opts, struct err *e)
{
	struct proc p;
	char line[160];
	int failed = proc_run(argv, opts, &p, e);

	if (failed == 0 && p.timed_out)
		failed = err_set(e, ERR_SYS, "%s: stopped after %d s", argv[0],
				 opts->deadline_ms / 1000);
	else if (failed == 0 && p.status != 0)
		failed = err_set(e, ERR_SYS, "%s: exit %d: %s", argv[0],
				 p.status,
				 proc_last_line(&p, line, sizeof(line)));
	proc_clear(&p);
	return failed;
}

const char *
proc_last_line(const struct proc *p, char *line, size_t size)
{
	const char *text = buf_text(&p->out), *from;
	size_t end = p->out.len;

	while (end > 0 && strchr(" \t\r\n", text[end - 1]))
		end--;
	for (from = text + end; from > text && from[-1] != '\n'; from--)
		;
	snprintf(line, size, "%.*s", (int)(text + end - from), from);
	return line;
}

void
proc_clear(struct proc *p)
{
	buf_clear(&p->out);
}
