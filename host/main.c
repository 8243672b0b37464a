/* edeploy: what a deployed host can do about its own version. */
#include "lib/base.h"
#include "lib/cmd.h"

#include "host/cmds.h"
#include "host/host.h"
#include "host/main.h"

static const struct cmd commands[] = {
	{ "upgrade",
	  "VERSION [--allow-downgrade] [--strict] [--live | --at-boot]",
	  "move this host to another version",
	  "Brings the signed version beside the running one (only what "
	  "differs\n"
	  "is fetched, every file is checked), runs its pre, merges /etc, and\n"
	  "moves the running system into it, without a reboot, where that "
	  "starts\n"
	  "with the same kernel; then its post runs (0 done, 100 done and\n"
	  "reboot), and this host's health is looked at. Else, and with\n"
	  "--at-boot, post runs in it and the next boot tries it: what fails\n"
	  "comes back to the running version by itself. --live: at once also\n"
	  "with another kernel, which the next boot starts then. --strict: "
	  "files\n"
	  "in /etc that no version brought stay behind.\n"
	  "Whatever stops it, this host is and boots as before; the same "
	  "command\n"
	  "goes on where it was.\n"
	  "On a host laid out as one plain root: fetches the metadata of the "
	  "way\n"
	  "(exclude, add_only, pre, post), makes every file that is not "
	  "excluded\n"
	  "equal to the role's (files that the role has not are DELETED), "
	  "adds\n"
	  "missing files that add_only names, runs post and records the "
	  "version.\n"
	  "That works in place and is not safe against a power cut; a failure "
	  "in\n"
	  "the middle is kept in " UPGRADE_MARK " and told at every\n"
	  "call until the same upgrade has ended well.\n",
	  cmd_upgrade },
	{ "test-upgrade", "VERSION [--allow-downgrade] [--strict]",
	  "show what upgrade would change",
	  "Each path that is new, changed or removed, what becomes of edits "
	  "here,\n"
	  "and what would be fetched. On a plain host rsync's itemized "
	  "changes:\n"
	  ">f is a file that comes, cd a directory that is made, *deleting "
	  "one\n"
	  "that goes.\n",
	  cmd_test_upgrade },
	{ "rollback", "[--live | --at-boot]", "go back to the version before",
	  "A version on trial is given up for the good one, else the good one\n"
	  "for the version before it; at once where the kernel is the same, "
	  "by\n"
	  "the next boot where not, or with --at-boot. Its files are checked\n"
	  "first.\n",
	  cmd_rollback },
	{ "status", "", "what runs, what the next boot enters, what fell", NULL,
	  cmd_status },
	{ "history", "", "what was done to this host's version, and when", NULL,
	  cmd_history },
	{ "list", "", "list versions here and the newest published",
	  "upgrade goes to any published one by its name; on the server\n"
	  "\"edeployctl versions ROLE\" lists them all. On a plain host: those "
	  "that the\n"
	  "server has metadata for.\n",
	  cmd_list },
	{ "verify", "[VERSION] [--fix] [--strangers]",
	  "show what differs from a version",
	  "Hashes every file of the running version (with --root DIR: of all\n"
	  "versions that may boot). Edits in /etc are told; anything else that "
	  "is\n"
	  "not as published is damaged: exit 1. --fix fetches it, --strangers\n"
	  "tells of files that are not part of it. On a plain host: compares "
	  "by\n"
	  "rsync and reads only. Exit 0: nothing differs, 1: something does.\n",
	  cmd_verify },
	{ "prove", "[--wait | --install DIR]",
	  "make the version on trial the good one if it is well",
	  "Well is: multi-user.target is reached, where systemd runs, and "
	  "each\n"
	  "program in /etc/edeploy/health.d ends with 0 within a minute. "
	  "--wait,\n"
	  "which edeploy-prove.service calls at each boot: look until it is "
	  "well,\n"
	  "and start the machine again when it is not within PROVE_S= (of the\n"
	  "conf; 600) seconds. --install DIR puts that unit into the root "
	  "DIR.\n",
	  cmd_prove },
	{ "late-edits", "VERSION", "bring edits made since VERSION was built",
	  "What was edited in /etc after VERSION was built, and before its "
	  "first\n"
	  "start: /edeploy/init calls this then, with --root. Nothing is done "
	  "when\n"
	  "all of it came along already.\n",
	  cmd_late_edits },
	{ "convert", "[--at-boot]",
	  "make versions of a host that is one plain root",
	  "What runs becomes /edeploy/roots/VERSION, in place, and the "
	  "running\n"
	  "system moves into it (--at-boot: the next boot does). The "
	  "machine's\n"
	  "own files (/home, /var and such) stay where they are, and the boot\n"
	  "loader, too. The next boot is a trial: what fails comes back to "
	  "the\n"
	  "old root. A disk that cannot hold versions (LVM, RAID, not ext4, a\n"
	  "separate /boot, /usr or /var) is refused, and nothing is changed.\n",
	  cmd_convert },
	{ "gc", "", "remove versions that no boot enters any more", NULL,
	  cmd_gc },
	{ "deactivate-pkgmngr", "", "let nobody change packages here",
	  "Packages come with a version; what is changed by hand is gone with "
	  "the\n"
	  "next. From now on dpkg and rpm refuse to install, configure and "
	  "remove,\n"
	  "and say why, whichever program asks them (apt, aptitude,\n"
	  "unattended-upgrades, dnf, yum, zypper). Looking, fetching and "
	  "simulating\n"
	  "go on. It is a file in /etc, no program is moved, and the next "
	  "version\n"
	  "has it, too. --root DIR may be a tree that is being built.\n",
	  cmd_pkgmngr },
	{ "activate-pkgmngr", "", "let packages be changed here again",
	  "What is changed so is in this version alone; test-upgrade tells "
	  "what\n"
	  "would go.\n",
	  cmd_pkgmngr },
	{ "version", "", "print this host's version", NULL, cmd_tell },
	{ "role", "", "print this host's role", NULL, cmd_tell },
	{ "profile", "", "print the profile it was installed with", NULL,
	  cmd_tell },
};

int
host_main(int argc, char **argv)
{
	static const struct cmd_program program = {
		.name = "edeploy",
		.purpose = "moves this host from one version of its role to "
			   "another",
		.more = "Options of every command:\n"
			"  --json      print one JSON document\n"
			"  --root DIR  work on the system below DIR\n\n"
			"Exit: 0 done, 1 failed, 2 usage. Files: " CONF_PATH
			"\n",
		.table = commands,
		.len = ARRAY_LEN(commands),
	};

	return cmd_main(&program, argc, argv);
}
