/* The order: all of /edeploy, durable and where GRUB sees it; boot.cfg; one
 * sector of grub.cfg. What is left of a call that was ended is made anew. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "lib/file.h"
#include "lib/mounts.h"
#include "lib/remove.h"

#include "roots/classes.h"
#include "roots/flush.h"
#include "roots/grub.h"
#include "roots/kernel.h"
#include "roots/live.h"
#include "roots/seed.h"
#include "roots/state.h"
#include "roots/top.h"

#include "host/convert.h"

#define DIR "/edeploy"
#define RECORD "/var/lib/edeploy/tree"
#define SPARE_BYTES (64ULL * 1024 * 1024)

extern const char edeploy_init_start[], edeploy_init_end[];

struct converting {
	struct convert *c;
	const char *version;
	int top;
	struct mounts mounts;
	struct classes classes;
	struct manifest *tree;   /* as it was published; NULL: nobody knows */
	struct enter_places own; /* what no version brought in the top */
	char *uuid, *kernel, *initrd, *args;
	const char *cfg;
};

static void
converting_clear(struct converting *x)
{
	if (x->top >= 0)
		close(x->top);
	mounts_clear(&x->mounts);
	classes_clear(&x->classes);
	manifest_free(x->tree);
	enter_places_clear(&x->own);
	free(x->uuid);
	free(x->kernel);
	free(x->initrd);
	free(x->args);
}

static int
step(const struct converting *x, const char *what, struct err *e)
{
	if (x->c->step && x->c->step(x->c->ctx, what) != 0)
		return err_set(e, ERR_REFUSED, "stopped before: %s", what);
	return 0;
}

static int
refuse(const char *why, struct err *e)
{
	return err_set(e, ERR_REFUSED,
		       "%s. Nothing was changed; this host stays one plain "
		       "root",
		       why);
}

/* ---- what it boots now ---- */

/* Superblock of ext4. Owned. */
static char *
read_uuid(const struct mounts *m, const char *sys, struct err *e)
{
	const struct mount_row *root = NULL;
	AUTO_FREE char *dir = NULL;
	AUTO_FREE char *node = NULL;
	AUTO_CLOSE int fd = -1;
	unsigned char u[16];
	char *link, real[4096];
	ssize_t len;
	size_t i;

	for (i = 0; i < m->len; i++)
		if (str_eq(m->at[i].where, "/"))
			root = &m->at[i];
	assert(root);
	dir = base_printf("%s/dev/block/%u:%u", sys, root->major, root->minor);
	len = readlink(dir, real, sizeof(real) - 1);
	real[len < 0 ? 0 : len] = '\0';
	link = strrchr(real, '/');
	node = base_printf("/dev/%s", link ? link + 1 : "?");
	fd = open(node, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, u, sizeof(u), 1024 + 104) != sizeof(u)) {
		err_sys(e, "%s, the disk of /", node);
		return NULL;
	}
	return base_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			   "%02x%02x%02x%02x%02x%02x",
			   u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8],
			   u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

/* Said by whoever boots, not by whoever configures. */
static bool
is_boot_loaders(const char *word)
{
	static const char *const heads[] = { "BOOT_IMAGE=", "root=", "init=",
					     "initrd=", "edeploy." };
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		if (str_starts(word, heads[i]))
			return true;
	return str_eq(word, "ro") || str_eq(word, "rw") || !*word;
}

static int
read_start(struct converting *x, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLEAR(buf) args = { 0 };
	struct utsname u;
	struct err why = { 0 };
	char *at, *word;

	uname(&u);
	if (kernel_find("", u.release, &x->kernel, &x->initrd, e) < 0)
		return err_add(e, "the kernel that runs is %s", u.release);
	if (!x->initrd)
		return err_set(e, ERR_REFUSED,
			       "%s has no initrd, and a kernel alone cannot "
			       "find its root by UUID: make one",
			       x->kernel);
	if (file_read("/proc/cmdline", STATE_LINE_MAX, &text, NULL, e) < 0)
		return -1;
	for (at = text; (word = strsep(&at, " \n"));)
		if (!is_boot_loaders(word))
			buf_printf(&args, "%s%s", args.len ? " " : "", word);
	x->args = buf_take(&args);
	return grub_args_check(x->args, "/proc/cmdline", &why) < 0
		       ? refuse(why.text, e)
		       : 0;
}

/* ---- may it be? ---- */

static int
check_name(const struct converting *x, struct err *e)
{
	struct state s;

	if (!versioned_name_ok(x->version))
		return err_set(e, ERR_INPUT, "\"%.60s\" is not a version",
			       x->version);
	if (!file_exists(DIR "/boot.cfg"))
		return 0;
	if (state_read(&s, DIR, e) < 0)
		return -1;
	/* "plain" runs again: its version was not well, and may be made anew */
	if (str_eq(s.good, CONVERT_PLAIN))
		return 0;
	return refuse(
		"/edeploy holds versions already; when nothing of them is "
		"wanted any more, remove /edeploy/boot.cfg first",
		e);
}

