/* The straight path on the machine, top to bottom in run(). Each stage is one
 * function from what is known to what is known next; what goes wrong rises to
 * deploy_main(), which tells it once and does what ONFAILURE says. */
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "lib/clock.h"
#include "lib/cmd.h"
#include "lib/file.h"

#include "agent/boot.h"
#include "agent/deploy.h"
#include "agent/detect.h"
#include "agent/finish.h"
#include "agent/kexec.h"
#include "agent/net.h"
#include "agent/own.h"
#include "agent/tree.h"

#define TELL_PATIENCE_MS (10 * 60 * 1000)
#define HOST_COMMAND "/usr/sbin/edeploy"
#define RAM_MAGIC 0x858458f6L
#define TMPFS_MAGIC_ 0x01021994L

/* ---- what the stages say ---- */

static void
say(void *ctx, const char *line)
{
	const struct deploy *d = ctx;

	journal_line(d->journal, "%s", line);
}

static void
output(void *ctx, const char *bytes, size_t len)
{
	const struct deploy *d = ctx;

	journal_bytes(d->journal, bytes, len);
}

static void
tick(void *ctx)
{
	const struct deploy *d = ctx;

	tell_tick(d->tell);
}

static int
proc_tick_tell(void *ctx)
{
	tick(ctx);
	return 0;
}

static void
phase(struct deploy *d, const char *name, const char *text)
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
		.say = say,
		.ctx = d,
	};

	phase(d, "network", "looking for a way to the server");
	return net_up(&o, e);
}

static int
detect_facts(struct deploy *d, struct err *e)
{
	struct detect_notes notes = { 0 };
	char *at, *line;
	int bad;

	phase(d, "detect", "looking at the hardware");
	d->facts = facts_new();
	bad = detect("", d->facts, &notes, e);
	for (at = notes.lines.at; (line = strsep(&at, "\n"));)
		if (*line)
			journal_line(d->journal, "detect: %s", line);
	detect_notes_clear(&notes);
	if (bad)
		return -1;
	if (d->words.fakeipmi)
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

	phase(d, "ask", "what shall this machine become?");
	if (ask(&a, &d->answer, say, d, e) < 0)
		return -1;
	tell_token(d->tell, d->answer.token);
	journal_line(d->journal, "machine %s, profile %s", d->answer.machine,
		     d->answer.profile ? d->answer.profile
				       : "none: boots its disk");
	return 0;
}

/* ---- the tree ---- */

static void
show_progress(void *ctx, const struct tree_progress *p)
{
	struct deploy *d = ctx;
	const struct progress told = { "tree", p->percent, p->bytes,
				       p->bytes_per_s, p->eta_s };

	tell_progress(d->tell, &told);
	if (clock_boot_ms() - d->progress_ms < 1000)
		return;
	d->progress_ms = clock_boot_ms();
	journal_line(d->journal,
		     "tree: %.0f%%, %.1f MB at %.1f MB/s, %lld s left",
		     p->percent, (double)p->bytes / 1e6,
		     (double)p->bytes_per_s / 1e6, (long long)p->eta_s);
}

static void
override_role(struct deploy *d, struct plan *p)
{
	if (d->words.os) {
		free(p->role);
		p->role = base_strdup(d->words.os);
	}
	if (d->words.os_ver) {
		free(p->version);
		p->version = base_strdup(d->words.os_ver);
	}
	if (d->words.os || d->words.os_ver)
		journal_line(d->journal, "OS and OS_VER make it %s %s", p->role,
			     p->version);
}

static int
pull_tree(struct deploy *d, const struct plan *p, struct err *e)
{
	const char *path = d->words.rpath;
	AUTO_FREE char *url = base_printf(
		"rsync://%s:%u/%s/%s/%s/", d->words.rserv, d->words.rserv_port,
		path + strspn(path, "/"), p->version, p->role);
	AUTO_FREE char *into = base_printf("%s/", d->layout.root);
	const struct tree_opts o = { .url = url,
				     .into = into,
				     .progress = show_progress,
				     .tick = tick,
				     .say = say,
				     .ctx = d };

	phase(d, "tree", url);
	return tree_pull(&o, e);
}

static int
look_at_disks(struct deploy *d, const struct plan *p, struct err *e)
{
	size_t i;

	if (layout_plain(&d->layout, CHROOT, p->disk, e) < 0)
		return -1;
	for (i = 0; i < p->mounts_len; i++)
		if (layout_know(&d->layout, p->mounts[i].node,
				p->mounts[i].where, p->mounts[i].fstype,
				p->mounts[i].options, e) < 0)
			return -1;
	return 0;
}

/* ---- the machine's own files, the boot loader ---- */

