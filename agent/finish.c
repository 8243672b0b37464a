#include <sys/reboot.h>
#include <sys/wait.h>

#include "lib/base.h"
#include "lib/err.h"

#include "agent/finish.h"
#include "agent/journal.h"
#include "agent/kexec.h"
#include "agent/nic.h"

/* A shell on the console, again and again: the machine stays as it is, for
 * somebody to look at. cttyhack gives it a terminal with job control. */
static _Noreturn void
console(struct journal *j)
{
	/* init has one there already (DEBUG=1): two would share the keys */
	while (getenv("EDEPLOY_CONSOLE_SHELL"))
		pause();
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			execlp("setsid", "setsid", "cttyhack", "/bin/sh", "-l",
			       (char *)NULL);
			execl("/bin/sh", "sh", "-i", (char *)NULL);
			_exit(127);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
		sleep(2);
		journal_line(j, "the shell ended and starts again; \"reboot "
				"-f\" or \"poweroff -f\" leaves it");
	}
}

void
finish(enum action action, struct journal *j)
{
	struct err e = { 0 };

	sync();
	/* Linux 6.1.192, and others before August 2026, spins for ever in
	 * virtnet_poll() when a virtio card has a packet on its way while it is
	 * shut down: one reboot of 200 never came. */
	if (action != ACTION_CONSOLE)
		nic_all_down();
	switch (action) {
	case ACTION_CONSOLE:
		journal_line(j, "this console is yours; the log is %s",
			     journal_path(j));
		console(j);
	case ACTION_HALT:
		journal_line(j, "power off");
		reboot(RB_POWER_OFF);
		break;
	case ACTION_KEXEC:
	case ACTION_LOCAL:
		journal_line(j, "starting the installed system's kernel");
		kexec_start(&e);
		journal_line(j, "%s: rebooting instead", e.text);
		break;
	case ACTION_REBOOT:
		break;
	}
	if (action != ACTION_HALT) {
		journal_line(j, "reboot");
		reboot(RB_AUTOBOOT);
	}
	journal_line(j, "the kernel did not do it: this machine stands still "
			"and needs a hand");
	for (;;)
		pause();
}
