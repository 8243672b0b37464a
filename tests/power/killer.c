/* killer N PROGRAM ARG...: run a program and kill it, with SIGKILL, when it is
 * about to do its N-th system call that changes anything outside of itself;
 * what it started lives on. N = 0 lets it end. Prints how many such calls there
 * were. By ptrace, so that the program is the static one of every host. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/num.h"

static const long changing[] = {
	SYS_write,     SYS_pwrite64,   SYS_writev,          SYS_pwritev,
	SYS_rename,    SYS_renameat,   SYS_renameat2,       SYS_link,
	SYS_linkat,    SYS_unlink,     SYS_unlinkat,        SYS_mkdir,
	SYS_mkdirat,   SYS_rmdir,      SYS_symlink,         SYS_symlinkat,
	SYS_mknod,     SYS_mknodat,    SYS_fsync,           SYS_fdatasync,
	SYS_syncfs,    SYS_sync,       SYS_ioctl,           SYS_mount,
	SYS_umount2,   SYS_pivot_root, SYS_chroot,          SYS_ftruncate,
	SYS_fallocate, SYS_chmod,      SYS_fchmod,          SYS_fchmodat,
	SYS_chown,     SYS_fchown,     SYS_fchownat,        SYS_lchown,
	SYS_utimensat, SYS_setxattr,   SYS_fsetxattr,       SYS_lsetxattr,
	SYS_sendfile,  SYS_execve,     SYS_copy_file_range,
};

/* What a system call of the stopped thread is; false when it ends one. */
static bool
is_change(pid_t thread)
{
	struct __ptrace_syscall_info info;
	size_t i;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	if (info.entry.nr == SYS_openat)
		return (info.entry.args[2] & (O_CREAT | O_TRUNC)) != 0;
	if (info.entry.nr == SYS_open)
		return (info.entry.args[1] & (O_CREAT | O_TRUNC)) != 0;
	for (i = 0; i < ARRAY_LEN(changing); i++)
		if ((long)info.entry.nr == changing[i])
			return true;
	return false;
}

/* Of the program itself: what it started is not followed. */
static const unsigned long options =
	PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

static pid_t
start(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) < 0)
		return -1;
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	return pid;
}

/* Until the program is over; its status, and in *count its changes. */
static int
follow(pid_t program, uint64_t at, uint64_t *count)
{
	for (;;) {
		int status, sig = 0;
		pid_t thread = waitpid(-1, &status, __WALL);

		if (thread < 0 && errno == EINTR)
			continue;
		if (thread < 0)
			return -1;
		if (!WIFSTOPPED(status)) {
			if (thread == program)
				return status;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			if (is_change(thread) && ++*count == at)
				kill(program, SIGKILL);
		} else if (WSTOPSIG(status) != SIGTRAP &&
			   WSTOPSIG(status) != SIGSTOP) {
			sig = WSTOPSIG(status);
		}
		ptrace(PTRACE_SYSCALL, thread, NULL, sig);
	}
}

int
main(int argc, char **argv)
{
	uint64_t at, count = 0;
	struct err e = { 0 };
	pid_t program;
	int status;

	if (argc < 3 || num_u64(argv[1], 0, 1000000, &at, "N", &e) < 0) {
		fputs("usage: killer N PROGRAM ARG...\n", stderr);
		return 2;
	}
	program = start(argv + 2);
	status = program < 0 ? -1 : follow(program, at, &count);
	printf("%llu\n", (unsigned long long)count);
	if (status >= 0 && WIFEXITED(status))
		return WEXITSTATUS(status);
	return status >= 0 && WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 99;
}
