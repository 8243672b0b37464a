/* Fetching and settling; what is merged and carried over is beside this. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "roots/accounts.h"
#include "roots/grub.h"
#include "roots/kernel.h"
#include "roots/local.h"
#include "roots/top.h"

#include "host/show.h"
#include "host/stage.h"

char *
stage_dir(const struct stage *s)
{
	return versioned_beside(s->on, s->to, s->settled ? "" : ".new");
}

void
stage_note(struct stage *s, const char *path, const char *what)
{
	show_row(s->notes, path, what);
}

int
stage_open(struct stage *s, const struct host *h, const struct versioned *on,
	   const char *to, struct err *e)
{
	AUTO_FREE char *local = versioned_beside(on, on->running, ".local");

	*s = (struct stage){
		.host = h, .on = on, .to = to, .notes = value_list()
	};
	if (!h->conf.tree)
		return err_set(e, ERR_REFUSED,
			       "%s says nowhere where trees are published: "
			       "add TREE=http://SERVER:PORT/trees",
			       CONF_PATH);
	if (versioned_record(on, on->running, &s->was_seal, &s->was, e) < 0)
		return -1;
	return local_read(&s->local, local, e);
}

void
stage_clear(struct stage *s)
{
	classes_clear(&s->classes);
	stage_own_clear(s);
	seal_free(s->was_seal);
	seal_free(s->will_seal);
	manifest_free(s->was);
	manifest_free(s->will);
	manifest_free(s->local);
	value_free(s->notes);
	*s = (struct stage){ 0 };
}

/* ---- fetching ---- */

struct fetching {
	struct classes classes;
	struct show show;
};

static enum pull_share
share_of(void *ctx, const char *path)
{
	const struct fetching *f = ctx;

	switch (classes_of(&f->classes, path)) {
	case CLASS_MERGED:
		return PULL_COPY;
	case CLASS_STATE:
		return PULL_LINK; /* seen by nobody: state is mounted over it */
	default:
		return str_starts(path, "var/") ? PULL_REFLINK : PULL_LINK;
	}
}

static void
on_progress(void *ctx, const struct pull_progress *p)
{
	struct fetching *f = ctx;

	show_progress(&f->show, p);
}

static int
on_tick(void *ctx)
{
	(void)ctx;
	return show_stopped();
}

static void
on_say(void *ctx, const char *line)
{
	struct fetching *f = ctx;

	show_line(&f->show, line);
}

static int
run_pull(struct stage *s, bool dry_run, struct err *e)
{
	AUTO_FREE char *into = stage_dir(s);
	AUTO_FREE char *record = versioned_beside(s->on, s->to, ".record");
	AUTO_FREE char *base = versioned_root(s->on, s->on->running);
	AUTO_FREE char *was =
		versioned_beside(s->on, s->on->running, ".record");
	struct sign_trust trust;
	struct fetching f = { 0 };
	const struct pull_opts o = {
		.source = { .where = s->host->conf.tree,
			    .tick = on_tick,
			    .say = on_say,
			    .ctx = &f },
		.trust = &trust,
		.role = s->host->conf.role,
		.version = s->to,
		.into = into,
		.base = base,
		.base_record = was,
		.record = record,
		.share_of = share_of,
		.allow_downgrade = s->allow_downgrade,
		.dry_run = dry_run,
		/* what is entered was read, wholly */
		.hash_all = true,
		.strict = true,
		.tree = dry_run ? &s->will : NULL,
		.progress = on_progress,
		.ctx = &f,
	};
	int bad;

	if (versioned_trust(s->on, &trust, e) < 0)
		return -1;
	bad = classes_of_root(&f.classes, base, e);
	show_begin(&f.show, s->host->json);
	if (bad == 0)
		bad = pull(&o, &s->pulled, e);
	show_end(&f.show);
	classes_clear(&f.classes);
	if (bad && strstr(e->text, "not published"))
		return err_set(e, ERR_PEER,
			       "%s %s is not published at %s: \"edeploy "
			       "list\" shows the newest",
			       s->host->conf.role, s->to, s->host->conf.tree);
	if (bad && show_stopped())
		return err_set(e, ERR_REFUSED,
			       "stopped by a signal; the same command goes on "
			       "where it was");
	return bad;
}

