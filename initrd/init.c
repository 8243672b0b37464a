/* init: pid 1 of the initrd. It makes the machine usable (file systems,
 * modules, consoles), starts the agent, shows what it says on every console,
 * and buries the dead. It never ends: a dead pid 1 is a kernel panic, and the
 * reason would scroll away. Nothing here stops at an error: a machine with half
 * of its devices can still say what is wrong. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "initrd/modules.h"
#include "initrd/plan.h"

#define AGENT "/sbin/edeploy-agent"
#define SSHD "/usr/sbin/dropbear"
#define KEYS "/root/.ssh/authorized_keys"
#define WRITE_PATIENCE_MS 1000
#define SERVICES_MAX (CONSOLES_MAX + 2)

/* What is started again whenever it ends: shells, sshd. */
struct service {
	char tty[CONSOLE_NAME]; /* "" for none */
	const char *const *argv;
	pid_t pid;
	time_t again; /* not before */
};

struct screen {
	const char *name;
	int fd;
};

static struct {
	struct plan plan;
	struct screen screens[CONSOLES_MAX + 1];
	size_t screens_len;
	struct service services[SERVICES_MAX];
	size_t services_len;
	pid_t agent;
	int output; /* what the agent says */
} self;

static const char *const shell_argv[] = { "/bin/sh", "-l", NULL };
static const char *const sshd_argv[] = { SSHD, "-F", "-E", "-R", "-s", NULL };

/* ---- consoles ---- */

static int
open_console(const char *name, int flags)
{
	char path[CONSOLE_NAME + 8];

	snprintf(path, sizeof(path), "/dev/%s", name);
	return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | flags);
}

/* A serial line takes its time; one that nobody drains (flow control) must
 * not stop the rest, so that what it does not take in a second is lost. When
 * a shell ends, the kernel hangs up its terminal for everybody who had it
 * open: then it is opened anew. */
static void
show_on(struct screen *s, const char *bytes, size_t len)
{
	bool fresh = false;

	while (len) {
		struct pollfd p = { .fd = s->fd, .events = POLLOUT };
		ssize_t n = write(s->fd, bytes, len);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EINTR) {
			continue;
		} else if (n < 0 && errno == EIO && !fresh) {
			close(s->fd);
			s->fd = open_console(s->name, O_NONBLOCK);
			fresh = true;
		} else if (n >= 0 || errno != EAGAIN ||
			   poll(&p, 1, WRITE_PATIENCE_MS) <= 0) {
			return;
		}
	}
}

static void
show(const char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < self.screens_len; i++)
		show_on(&self.screens[i], bytes, len);
}

__attribute__((format(printf, 1, 2))) static void
say(const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	show(line, (size_t)n);
}

static void
add_screen(const char *name)
{
	struct screen *s = &self.screens[self.screens_len];

	s->fd = open_console(name, O_NONBLOCK);
	if (s->fd < 0)
		return;
	s->name = name;
	self.screens_len++;
}

static void
open_screens(void)
{
	const struct plan *p = &self.plan;
	bool has_screen = false;
	size_t i;

	for (i = 0; i < p->consoles_len; i++) {
		has_screen |= strcmp(p->consoles[i], "tty1") == 0;
		add_screen(p->consoles[i]);
	}
	if (!has_screen)
		add_screen("tty1");
}

/* ---- the system ---- */

