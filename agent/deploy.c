/* The straight path on the machine, top to bottom in run(). Each stage is one
 * function from what is known to what is known next; what goes wrong rises to
 * deploy_main(), which tells it once and does what ONFAILURE says. */
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "lib/cmd.h"
#include "lib/file.h"

#include "agent/deploy.h"
#include "agent/detect.h"
#include "agent/finish.h"
#include "agent/kexec.h"
#include "agent/net.h"
#include "agent/script.h"

#define TELL_PATIENCE_MS (10 * 60 * 1000)
#define RAM_MAGIC 0x858458f6L
#define TMPFS_MAGIC_ 0x01021994L

/* ---- what the stages say ---- */

void
deploy_say(void *ctx, const char *line)
{
	const struct deploy *d = ctx;

	journal_line(d->journal, "%s", line);
}

void
deploy_output(void *ctx, const char *bytes, size_t len)
{
	const struct deploy *d = ctx;

	journal_bytes(d->journal, bytes, len);
}

void
deploy_tick(void *ctx)
{
	const struct deploy *d = ctx;

	tell_tick(d->tell);
}

int
deploy_proc_tick(void *ctx)
{
	deploy_tick(ctx);
	return 0;
}

void
deploy_phase(struct deploy *d, const char *name, const char *text)
{
	journal_line(d->journal, "%s: %s", name, text);
	tell_phase(d->tell, name);
	tell_tick(d->tell);
}

/* ---- words ---- */

static int
read_words(struct deploy *d, const char *path, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (file_read(path, WORDS_MAX_BYTES, &text, NULL, e) < 0) {
		struct err ignored;

		/* the defaults still say what to do now */
		words_parse(&d->words, "", &ignored);
		return -1;
	}
	return words_parse(&d->words, text, e);
}

static void
say_warnings(struct deploy *d)
{
	size_t i;

	for (i = 0; i < d->words.warnings->list.len; i++)
		journal_line(d->journal, "warning: %s",
			     d->words.warnings->list.at[i]->str.at);
}

/* ---- network, detect, ask ---- */

static int
bring_network(struct deploy *d, struct err *e)
{
	const struct net_opts o = {
		.ip = d->words.ip,
		.link_up_timeout_s = d->words.link_up_timeout_s,
		.server = d->words.serv,
		.server_port = d->words.http_port,
		.say = deploy_say,
		.ctx = d,
	};

	deploy_phase(d, "network", "looking for a way to the server");
	return net_up(&o, e);
}

static int
detect_facts(struct deploy *d, struct err *e)
{
	struct detect_notes notes = { 0 };
	char *at, *line;
	int bad;

	deploy_phase(d, "detect", "looking at the hardware");
	d->facts = facts_new();
	bad = detect("", d->facts, &notes, e);
	for (at = notes.lines.at; (line = strsep(&at, "\n"));)
		if (*line)
			journal_line(d->journal, "detect: %s", line);
	detect_notes_clear(&notes);
	if (bad)
		return -1;
	/* a word of --cmdline FILE, which no probe reads */
	if (d->words.fakeipmi &&
	    !facts_find(d->facts, "system", "ipmi-fake", "channel"))
		facts_add(d->facts, "system", "ipmi-fake", "channel", "0");
	facts_to_json(d->facts, &d->facts_json);
	journal_line(d->journal, "detect: %zu facts", facts_len(d->facts));
	return 0;
}

static int
ask_server(struct deploy *d, struct err *e)
{
	AUTO_FREE char *url = words_url(&d->words, "");
	const struct ask a = { .url = url,
			       .section = d->words.section,
			       .run = d->run,
			       .facts = buf_text(&d->facts_json),
			       .facts_len = d->facts_json.len };

	deploy_phase(d, "ask", "what shall this machine become?");
	if (ask(&a, &d->answer, deploy_say, d, e) < 0)
		return -1;
	tell_token(d->tell, d->answer.token);
	journal_line(d->journal, "machine %s, profile %s", d->answer.machine,
		     d->answer.profile ? d->answer.profile
				       : "none: boots its disk");
	return 0;
}

/* ---- the script ---- */

static void
script_phase(void *ctx, const char *name)
{
	deploy_phase(ctx, name, "the script writes to disks");
}

/* What tells this machine from every other, in the same words at each of its
 * runs: what the script leaves on disks is recognised by it. The id alone
 * repeats from store to store, and what a store that was lost or restored knew
 * as installed must not look free to its successor. */
static char *
identity_of(const struct deploy *d)
{
	const char *uuid = facts_find(d->facts, "system", "product", "uuid");
	const char *serial =
		facts_find(d->facts, "system", "product", "serial");

	return base_printf("%s %s %s %s", d->answer.memory, d->answer.machine,
			   uuid ? uuid : "", serial ? serial : "");
}

/* The parts of a failed command, for the report. */
static struct value *
failure_details(const struct script_failure *f)
{
	struct value *v = value_dict();

	if (f->command) {
		value_set_str(v, "command", f->command);
		value_set_int(v, "status", f->status);
		value_set_str(v, "tail", f->tail ? f->tail : "");
	}
	if (f->file)
		value_set_str(v, "file", f->file);
	if (f->line)
		value_set_int(v, "line", f->line);
	return v;
}