static int
make_own(struct deploy *d, const struct own *o, struct err *e)
{
	journal_line(d->journal, "files of the script, fstab, conf");
	if (own_copy_files(o, e) < 0 || own_write(o, e) < 0)
		return -1;
	sync();
	tick(d);
	return 0;
}

/* Text between the pipes, what the script said, and where this kernel talks
 * when neither says it: a machine without a screen must not fall silent. */
static char *
boot_args(const struct deploy *d, const struct plan *p)
{
	AUTO_CLEAR(buf) args = { 0 };

	buf_str(&args, d->words.boot_args);
	if (*p->grub_options)
		buf_printf(&args, "%s%s", args.len ? " " : "", p->grub_options);
	if (!strstr(buf_text(&args), "console=") && *d->words.consoles)
		buf_printf(&args, "%s%s", args.len ? " " : "",
			   d->words.consoles);
	return buf_take(&args);
}

static int
make_bootable(struct deploy *d, const struct plan *p, struct err *e)
{
	AUTO_FREE char *args = boot_args(d, p);
	AUTO_FREE char *title = base_printf("%s %s", p->role, p->version);
	const struct boot_opts o = { .layout = &d->layout,
				     .args = args,
				     .title = title,
				     .output = output,
				     .tick = proc_tick_tell,
				     .say = say,
				     .ctx = d };

	phase(d, "boot", d->layout.disk);
	if (boot_args_check(args, "boot arguments", e) < 0)
		return -1;
	return boot_install(&o, e);
}

static int
install(struct deploy *d, struct plan *p, struct err *e)
{
	const struct own o = { .layout = &d->layout,
			       .words = &d->words,
			       .role = p->role,
			       .version = p->version,
			       .profile = d->answer.profile,
			       .machine = d->answer.machine,
			       .post_rsync = POST_RSYNC,
			       .modules = p->modules,
			       .facts = buf_text(&d->facts_json),
			       .script = buf_text(&d->answer.script),
			       .journal = journal_path(d->journal),
			       .command = HOST_COMMAND,
			       .say = say,
			       .ctx = d };

	if (look_at_disks(d, p, e) < 0 || pull_tree(d, p, e) < 0 ||
	    make_own(d, &o, e) < 0 || make_bootable(d, p, e) < 0)
		return -1;
	phase(d, "finish", "the disk is complete");
	if (d->words.onsuccess == ACTION_KEXEC &&
	    kexec_load(d->layout.root, d->words.kexec_kernel, d->words.consoles,
		       e) < 0)
		return -1;
	return own_write_log(&o, e);
}

/* ---- the run ---- */

static int
check_plan(const struct plan *p, struct err *e)
{
	if (!p->role || !p->version || !p->disk)
		return err_set(e, ERR_INPUT,
			       "the script ended without "
			       "set_role(role, version, disk)");
	if (!name_is_safe(p->role) || !name_is_safe(p->version))
		return err_set(e, ERR_INPUT,
			       "set_role: role and version are names of at "
			       "most 64 letters, digits and ._-");
	if (!str_starts(p->disk, "/dev/"))
		return err_set(e, ERR_INPUT,
			       "set_role: the disk is a node below /dev, not "
			       "\"%.80s\"",
			       p->disk);
	return 0;
}

/* An installed machine: its disk boots as it is. Firmware would only bring it
 * here again, so its kernel is started from here. */
static enum action
boot_own_disk(struct deploy *d)
{
	struct err e = { 0 };

	phase(d, "boot", "this machine is installed: its own disk, unchanged");
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
	struct plan p = { 0 };
	int bad;

	*action = d->words.onsuccess;
	if (bring_network(d, e) < 0 || detect_facts(d, e) < 0 ||
	    ask_server(d, e) < 0)
		return -1;
	phase(d, "script", "running what the server sent");
	bad = deploy_script(d, &p, details, e);
	if (!bad && p.boot_local) {
		*action = boot_own_disk(d);
	} else if (!bad) {
		override_role(d, &p);
		bad = check_plan(&p, e) < 0 || install(d, &p, e) < 0;
	}
	plan_clear(&p);
	return bad ? -1 : 0;
}

/* What was mounted is unmounted before the machine goes on: last things reach
 * the disk, and a failure in that is told. */
static void
leave_disks(struct deploy *d)
{
	struct layout l = { .top = (char *)(uintptr_t)CHROOT };
	struct err e = { 0 };

	if (layout_leave(&l, &e) < 0)
		journal_line(d->journal, "%s (all was written: sync was done)",
			     e.text);
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
	if (tell_finish(d->tell, TELL_PATIENCE_MS, say, d, &e) < 0)
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
		leave_disks(&d);
	report(&d, bad, &action, details, &e);
	if (bad)
		leave_disks(&d);
	finish(action, d.journal);
}
