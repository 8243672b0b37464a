/* killer N PROGRAM ARG...: run a program and kill it, with SIGKILL, when it is
 * about to do its N-th system call that changes anything outside of itself;
 * what it started goes on, and is waited for. N = 0 lets it end. Prints which
 * call that was, and last how many such calls there were.
 *
 * By ptrace, so that the program is the static one of every host; a filter of
 * seccomp stops it at those calls alone, since each stop is a switch to here
 * and back. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/num.h"

#define ROW(name)                                                              \
	{                                                                      \
		SYS_##name, #name                                              \
	}
static const struct {
	long nr;
	const char *name;
} changing[] = {
	ROW(write),     ROW(pwrite64),   ROW(writev),          ROW(pwritev),
	ROW(rename),    ROW(renameat),   ROW(renameat2),       ROW(link),
	ROW(linkat),    ROW(unlink),     ROW(unlinkat),        ROW(mkdir),
	ROW(mkdirat),   ROW(rmdir),      ROW(symlink),         ROW(symlinkat),
	ROW(mknod),     ROW(mknodat),    ROW(fsync),           ROW(fdatasync),
	ROW(syncfs),    ROW(sync),       ROW(ioctl),           ROW(mount),
	ROW(umount2),   ROW(pivot_root), ROW(chroot),          ROW(ftruncate),
	ROW(fallocate), ROW(chmod),      ROW(fchmod),          ROW(fchmodat),
	ROW(chown),     ROW(fchown),     ROW(fchownat),        ROW(lchown),
	ROW(utimensat), ROW(setxattr),   ROW(fsetxattr),       ROW(lsetxattr),
	ROW(sendfile),  ROW(execve),     ROW(copy_file_range),
};

static const struct {
	long nr;
	unsigned flags; /* the argument that tells whether it changes */
} opening[] = { { SYS_open, 1 }, { SYS_openat, 2 } };

#define MAX_FILTER (ARRAY_LEN(changing) + 3 * ARRAY_LEN(opening) + 3)
#define DATA(member) ((unsigned)offsetof(struct seccomp_data, member))

/* Of this program and what it starts. */
static int
filter_calls(void)
{
	struct sock_filter f[MAX_FILTER];
	struct sock_fprog all = { .filter = f };
	size_t i, n = 0, end = MAX_FILTER - 1;

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      DATA(nr));
	for (i = 0; i < ARRAY_LEN(changing); i++, n++)
		f[n] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned)changing[i].nr,
			(unsigned char)(end - n - 1), 0);
	for (i = 0; i < ARRAY_LEN(opening); i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						      (unsigned)opening[i].nr,
						      0, 2);
		f[n++] = (struct sock_filter)BPF_STMT(
			BPF_LD | BPF_W | BPF_ABS,
			DATA(args) + 8 * opening[i].flags);
		f[n] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC,
			(unsigned char)(end - n - 1),
			(unsigned char)(end - n - 2));
		n++;
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					      SECCOMP_RET_ALLOW);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					      SECCOMP_RET_TRACE);
	all.len = (unsigned short)n;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all);
}

/* Of the system call before which a thread stands. */
static const char *
name_of_call(pid_t thread)
{
	struct __ptrace_syscall_info info;
	size_t i;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) < 0)
		return "?";
	for (i = 0; i < ARRAY_LEN(changing); i++)
		if ((long)info.seccomp.nr == changing[i].nr)
			return changing[i].name;
	return "open";
}

/* What it starts has the filter, too, and wants somebody who lets it go on. */
static const unsigned long options = PTRACE_O_TRACESECCOMP |
				     PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
				     PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;

static pid_t
start(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		if (filter_calls() == 0)
			execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0)
		return -1;
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	return pid;
}

struct watch {
	pid_t program;
	uint64_t at, count;
	int status; /* of the program; -1: it runs */
};

/* The signal with which a stopped thread goes on. */
static int
stopped(struct watch *w, pid_t thread, int status)
{
	int sig = WSTOPSIG(status);

	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		/* one of its own threads, and not what it started */
		if (syscall(SYS_tgkill, w->program, thread, 0) == 0 &&
		    ++w->count == w->at) {
			printf("killed before %s\n", name_of_call(thread));
			kill(w->program, SIGKILL);
		}
		return 0;
	}
	return sig == SIGTRAP || sig == SIGSTOP ? 0 : sig;
}

/* Until all is over. */
static void
follow(struct watch *w)
{
	for (;;) {
		int status;
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0 && errno == EINTR)
			continue;
		if (thread < 0)
			return;
		if (WIFSTOPPED(status))
			ptrace(PTRACE_CONT, thread, NULL,
			       stopped(w, thread, status));
		else if (thread == w->program)
			w->status = status;
	}
}

int
main(int argc, char **argv)
{
	struct watch w = { .status = -1 };
	struct err e = { 0 };

	if (argc < 3 || num_u64(argv[1], 0, 1000000, &w.at, "N", &e) < 0) {
		fputs("usage: killer N PROGRAM ARG...\n", stderr);
		return 2;
	}
	w.program = start(argv + 2);
	if (w.program > 0)
		follow(&w);
	printf("%llu\n", (unsigned long long)w.count);
	if (w.status >= 0 && WIFEXITED(w.status))
		return WEXITSTATUS(w.status);
	return w.status >= 0 && WIFSIGNALED(w.status) ? 128 + WTERMSIG(w.status)
						      : 99;
}