static int
run_script(struct deploy *d, struct script_result *out, struct value **details,
	   struct err *e)
{
	AUTO_FREE char *identity = identity_of(d);
	const struct script_env env = { .identity = identity,
					.chroot = CHROOT,
					.post_rsync = POST_RSYNC,
					.sys_root = "",
					.say = deploy_say,
					.output = deploy_output,
					.phase = script_phase,
					.tick = deploy_proc_tick,
					.ctx = d };

	deploy_phase(d, "script", "running what the server sent");
	if (dir_make(CHROOT, 0755, e) < 0)
		return -1;
	if (script_run(&env, d->answer.profile ? d->answer.profile : "answer",
		       buf_text(&d->answer.script), d->answer.script.len, out,
		       e) == 0)
		return 0;
	*details = failure_details(&out->failure);
	return -1;
}

/* ---- the run ---- */

/* An installed machine: its disk boots as it is. Firmware would only bring it
 * here again, so its kernel is started from here. */
static enum action
boot_own_disk(struct deploy *d)
{
	struct err e = { 0 };

	deploy_phase(d, "boot",
		     "this machine is installed: its own disk, unchanged");
	if (kexec_load_local(d->answer.machine, d->words.kexec_kernel,
			     d->words.consoles, &e) == 0)
		return ACTION_LOCAL;
	journal_line(d->journal,
		     "its disk cannot be started from here: %s. Set the "
		     "firmware to boot the disk first; rebooting in 30 s",
		     e.text);
	tell_message(d->tell, e.text);
	sleep(30);
	return ACTION_REBOOT;
}

static int
run(struct deploy *d, enum action *action, struct value **details,
    struct err *e)
{
	struct script_result p = { 0 };
	int bad;

	*action = d->words.onsuccess;
	if (bring_network(d, e) < 0 || detect_facts(d, e) < 0 ||
	    ask_server(d, e) < 0)
		return -1;
	bad = run_script(d, &p, details, e);
	if (!bad && p.boot_local) {
		*action = boot_own_disk(d);
	} else if (!bad) {
		bad = install_tree(d, &p, e) < 0;
	}
	script_result_clear(&p);
	return bad ? -1 : 0;
}

/* What was mounted is unmounted before the machine goes on. A disk that GRUB
 * may not be able to read is no installed disk. */
static int
leave_disks(struct err *e)
{
	const struct layout l = { .top = (char *)(uintptr_t)CHROOT };

	return layout_leave(&l, e);
}

static void
report(struct deploy *d, int bad, enum action *action, struct value *details,
       const struct err *why)
{
	struct err e = { 0 };

	if (bad) {
		*action = d->words.onfailure;
		journal_line(d->journal, "FAILED: %s", why->text);
		tell_failed(d->tell, why->text, details);
	} else {
		journal_line(d->journal, "DONE: %s", action_name(*action));
		tell_done(d->tell, action_name(*action));
	}
	if (tell_finish(d->tell, TELL_PATIENCE_MS, deploy_say, d, &e) < 0)
		journal_line(d->journal, "%s", e.text);
}

/* Disks of the machine that it runs on are this program's to overwrite, so it
 * starts only where the root file system is memory. */
static int
in_initrd(void)
{
	struct statfs st;

	return statfs("/", &st) == 0 &&
	       (st.f_type == RAM_MAGIC || st.f_type == TMPFS_MAGIC_);
}

static int
start(struct deploy *d, struct err *e)
{
	AUTO_FREE char *url = NULL;

	setenv("PATH",
	       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
	       "/sbin:/bin",
	       1);
	signal(SIGPIPE, SIG_IGN);
	token_make(d->run);
	if (journal_open(&d->journal, JOURNAL_PATH, STDOUT_FILENO, e) < 0)
		return -1;
	url = words_url(&d->words, "");
	d->tell = tell_new(url, d->run,
			   d->words.upload_log ? JOURNAL_PATH : NULL);
	return 0;
}

int
deploy_main(int argc, char **argv)
{
	struct deploy d = { 0 };
	const char *cmdline = "/proc/cmdline";
	struct value *details = NULL;
	struct err words_err = { 0 }, e = { 0 };
	enum action action = ACTION_CONSOLE;
	int bad;

	if (argc == 3 && str_eq(argv[1], "--cmdline"))
		cmdline = argv[2];
	else if (argc != 1) {
		fprintf(stderr, "usage: edeploy-agent deploy [--cmdline "
				"FILE]\n");
		return CMD_USAGE;
	}
	if (!in_initrd()) {
		fprintf(stderr,
			"edeploy-agent: deploy overwrites disks and runs in "
			"the initrd only; \"edeploy-agent detect\" prints "
			"facts here\n");
		return CMD_FAILED;
	}
	bad = read_words(&d, cmdline, &words_err);
	if (start(&d, &e) < 0) {
		fprintf(stderr, "edeploy-agent: %s\n", e.text);
		return CMD_FAILED;
	}
	journal_line(d.journal, "edeploy-agent %s, run %s", EDEPLOY_VERSION,
		     d.run);
	say_warnings(&d);
	if (bad)
		e = words_err;
	else
		bad = run(&d, &action, &details, &e);
	if (bad == 0)
		bad = leave_disks(&e);
	report(&d, bad, &action, details, &e);
	if (bad && leave_disks(&e) < 0)
		journal_line(d.journal, "%s", e.text);
	finish(action, d.journal);
}
