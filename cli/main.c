/* edeployctl: for the person who runs the server. */
#include <signal.h>

#include "cli/ctl.h"
#include "cli/trees.h"
#include "lib/base.h"
#include "lib/cmd.h"

#define SITE "[-c CONF | --site DIR] [--section NAME] [--json]"
#define REPLAY                                                                 \
	"[FACTS...] --site DIR [--was DIR] [-c CONF] [--section NAME] "        \
	"[--json]"
#define LIVE "[-c CONF] [--section NAME] [--json]"

#define TOP "[--top DIR] [--json]"

static const struct cmd commands[] = {
	{ "check", SITE, "look for what is wrong in a site's files",
	  "Reads the state file and every profile in it. Warns of profiles "
	  "that "
	  "get no\nmachine, totals above the CMDB, values that stand twice, "
	  "addresses outside their\nnetwork, and variables that nothing gives. "
	  "Exit 0: good, warnings may be\nprinted; 1: a file is wrong.\n",
	  cmd_check },
	{ "match", "FACTS " SITE,
	  "tell which profile fits a machine's facts, changing nothing",
	  "FACTS is a file as `edeploy-agent detect` prints it, or - for "
	  "standard input.\nUnits and CMDB entries are not counted. Exit "
	  "0: one fits, 1: none, 2: usage.\n--json prints {\"profile\": "
	  "..., \"vars\": {...}, \"tried\": [...]}.\n",
	  cmd_match },
	{ "explain", "FACTS|MACHINE " SITE " [--all]",
	  "tell why a machine gets what it gets, changing nothing",
	  "For each profile in order: each pattern with the fact that it took, "
	  "or what the\nmachine has instead; units; the CMDB entry and those "
	  "passed over. FACTS as for\nmatch; MACHINE as for show, with the "
	  "facts of its last upload. With --site the\nfiles alone answer. "
	  "--all shows what was left out. Exit 0: a profile is given,\n1: "
	  "none.\n",
	  cmd_explain },
	{ "cmdb", "PROFILE " SITE, "list the entries of a profile's CMDB",
	  "One line an entry, with its machine. With --site the file "
	  "PROFILE.cmdb there\nanswers, its generate() expanded. --json prints "
	  "the entries: [{...}, ...].\n",
	  cmd_cmdb },
	{ "state", SITE, "list the profiles: units used and total",
	  "In the order in which they are tried. With --site the state file "
	  "there answers,\nand what is used is not known.\n",
	  cmd_state },
	{ "adopt", SITE, "print the state file for a site of the first eDeploy",
	  "There the state file says how many units are left. The new one has "
	  "the totals:\nwhat is left and the used entries of the CMDB. Write "
	  "it to another file, look at\nit, then put it in place, once: a "
	  "site whose CMDB edeployd wrote is refused.\n--json prints "
	  "[{\"profile\", \"left\", \"used\", \"total\", \"remark\"}, ...].\n",
	  cmd_adopt },
	{ "replay", REPLAY, "tell for whom a changed site would change what",
	  "--site is a folder with the site's files as they shall be. edeployd "
	  "has each\nmachine ask a copy of its store with these files, as if "
	  "it "
	  "were installed again.\nThe machines of FACTS (files as for match, "
	  "NAME.hw, or folders of them) need no\nserver: they ask it, and the "
	  "site as it is (--was, else the configuration's),\nfrom nothing. "
	  "Nothing is changed. Exit 0: nothing would change, 1: something\n"
	  "would, or the new files have errors, 2: all else.\n",
	  cmd_replay },
	{ "specs", "from FACTS|MACHINE " LIVE,
	  "propose a profile's .specs for a machine that was seen",
	  "What it prints fits that machine, and others of its kind: model, "
	  "processors,\nmemory, disks, interfaces. Comments tell what to widen "
	  "and what was left out.\nFACTS as for match; MACHINE as for show, "
	  "with "
	  "the facts of its last upload.\n--json prints {\"specs\": TEXT}.\n",
	  cmd_specs },
	{ "machines", LIVE, "list the machines that edeployd knows", NULL,
	  cmd_machines },
	{ "show", "MACHINE " LIVE,
	  "show one machine: why, variables, runs, events",
	  "MACHINE is an id (m1), hostname, MAC, serial or system "
	  "UUID.\n",
	  cmd_show },
	{ "watch", "[MACHINE] [--until-done] " LIVE,
	  "follow what happens to machines, from now on",
	  "Of all machines, or of MACHINE (as for show). On a terminal each "
	  "run that goes\non has a line that moves; --json prints one event a "
	  "line. It ends with ^C.\n--until-done: it ends with the first run "
	  "that ends. Exit 0: done, 1: failed. For\na MACHINE that is "
	  "installed or failed already, and shall not be installed again,\nit "
	  "ends at once.\n",
	  cmd_watch },
	{ "reinstall", "MACHINE " LIVE,
	  "have an installed machine installed again, once",
	  "Its next network boot installs it, over its own earlier "
	  "installation.\n",
	  cmd_reinstall },
	{ "release", "MACHINE " LIVE,
	  "give a machine's unit and CMDB entry back",
	  "At its next run it is asked for anew. What is on its disks "
	  "stays there.\n",
	  cmd_release },
	{ "same", "MACHINE MACHINE " LIVE, "say that two rows are one machine",
	  "For a machine that waits, since so much of it was exchanged that "
	  "nobody is sure\nwho it is. The row that has a profile stays, else "
	  "the "
	  "older one.\nUndoes distinct.\n",
	  cmd_same },
	{ "distinct", "MACHINE MACHINE " LIVE,
	  "say that two machines are two, whatever they share",
	  "For a machine that waits, since it says what another one says: a "
	  "cloned UUID, a\nnetwork card that was moved. What both say counts "
	  "for neither from now on.\n",
	  cmd_distinct },
	{ "forget", "MACHINE " LIVE,
	  "forget a machine that has no profile any more",
	  "Its row, runs and events are gone; logs in LOGDIR stay. Release it "
	  "first.\n",
	  cmd_forget },
	{ "key", "FILE", "make a key that signs published trees",
	  "FILE is the secret half, FILE.pub the public one. The usual FILE on "
	  "the server\nis /etc/edeploy-keys/trees.key; it may as well stand "
	  "on a host of its own\n(seal). Nobody else may write to its folder, "
	  "which is made.\n",
	  cmd_key },
	{ "publish",
	  "ROLE VERSION DIR [--key FILE | --unsigned] [--on ROLE] [--deltas N] "
	  "[--level N] [--new-ids] [--repack] " TOP,
	  "make the tree in DIR a version that machines can have",
	  "Writes TOP/trees/ROLE/VERSION (packs, deltas from the N versions "
	  "before, a seal)\nand TOP/install/VERSION/ROLE for stock rsync; DIR "
	  "may be that folder. TOP is\n/var/lib/edeploy. A version never "
	  "changes: the same tree again is nothing to do,\nanother one is "
	  "refused. Refused too: a user or group with another number than\nin "
	  "the versions before, unless --new-ids. --on ROLE[/VERSION]: it is "
	  "built on\nthat one and shares what is equal. Without a key it waits "
	  "for seal. --repack:\ngo on with repack.\n",
	  cmd_publish },
	{ "repack", "ROLE VERSION [--key FILE | --unsigned] [--level N] " TOP,
	  "pack a published version better, in time that nobody else wants",
	  "Takes minutes of a processor, at the lowest priority; machines go "
	  "on "
	  "with the\nversion as it is, and have less to fetch when it is "
	  "done.\n",
	  cmd_repack },
	{ "seal", "ROLE VERSION [--key FILE] " TOP,
	  "sign what waits for it, and make it live",
	  "Needs no more of TOP than the files seal-* and HEAD. A version that "
	  "another key\nsigned is signed anew.\n",
	  cmd_seal },
	{ "versions", "[ROLE] " TOP, "list what is published",
	  "SERIAL grows with each version, and behind the dot with each seal "
	  "of it. PACKED:\nwhat was packed for it. DELTAS: versions that an "
	  "upgrade costs little from.\n",
	  cmd_versions },
	{ "diff", "ROLE VERSION VERSION " TOP,
	  "tell what changed between two versions: packages, files, sizes",
	  NULL, cmd_diff },
	{ "why", "ROLE[/VERSION] PATH " TOP,
	  "tell which versions have a file, and where it comes from",
	  "For each version: type, mode, owner, size and hash, the package it "
	  "belongs to,\nand PACK: the role and version that its content was "
	  "packed for.\n",
	  cmd_why },
	{ "ids", "ROLE[/VERSION] [DIR] [--top DIR]",
	  "print passwd and group of a version, for a build to begin with",
	  "A build that begins with the users of the version before gives them "
	  "the same\nnumbers. With DIR: writes DIR/passwd and DIR/group. "
	  "rsyncd/build-role does this\nby itself with --ids-from VERSION.\n",
	  cmd_ids },
	{ "gc", "[--keep N] [-n] [--now] " TOP,
	  "remove published files that nothing needs",
	  "What an interrupted publish left, seals that were superseded an "
	  "hour "
	  "ago or more\n(--now: at once), and packs that no seal names any "
	  "more. --keep N: of each role\nall but the N newest versions, too. "
	  "-n only tells.\n",
	  cmd_gc },
	{ "fsck", "[ROLE] [--key FILE] " TOP,
	  "look whether all that is published is whole",
	  "Every hash of every live file, and the folders for rsync. FILE: "
	  "public keys, for\nthe signatures; else trees.pub or trees.key.pub "
	  "in "
	  "/etc/edeploy-keys.\nExit 0: whole, 1: not.\n",
	  cmd_fsck },
	{ "pull",
	  "ROLE [VERSION] DIR [--from URL|FOLDER] [--base DIR] [--share copy|"
	  "reflink|link] [--trust FILE] [--ca FILE] [--record DIR] [-n] "
	  "[--strict] "
	  "[--hash-all] [--allow-downgrade] [--json]",
	  "bring a published version into a folder",
	  "From a folder of published trees, or http://HOST/trees; without "
	  "--from from\n/var/lib/edeploy/trees. VERSION: else the newest. "
	  "--base: a folder that holds\nanother version; what is equal is "
	  "shared (link: the same inodes, only where\nnobody writes), what "
	  "changed comes by the cheapest way. Every file is verified;\n"
	  "what is linked and untouched since it was hashed, by --hash-all "
	  "again.\nCalled again it goes on where it was broken. What is in DIR "
	  "and not in the "
	  "tree\nis refused, or removed with --strict. -n tells what would be "
	  "fetched. Keys that\nare believed: --trust, else trees.pub\nor "
	  "trees.key.pub "
	  "in /etc/edeploy-keys. What DIR holds is recorded in\n"
	  "DIR.edeploy (--record).\n",
	  cmd_pull },
	{ "verify", "DIR [--quick] [--trust FILE] [--record DIR] [--json]",
	  "look whether a folder is what was pulled into it",
	  "Every entry: owner, mode, time, attributes, links, content. --quick "
	  "reads no\ncontents. Prints what differs and what is not part of it. "
	  "Exit 0: equal, 1: not.\n",
	  cmd_verify },
};

static const struct cmd_program program = {
	.name = "edeployctl",
	.purpose = "look at an eDeploy site and its machines",
	.more = "check, match, adopt, replay FACTS, and what is about trees "
		"(key to verify) need\nno server. The others ask edeployd over "
		"its unix socket (SOCKET in\n/etc/edeploy.conf). Exit codes: 0 "
		"done, 1 failed, 2 usage.\n",
	.table = commands,
	.len = ARRAY_LEN(commands),
};

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_DFL);
	return cmd_main(&program, argc, argv);
}