static int
read_will(struct stage *s, struct err *e)
{
	AUTO_FREE char *record = versioned_beside(s->on, s->to, ".record");
	struct sign_trust trust;

	if (versioned_trust(s->on, &trust, e) < 0)
		return -1;
	if (record_read(record, &trust, &s->will_seal, &s->will, e) == 1)
		return 0;
	return e->kind ? -1 : err_set(e, ERR_SYS, "%s is gone", record);
}

int
stage_look(struct stage *s, struct err *e)
{
	if (run_pull(s, true, e) < 0)
		return -1;
	return s->will ? 0 : read_will(s, e);
}

int
stage_room(const struct stage *s, uint64_t *bytes, struct err *e)
{
	AUTO_FREE char *base = versioned_root(s->on, s->on->running);
	AUTO(contents) was = contents_of(s->was);
	struct fetching f = { 0 };
	int bad = classes_of_root(&f.classes, base, e);
	size_t i;

	*bytes = 0;
	for (i = 0; !bad && i < s->will->len; i++) {
		const struct manifest_entry *x = &s->will->entry[i];

		if (x->type == 'f' && (share_of(&f, x->path) != PULL_LINK ||
				       !contents_find(was, &x->hash)))
			*bytes += (x->size + 4095) / 4096 * 4096;
	}
	classes_clear(&f.classes);
	return bad;
}

/* What an earlier call left is looked at wholly: files of it were merged. */
static void
distrust_leftover(const struct stage *s)
{
	AUTO_FREE char *seal = versioned_beside(s->on, s->to, ".record/seal");

	unlink(seal);
}

int
stage_fetch(struct stage *s, struct err *e)
{
	distrust_leftover(s);
	return run_pull(s, false, e) < 0 ? -1 : read_will(s, e);
}

/* ---- settling ---- */

/* How the running version starts is how this machine starts. */
static int
read_args(const struct stage *s, char **args, struct err *e)
{
	AUTO_CLEAR(grub_version) v = { 0 };

	if (grub_load_version(&v, s->on->top, s->on->running, e) < 0)
		return -1;
	*args = STEAL(v.args);
	return 0;
}

static int
add_to_top(const struct stage *s, struct err *e)
{
	AUTO_FREE char *root = versioned_root(s->on, s->to);
	AUTO_FREE char *kernel = NULL;
	AUTO_FREE char *initrd = NULL;
	AUTO_FREE char *args = NULL;

	if (read_args(s, &args, e) < 0 ||
	    kernel_find_both(root, &kernel, &initrd, e) < 0)
		return -1;
	return top_add(
		s->on->top,
		&(struct top_version){ s->to, kernel, initrd, args, &s->own },
		e);
}

struct adding {
	const struct stage *s;
	struct classes classes;
};

/* In merged folders what was added once stays so; everything else is people's
 * work, and is to be seen as that by the next upgrade. */
static bool
is_peoples(void *ctx, const char *path)
{
	const struct adding *a = ctx;

	if (stage_own_has(a->s, path))
		return true;
	return classes_of(&a->classes, path) == CLASS_MERGED &&
	       (!a->s->local || !manifest_find(a->s->local, path));
}

static int
write_local(const struct stage *s, const char *dir, struct err *e)
{
	AUTO_FREE char *path = versioned_beside(s->on, s->to, ".local");
	struct adding a = { .s = s };
	AUTO(manifest) local = NULL;
	int bad = classes_of_root(&a.classes, dir, e);

	if (bad == 0)
		bad = local_make(&local, dir, s->will, is_peoples, &a, e);
	classes_clear(&a.classes);
	return bad < 0 ? -1 : local_write(local, path, e);
}

int
stage_sync(const char *dir, struct err *e)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || syncfs(fd) < 0 ? err_sys(e, "sync %s", dir) : 0;
}

int
stage_settle(struct stage *s, struct err *e)
{
	AUTO_FREE char *from = stage_dir(s);
	AUTO_FREE char *root = versioned_root(s->on, s->to);

	if (write_local(s, from, e) < 0 || stage_sync(from, e) < 0)
		return -1;
	/* a root of that name is whole */
	if (rename(from, root) < 0)
		return err_sys(e, "%s", root);
	s->settled = true;
	if (add_to_top(s, e) < 0)
		return -1;
	return stage_sync(s->on->dir, e);
}
