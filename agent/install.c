/* From a script that ended well to a disk that boots: the tree, what makes it
 * this machine's own, and the boot loader last. */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/file.h"

#include "roots/grub.h"
#include "roots/top.h"

#include "agent/boot.h"
#include "agent/deploy.h"
#include "agent/install.h"
#include "agent/kexec.h"
#include "agent/own.h"
#include "agent/script.h"
#include "agent/tree.h"

#define HOST_COMMAND "/usr/sbin/edeploy"

/* ---- the tree ---- */

static void
show_progress(void *ctx, const struct tree_progress *p)
{
	struct deploy *d = ctx;
	const struct progress told = { "tree", p->percent, p->bytes,
				       p->bytes_per_s, p->eta_s };
	char left[32];

	tell_progress(d->tell, &told);
	if (clock_boot_ms() - d->progress_ms < 1000)
		return;
	d->progress_ms = clock_boot_ms();
	if (p->eta_s < 0)
		snprintf(left, sizeof(left), "reckoning");
	else
		snprintf(left, sizeof(left), "%lld s left",
			 (long long)p->eta_s);
	journal_line(d->journal, "tree: %.0f%%, %.1f MB at %.1f MB/s, %s",
		     p->percent, (double)p->bytes / 1e6,
		     (double)p->bytes_per_s / 1e6, left);
}

static void
override_role(struct deploy *d, struct script_result *p)
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

/* Where it comes from decides with the disks how it will lie there. */
static int
bring(struct deploy *d, const struct script_result *p, struct tree_opts *o,
      struct err *e)
{
	AUTO_FREE char *record = NULL;
	int there = tree_published(o, e);

	if (there < 0 || install_divide(d, p, there, e) < 0)
		return -1;
	record = install_record(&d->layout);
	o->into = d->layout.root;
	o->record = record;
	if (tree_bring(o, there, e) < 0)
		return -1;
	d->tree = there ? base_strdup(o->choice->trees) : NULL;
	return there ? install_keep(d, e) : 0;
}

static int
pull_tree(struct deploy *d, const struct script_result *p, struct err *e)
{
	struct tree_choice choice;
	struct tree_opts o = { .choice = &choice,
			       .role = p->role,
			       .version = p->version,
			       .trust = TREE_TRUST,
			       .progress = show_progress,
			       .tick = deploy_tick,
			       .say = deploy_say,
			       .ctx = d };
	int bad;

	tree_choose(&d->words, p->tree_from, p->role, p->version, &choice);
	deploy_phase(d, "tree", choice.trees ? choice.trees : choice.other);
	bad = bring(d, p, &o, e);
	tree_choice_clear(&choice);
	return bad;
}

static int
look_at_disks(struct deploy *d, const struct script_result *p, struct err *e)
{
	size_t i;

	if (layout_plain(&d->layout, CHROOT, p->disk, e) < 0)
		return -1;
	for (i = 0; i < p->mounts_len; i++) {
		const struct script_mount *m = &p->mounts[i];

		layout_know(&d->layout, &(struct layout_mount){
						m->node, m->where, m->fstype,
						m->options, m->uuid });
	}
	if (layout_check(&d->layout, e) < 0)
		return -1;
	return boot_check_firmware(&d->layout, "", e);
}

/* ---- the machine's own files, the boot loader ---- */

static int
make_own(struct deploy *d, const struct own *o, struct err *e)
{
	journal_line(d->journal, "files of the script, fstab, conf");
	if (own_copy_files(o, e) < 0 || own_write(o, e) < 0)
		return -1;
	sync();
	deploy_tick(d);
	return 0;
}

/* Text between the pipes, what the script said, and where this kernel talks
 * when neither says it: a machine without a screen must not fall silent. */
static char *
boot_args(const struct deploy *d, const struct script_result *p)
{
	AUTO_CLEAR(buf) args = { 0 };

	buf_str(&args, d->words.boot_args);
	if (*p->grub_options)
		buf_printf(&args, "%s%s", args.len ? " " : "", p->grub_options);
	if (p->metadata_url)
		buf_printf(&args, "%sds=nocloud-net;s=%s", args.len ? " " : "",
			   p->metadata_url);
	if (!strstr(buf_text(&args), "console=") && *d->words.consoles)
		buf_printf(&args, "%s%s", args.len ? " " : "",
			   d->words.consoles);
	return buf_take(&args);
}

static int
make_bootable(struct deploy *d, const struct script_result *p, struct err *e)
{
	AUTO_FREE char *args = boot_args(d, p);
	AUTO_FREE char *title = base_printf("%s %s", p->role, p->version);
	const struct boot_opts o = { .layout = &d->layout,
				     .args = args,
				     .title = title,
				     .init = INSTALL_INIT,
				     .output = deploy_output,
				     .tick = deploy_proc_tick,
				     .say = deploy_say,
				     .ctx = d };

	deploy_phase(d, "boot", d->layout.disk);
	if (grub_args_check(args, "boot arguments", e) < 0 ||
	    (d->layout.version && layout_settle(&d->layout, args, e) < 0))
		return -1;
	return boot_install(&o, e);
}

static int
load_kernel(const struct deploy *d, struct err *e)
{
	const struct layout *l = &d->layout;

	if (l->version)
		return kexec_load_good(l->top, l->mounts[0].uuid,
				       d->words.kexec_kernel, d->words.consoles,
				       e);
	return kexec_load(l->root, d->words.kexec_kernel, d->words.consoles, e);
}

static int
check_plan(const struct script_result *p, struct err *e)
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

/* What is borrowed here stays until the run ends. */
static struct own
own_of(struct deploy *d, const struct script_result *p)
{
	return (struct own){ .layout = &d->layout,
			     .words = &d->words,
			     .role = p->role,
			     .version = p->version,
			     .profile = d->answer.profile,
			     .machine = d->answer.machine,
			     .post_rsync = POST_RSYNC,
			     .modules = p->modules,
			     .passwords = p->passwords,
			     .facts = buf_text(&d->facts_json),
			     .script = buf_text(&d->answer.script),
			     .journal = journal_path(d->journal),
			     .command = HOST_COMMAND,
			     .trust = TREE_TRUST,
			     .say = deploy_say,
			     .ctx = d };
}

/* Only what is whole, down to the notes that upgrades need, may boot. */
static int
name_it(const struct deploy *d, struct err *e)
{
	const struct layout *l = &d->layout;

	if (layout_sync(l, e) < 0)
		return -1;
	return l->version ? top_name(l->top, l->version, e) : boot_name(l, e);
}

int
install_tree(struct deploy *d, struct script_result *p, struct err *e)
{
	struct own o;

	override_role(d, p); /* before anybody borrows role and version */
	o = own_of(d, p);
	if (check_plan(p, e) < 0 || look_at_disks(d, p, e) < 0 ||
	    pull_tree(d, p, e) < 0)
		return -1;
	o.tree = d->tree;
	if (make_own(d, &o, e) < 0 || make_bootable(d, p, e) < 0 ||
	    (d->tree && install_note(d, e) < 0) || name_it(d, e) < 0)
		return -1;
	deploy_phase(d, "finish", "the disk is complete");
	if (d->words.onsuccess == ACTION_KEXEC && load_kernel(d, e) < 0)
		return -1;
	if (own_write_log(&o, e) < 0)
		return -1;
	return layout_sync(&d->layout, e);
}