/* Is it plain at all? */
static int
check_plain(const struct converting *x, struct err *e)
{
	static const char roots[] = "/edeploy/roots/";
	size_t i;

	/* the last mount there is what is seen */
	for (i = x->mounts.len; i-- > 0;)
		if (str_eq(x->mounts.at[i].where, "/"))
			break;
	if (i == (size_t)-1 || !str_starts(x->mounts.at[i].from, roots))
		return 0;
	return err_set(e, ERR_REFUSED,
		       "this host holds versions already, and %s runs: "
		       "\"edeploy status\" tells more; nothing was changed",
		       x->mounts.at[i].from + strlen(roots));
}

static int
check_room(const struct converting *x, struct err *e)
{
	unsigned long long want, have;
	struct statvfs fs;

	if (convert_tree(x->top, NULL, &x->classes, &x->own, &want, e) < 0)
		return -1;
	if (statvfs("/", &fs) < 0)
		return err_sys(e, "/");
	want += SPARE_BYTES;
	have = (unsigned long long)fs.f_bavail * fs.f_frsize;
	if (want > have)
		return err_set(e, ERR_REFUSED,
			       "%llu MB are needed and %llu MB are free: make "
			       "room first; nothing was changed",
			       want / 1000000 + 1, have / 1000000);
	return 0;
}

/* Of a conversion that was killed in its move: "/edeploy" on itself. */
static int
drop_own_mount(struct converting *x, struct err *e)
{
	bool found = false;
	size_t i;

	for (i = 0; i < x->mounts.len; i++)
		if (str_eq(x->mounts.at[i].where, DIR) &&
		    str_eq(x->mounts.at[i].from, DIR)) {
			umount2(DIR, MNT_DETACH);
			found = true;
		}
	if (!found)
		return 0;
	mounts_clear(&x->mounts);
	return mounts_read(&x->mounts, e);
}

static int
look(struct converting *x, struct err *e)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_FREE char *why = NULL;

	if (live_finish(e) < 0 || mounts_read(&x->mounts, e) < 0 ||
	    check_plain(x, e) < 0 || drop_own_mount(x, e) < 0 ||
	    classes_of_root(&x->classes, "", e) < 0)
		return -1;
	why = convert_unfit(&x->mounts, &x->classes, x->c->sys);
	if (why)
		return refuse(why, e);
	x->cfg = convert_find_cfg();
	if (!x->cfg)
		return refuse("there is no /boot/grub/grub.cfg: it does not "
			      "boot by GRUB",
			      e);
	x->uuid = read_uuid(&x->mounts, x->c->sys, e);
	if (!x->uuid || check_name(x, e) < 0 || read_start(x, e) < 0 ||
	    enter_check_init("/", e) < 0 ||
	    classes_places(&x->classes, "", &places, e) < 0)
		return -1;
	x->top = convert_open_top(e);
	return x->top < 0 ? -1 : check_room(x, e);
}

/* ---- /edeploy ---- */

static int
find_places(const struct converting *x, const char *root,
	    struct enter_places *out, struct err *e)
{
	size_t i;

	if (classes_places(&x->classes, root, out, e) < 0)
		return -1;
	for (i = 0; i < x->own.len; i++)
		enter_places_add(out, true, x->own.at[i].path);
	return 0;
}

static int
link_states(const struct converting *x, const char *root, struct err *e)
{
	AUTO_CLEAR(enter_places) places = { 0 };
	size_t i;

	if (find_places(x, root, &places, e) < 0)
		return -1;
	for (i = 0; i < places.len; i++)
		if (places.at[i].state &&
		    convert_link(places.at[i].path, e) < 0)
			return -1;
	return 0;
}

static int
add_record(struct converting *x, struct err *e)
{
	AUTO_FREE char *root = top_root("", x->version);
	AUTO_FREE char *to = base_printf("%s.record", root);

	if (step(x, "the record", e) < 0 || dir_remove(to, e) < 0 ||
	    (file_exists(RECORD "/seal") && seed(RECORD, to, e) < 0))
		return -1;
	if (x->c->record && x->c->record(x->c->ctx, to, &x->tree, e) < 0)
		return -1;
	return x->tree ? convert_own_find(x->top, x->tree, &x->classes, &x->own,
					  e)
		       : 0;
}

static int
make_root(const struct converting *x, struct err *e)
{
	AUTO_FREE char *root = top_root("", x->version);
	AUTO_FREE char *fresh = base_printf("%s.new", root);
	unsigned long long bytes;

	if (step(x, "the root", e) < 0 ||
	    remove_locked(AT_FDCWD, fresh, fresh, e) < 0 ||
	    (x->tree &&
	     convert_own_adopt(x->top, x->version, x->tree, e) < 0) ||
	    remove_locked(AT_FDCWD, root, root, e) < 0 ||
	    convert_tree(x->top, fresh + 1, &x->classes, &x->own, &bytes, e) <
		    0)
		return -1;
	if (x->c->complete && x->c->complete(x->c->ctx, fresh, e) < 0)
		return -1;
	return rename(fresh, root) < 0 ? err_sys(e, "%s", root) : 0;
}