static void
mount_all(void)
{
	static const struct {
		const char *type, *where, *options;
		unsigned long flags;
	} table[] = {
		{ "proc", "/proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "sysfs", "/sys", "", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "devtmpfs", "/dev", "mode=0755", MS_NOSUID },
		{ "devpts", "/dev/pts", "mode=0620,gid=5",
		  MS_NOSUID | MS_NOEXEC },
		{ "tmpfs", "/run", "mode=0755", MS_NOSUID | MS_NODEV },
		{ "tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(*table); i++) {
		mkdir(table[i].where, 0755);
		mount(table[i].type, table[i].where, table[i].type,
		      table[i].flags, table[i].options);
	}
	/* a root on tmpfs comes as everybody's */
	if (chmod("/", 0755) < 0)
		perror("/");
	for (i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			continue; /* devtmpfs has it already, or is not there */
}

/* The kernel started us before /dev was there: our own words go nowhere but
 * to the consoles, and children inherit something that can be written. */
static void
own_descriptors(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static void
read_plan(void)
{
	char text[8192] = "";
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	plan_read(&self.plan, text);
}

static void
run(const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void
set_environment(void)
{
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	umask(022);
}

/* ---- children ---- */

/* Children start with nothing blocked and a session of their own. */
static void
become_child(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
}

/* The terminal as the shell's own, so that ^C and job control work. */
static void
take_terminal(const char *name)
{
	int fd = open_console(name, 0);

	if (fd < 0)
		_exit(127);
	ioctl(fd, TIOCSCTTY, 1);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

static void
start_service(struct service *s)
{
	pid_t pid = fork();

	if (pid == 0) {
		become_child();
		if (*s->tty)
			take_terminal(s->tty);
		if (*s->tty && chdir("/root") < 0)
			_exit(127);
		execv(s->argv[0], (char *const *)(uintptr_t)s->argv);
		_exit(127);
	}
	s->pid = pid > 0 ? pid : 0;
}

static void
add_service(const char *tty, const char *const *argv)
{
	struct service *s;

	if (self.services_len == SERVICES_MAX)
		return;
	s = &self.services[self.services_len++];
	*s = (struct service){ .argv = argv };
	snprintf(s->tty, sizeof(s->tty), "%s", tty);
	start_service(s);
}

/* DEBUG=1: shells beside the agent. The agent leaves the console to the one
 * that stands there already. */
static void
start_debug(void)
{
	const struct plan *p = &self.plan;
	size_t i;

	if (!p->debug)
		return;
	add_service("tty2", shell_argv);
	for (i = 0; i < p->consoles_len; i++)
		if (plan_is_serial(p->consoles[i]))
			add_service(p->consoles[i], shell_argv);
	if (plan_is_serial(p->consoles[p->consoles_len - 1]))
		setenv("EDEPLOY_CONSOLE_SHELL", "1", 1);
	if (access(KEYS, R_OK) == 0 && access(SSHD, X_OK) == 0) {
		mkdir("/etc/dropbear", 0700);
		add_service("", sshd_argv);
		say("DEBUG=1: ssh for root with the key of this initrd");
	}
	say("DEBUG=1: shells on tty2 and on serial consoles");
}

static void
start_agent(void)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		say("init: pipe: %s", strerror(errno));
		return;
	}
	self.output = ends[0];
	self.agent = fork();
	if (self.agent == 0) {
		become_child();
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		execl(AGENT, "edeploy-agent", "deploy", (char *)NULL);
		dprintf(2, "init: %s: %s\n", AGENT, strerror(errno));
		_exit(127);
	}
	close(ends[1]);
}

/* ---- the end ---- */

/* Consoles must have sent the reason before the power is gone. */
static void
drain(void)
{
	size_t i;

	sync();
	for (i = 0; i < self.screens_len; i++)
		tcdrain(self.screens[i].fd);
}

static void
agent_died(int status)
{
	if (WIFSIGNALED(status))
		say("init: the agent was ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		say("init: the agent ended with %d", WEXITSTATUS(status));
	self.agent = 0;
	switch (self.plan.onfailure) {
	case LAST_REBOOT:
		say("init: ONFAILURE=reboot");
		drain();
		reboot(RB_AUTOBOOT);
		break;
	case LAST_HALT:
		say("init: power off (ONFAILURE=console gives a shell here)");
		drain();
		reboot(RB_POWER_OFF);
		break;
	case LAST_CONSOLE:
		say("init: a shell is on this console");
		if (!getenv("EDEPLOY_CONSOLE_SHELL"))
			add_service(
				self.plan.consoles[self.plan.consoles_len - 1],
				shell_argv);
		return;
	}
	say("init: the kernel did not do it; this machine needs a hand");
}

static void
child_ended(pid_t pid, int status)
{
	size_t i;

	if (pid == self.agent)
		agent_died(status);
	for (i = 0; i < self.services_len; i++)
		if (self.services[i].pid == pid) {
			self.services[i].pid = 0;
			self.services[i].again = time(NULL) + 1;
		}
}

/* True when there was something to show. */
static bool
show_output(void)
{
	char bytes[4096];
	ssize_t n = read(self.output, bytes, sizeof(bytes));

	if (n > 0) {
		show(bytes, (size_t)n);
		return true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(self.output);
		self.output = -1;
	}
	return false;
}

static void
start_again(void)
{
	size_t i;

	for (i = 0; i < self.services_len; i++)
		if (!self.services[i].pid &&
		    time(NULL) >= self.services[i].again)
			start_service(&self.services[i]);
}

static _Noreturn void
serve(int signals)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = self.output, .events = POLLIN },
				       { .fd = signals, .events = POLLIN } };
		struct signalfd_siginfo seen;
		int status;
		pid_t pid;

		poll(p, 2, 1000);
		if (p[0].revents)
			show_output();
		if (p[1].revents &&
		    read(signals, &seen, sizeof(seen)) == sizeof(seen) &&
		    self.output >= 0 && !(p[0].revents & POLLIN))
			while (poll(p, 1, 0) > 0 && show_output())
				;
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			child_ended(pid, status);
		start_again();
	}
}

int
main(void)
{
	static const char *const lo[] = { "ip", "link", "set", "dev",
					  "lo", "up",   NULL };
	sigset_t child;
	int signals;

	if (getpid() != 1) {
		fprintf(stderr, "init is pid 1 of the initrd only\n");
		return 1;
	}
	mount_all();
	own_descriptors();
	set_environment();
	read_plan();
	open_screens();
	say("eDeploy %s: modules", EDEPLOY_VERSION);
	run(lo);
	modules_load("/sys/devices");
	/* a console can be a device whose module came now */
	if (self.screens_len == 0)
		open_screens();
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	start_debug();
	start_agent();
	serve(signals);
}