/* How GRUB goes back: the last init= counts. */
static int
add_plain(const struct converting *x, struct err *e)
{
	AUTO_FREE char *args = base_printf("%s init=/sbin/init", x->args);
	AUTO_CLEAR(buf) text = { 0 };

	if (grub_print_version(x->kernel, x->initrd, args, &text, e) < 0)
		return -1;
	return file_replace(DIR "/roots/" CONVERT_PLAIN ".grub", text.at,
			    text.len, 0644, e);
}

static int
add_boot(const struct converting *x, struct err *e)
{
	struct top_boot b = { .uuid = x->uuid,
			      .module = "ext2",
			      .init = DIR "/init.new" };

	if (file_write(b.init, edeploy_init_start,
		       (size_t)(edeploy_init_end - edeploy_init_start), 0755,
		       e) < 0 ||
	    top_boot("", &b, e) < 0)
		return -1;
	if (unlink(b.init) < 0)
		return err_sys(e, "%s", b.init);
	return top_name("", CONVERT_PLAIN, e);
}

static int
arm(const struct converting *x, struct err *e)
{
	struct state s;

	if (state_read(&s, DIR, e) < 0 ||
	    state_arm(&s, x->version, STATE_TRIES, e) < 0)
		return -1;
	return state_write(&s, DIR, e);
}

/* What an earlier conversion left is booted by nothing from here on. */
static int
forget(const struct converting *x, struct err *e)
{
	if (step(x, "the old menu", e) < 0 || convert_restore(x->cfg, e) < 0)
		return -1;
	if (unlink(DIR "/boot.cfg") < 0 && errno != ENOENT)
		return err_sys(e, DIR "/boot.cfg");
	return 0;
}

static int
add_local(const struct converting *x, const char *root, struct err *e)
{
	return x->c->local ? x->c->local(x->c->ctx, root, x->tree, e) : 0;
}

static int
build(struct converting *x, struct err *e)
{
	struct top_version v = { .version = x->version,
				 .kernel = x->kernel,
				 .initrd = x->initrd,
				 .args = x->args,
				 .own = &x->own };
	AUTO_FREE char *root = top_root("", x->version);

	if (x->cfg)
		convert_tidy(x->cfg);
	if (forget(x, e) < 0 || step(x, "the top", e) < 0 ||
	    top_make("", e) < 0 || add_record(x, e) < 0 ||
	    make_root(x, e) < 0 || step(x, "the state", e) < 0 ||
	    link_states(x, root, e) < 0 || step(x, "how it starts", e) < 0 ||
	    top_add("", &v, e) < 0)
		return -1;
	/* by now all is in the root that is not the version's */
	if (add_local(x, root, e) < 0 || step(x, "what starts it", e) < 0 ||
	    add_plain(x, e) < 0 || add_boot(x, e) < 0)
		return -1;
	if (step(x, "the trial", e) < 0 || arm(x, e) < 0 ||
	    step(x, "grub.cfg", e) < 0)
		return -1;
	return convert_redirect(x->cfg, x->uuid, e);
}

/* ---- at once ---- */

/* From here on edits belong to the version, and not to a copy that was left. */
static int
enter_live(const struct converting *x, struct err *e)
{
	AUTO_FREE char *root = top_root("", x->version);
	AUTO_CLEAR(enter_places) places = { 0 };
	struct live_opts o = { .version = x->version, .places = &places };
	const char *covered;

	if (find_places(x, root, &places, e) < 0)
		return -1;
	covered = convert_covered(&x->mounts, &places);
	if (covered)
		return err_set(e, ERR_REFUSED,
			       "%s is mounted below the machine's state",
			       covered);
	/* as in a version, where it is a mount of its own */
	if (mount(DIR, DIR, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, DIR);
	if (live_switch(&o, e) == 0)
		return 0;
	umount2(DIR, MNT_DETACH);
	return -1;
}

int
convert(const struct host *h, struct convert *c, struct err *e)
{
	AUTO_CLEAR(converting)
	x = { .c = c, .version = h->conf.version, .top = -1 };
	struct err why = { 0 };

	c->live = false;
	c->why_not = NULL;
	if (*h->root)
		return err_set(e, ERR_REFUSED,
			       "only a system that runs can be converted");
	if (look(&x, e) < 0 || build(&x, e) < 0)
		return -1;
	if (c->at_boot || step(&x, "the move", &why) < 0 ||
	    enter_live(&x, &why) < 0)
		c->why_not = base_strdup(c->at_boot ? "" : why.text);
	c->live = !c->why_not;
	return 0;
}
