/* pivot_root on a running system. The new root is put together on a tmpfs
 * that nobody sees; what is mounted on the old root is bound into it, whole.
 * Up to the one call that moves everybody, all can be thrown away.
 *
 * Two traps of mount propagation: what is changed below a bound copy of a
 * shared mount changes the original too, so that such copies are made private
 * first; and detaching the old root would tear its mounts out of the name
 * spaces of services, so that it is made private before that. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/mounts.h"

#include "roots/live.h"

#define TOP "/edeploy"
#define STAGE TOP "/sysroot"
#define NEW STAGE "/r"

static int
step(const struct live_opts *o, const char *what, struct err *e)
{
	if (o->step && o->step(o->ctx, what) != 0)
		return err_set(e, ERR_REFUSED, "stopped before: %s", what);
	return 0;
}

/* Who may not even look at pid 1's mounts does not have them either. */
static int
check_namespace(struct err *e)
{
	struct stat ours, first;

	if (stat("/proc/self/ns/mnt", &ours) == 0 &&
	    stat("/proc/1/ns/mnt", &first) == 0 && ours.st_ino == first.st_ino)
		return 0;
	return err_set(e, ERR_REFUSED,
		       "this shell's mounts are not those of the system (a "
		       "container, or a service with protections): log in to "
		       "the host itself, as root");
}

/* ---- putting it together ---- */

/* A bind copies the flags of the mount that it is seen through, and /edeploy
 * keeps setuid programs and devices from working. */
static int
free_flags(const char *place, unsigned long flags, struct err *e)
{
	if (mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return err_sys(e, "%s", place);
	return 0;
}

/* What somebody has set on "/", fstab for example. */
static unsigned long
root_flags(void)
{
	static const struct {
		unsigned long is, set;
	} rows[] = {
		{ ST_RDONLY, MS_RDONLY },     { ST_NOSUID, MS_NOSUID },
		{ ST_NODEV, MS_NODEV },       { ST_NOEXEC, MS_NOEXEC },
		{ ST_NOATIME, MS_NOATIME },   { ST_NODIRATIME, MS_NODIRATIME },
		{ ST_RELATIME, MS_RELATIME },
	};
	unsigned long flags = 0;
	struct statvfs fs;
	size_t i;

	if (statvfs("/", &fs) < 0)
		return MS_RELATIME;
	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (fs.f_flag & rows[i].is)
			flags |= rows[i].set;
	return flags ? flags : MS_STRICTATIME;
}

static int
make_stage(const char *version, struct err *e)
{
	AUTO_FREE char *root = base_printf(TOP "/roots/%s", version);

	if (mount("edeploy", STAGE, "tmpfs", 0, "mode=0700") < 0)
		return err_sys(e, "tmpfs on " STAGE);
	/* pivot_root refuses a parent that is shared */
	if (mount(NULL, STAGE, NULL, MS_PRIVATE, NULL) < 0 ||
	    mkdir(NEW, 0755) < 0 || mount(root, NEW, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, NEW, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, "%s", root);
	return free_flags(NEW, root_flags(), e);
}

/* A place for what is mounted at `where`: a directory, or an empty file. */
static int
make_place(const char *where, const char *place, struct err *e)
{
	struct stat st;

	if (stat(where, &st) < 0)
		return err_sys(e, "%s", where);
	if (S_ISDIR(st.st_mode))
		return dir_make(place, 0755, e);
	if (file_exists(place))
		return 0;
	return file_write(place, "", 0, 0644, e);
}

static int
bind_into(const char *from, const char *where, unsigned long rec, struct err *e)
{
	AUTO_FREE char *place = base_printf(NEW "%s", where);

	if (make_place(from, place, e) < 0)
		return -1;
	if (mount(from, place, NULL, MS_BIND | rec, NULL) < 0)
		return err_sys(e, "%s on %s", from, place);
	return 0;
}

/* A place of the version that is left: its own directory, or the machine's. */
static bool
is_place(const struct mount_row *m)
{
	AUTO_FREE char *state = base_printf(TOP "/state%s", m->where);
	const char *root = strstr(m->from, TOP "/roots/");
	const char *own =
		root ? strchr(root + strlen(TOP "/roots/"), '/') : NULL;

	return str_ends(m->from, state) || (own && str_eq(own, m->where));
}

/* Somebody else's, or the version that is entered has it, too, and of the same
 * class. Modules are those of the kernel that goes on. */
static bool
is_kept(const struct live_opts *o, const struct mount_row *m)
{
	bool state = strstr(m->from, TOP "/state/") != NULL;
	size_t i;

	if (!is_place(m) || strstr(m->where, "/lib/modules/"))
		return true;
	for (i = 0; i < o->places->len; i++)
		if (str_eq(o->places->at[i].path, m->where + 1))
			return o->places->at[i].state == state;
	return false;
}

static bool
is_mounted(const struct live_opts *o, const struct mounts *m, const char *where)
{
	size_t i;

	for (i = 0; i < m->len; i++)
		if (str_eq(m->at[i].where, where) && is_kept(o, &m->at[i]))
			return true;
	return false;
}

static int
root_id(const struct mounts *m)
{
	const struct mount_row *root = mounts_root(m);

	return root ? root->id : -1;
}

/* Below a state place that the old version had as its own folder: mounted once
 * that is. */
static bool
comes_later(const struct live_opts *o, const struct mounts *m,
	    const char *where)
{
	size_t i;

	for (i = 0; i < o->places->len; i++) {
		const struct enter_place *p = &o->places->at[i];
		AUTO_FREE char *place = base_printf("/%s", p->path);

		if (p->state && path_is_below(where + 1, p->path) &&
		    !is_mounted(o, m, place))
			return true;
	}
	return false;
}

/* What stands directly on the old root goes along, with all below it. */
static int
carry_over(const struct live_opts *o, const struct mounts *m, struct err *e)
{
	int root = root_id(m);
	size_t i;

	for (i = 0; i < m->len; i++) {
		const char *where = m->at[i].where;
		bool ours = str_eq(where, TOP);

		if (m->at[i].parent != root || str_eq(where, "/") ||
		    comes_later(o, m, where))
			continue;
		/* ours without what is below: that is where we build */
		if (step(o, where, e) < 0 ||
		    bind_into(where, where, ours ? 0 : MS_REC, e) < 0)
			return -1;
	}
	return 0;
}

static int
put_later(const struct mounts *m, const char *place, struct err *e)
{
	int root = root_id(m);
	size_t i;

	for (i = 0; i < m->len; i++)
		if (m->at[i].parent == root &&
		    path_is_below(m->at[i].where, place) &&
		    bind_into(m->at[i].where, m->at[i].where, MS_REC, e) < 0)
			return -1;
	return 0;
}

/* The version's own place below a state one, or a state place that the old
 * version had not. */
static int
put_place(const struct live_opts *o, const struct mounts *m,
	  const struct enter_place *p, struct err *e)
{
	AUTO_FREE char *where = base_printf("/%s", p->path);
	AUTO_FREE char *place = base_printf(NEW "/%s", p->path);
	AUTO_FREE char *from =
		p->state ? base_printf(TOP "/state/%s", p->path)
			 : base_printf(TOP "/roots/%s/%s", o->version, p->path);

	if (p->state && is_mounted(o, m, where))
		return 0;
	if (step(o, where, e) < 0 || dir_make(from, 0755, e) < 0)
		return -1;
	/* the old version's */
	if (!p->state && is_mounted(o, m, where) &&
	    umount2(place, MNT_DETACH) < 0)
		return err_sys(e, "unmount %s", place);
	if (bind_into(from, where, 0, e) < 0)
		return -1;
	/* what comes below it is not for what it is a copy of */
	if (mount(NULL, place, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, "%s", place);
	if (free_flags(place, 0, e) < 0)
		return -1;
	return p->state ? put_later(m, where, e) : 0;
}

/* Something is exchanged there, or taken away. */
static bool
changes_below(const struct live_opts *o, const struct mounts *m,
	      const char *where)
{
	size_t i;

	for (i = 0; i < o->places->len; i++)
		if (path_is_below(o->places->at[i].path, where + 1))
			return true;
	for (i = 0; i < m->len; i++)
		if (path_is_below(m->at[i].where, where) &&
		    !is_kept(o, &m->at[i]))
			return true;
	return false;
}

/* Copies below which something changes must not be shared any more. */
static int
part_copies(const struct live_opts *o, const struct mounts *m, struct err *e)
{
	size_t i;

	for (i = 0; i < m->len; i++) {
		AUTO_FREE char *copy = base_printf(NEW "%s", m->at[i].where);

		if (m->at[i].parent == root_id(m) && m->at[i].where[1] &&
		    changes_below(o, m, m->at[i].where) &&
		    mount(NULL, copy, NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			return err_sys(e, "%s", copy);
	}
	return 0;
}

/* Somebody's own mount on or below row `i`. */
static const struct mount_row *
covers(const struct live_opts *o, const struct mounts *m, size_t i)
{
	size_t k;

	for (k = i + 1; k < m->len; k++)
		if (path_is_within(m->at[k].where, m->at[i].where) &&
		    is_kept(o, &m->at[k]))
			return &m->at[k];
	return NULL;
}

/* What the old version had for a place and this one has not, or in another
 * class. Innermost first, as it was mounted last. */
static int
drop_places(const struct live_opts *o, const struct mounts *m, struct err *e)
{
	size_t i;

	for (i = m->len; i-- > 0;) {
		const char *where = m->at[i].where;
		AUTO_FREE char *copy = base_printf(NEW "%s", where);
		const struct mount_row *theirs;

		if (is_kept(o, &m->at[i]))
			continue;
		theirs = covers(o, m, i);
		if (theirs)
			return err_set(e, ERR_REFUSED,
				       "%s is mounted on or below %s, which is "
				       "of another class in %s",
				       theirs->where, where, o->version);
		if (step(o, where, e) < 0)
			return -1;
		/* one that is covered has come along with nothing */
		if (umount2(copy, MNT_DETACH) < 0 && errno != EINVAL)
			return err_sys(e, "unmount %s", copy);
	}
	return 0;
}

/* systemd wants mounts that are shared; the copies that were parted are
 * shared among themselves anew, and what was private stays so. Places of this
 * version are as its root is. */
static void
share_again(const struct live_opts *o, const struct mounts *m)
{
	const struct mount_row *root = mounts_root(m);
	size_t i;

	for (i = 0; i < m->len; i++) {
		AUTO_FREE char *copy = base_printf(NEW "%s", m->at[i].where);

		if (m->at[i].shared && &m->at[i] != root)
			mount(NULL, copy, NULL, MS_SHARED, NULL);
	}
	for (i = 0; root && root->shared && i < o->places->len; i++) {
		AUTO_FREE char *copy =
			base_printf(NEW "/%s", o->places->at[i].path);

		mount(NULL, copy, NULL, MS_SHARED, NULL);
	}
}

static int
put_together(const struct live_opts *o, const struct mounts *m, struct err *e)
{
	size_t i;

	if (step(o, "a place to build the root", e) < 0 ||
	    make_stage(o->version, e) < 0 || carry_over(o, m, e) < 0 ||
	    part_copies(o, m, e) < 0 || drop_places(o, m, e) < 0)
		return -1;
	for (i = 0; i < o->places->len; i++)
		if (put_place(o, m, &o->places->at[i], e) < 0)
			return -1;
	/* as roots/enter.h does it */
	if (mount(NULL, NEW TOP, NULL,
		  MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL) < 0)
		return err_sys(e, NEW TOP);
	share_again(o, m);
	return enter_check_init(NEW, e);
}

/* ---- the move ---- */

static int
move_all(const struct live_opts *o, struct err *e)
{
	struct err ignored;

	if (step(o, "the move", e) < 0)
		return -1;
	if (chdir(NEW) < 0)
		return err_sys(e, NEW);
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "pivot_root to %s", o->version);
	/* No way back from here, and none is needed: what may fail below
	 * leaves more mounted than there has to be. */
	step(o, "the old root", &ignored);
	live_finish(&ignored);
	if (chdir("/") < 0)
		assert(!"pivot_root left no root");
	return 0;
}

/* Without its disk a copy of it would wait for that, and of one that is in use
 * only what is mounted over it would come along, which systemd unmounts when
 * the automount itself is gone. */
char *
live_automount(void)
{
	AUTO_CLEAR(mounts) m = { 0 };
	const struct mount_row *root;
	struct err ignored;
	size_t i;

	if (mounts_read(&m, &ignored) < 0)
		return NULL;
	root = mounts_root(&m);
	for (i = 0; root && i < m.len; i++)
		if (m.at[i].parent == root->id &&
		    str_eq(m.at[i].fstype, "autofs"))
			return base_strdup(m.at[i].where);
	return NULL;
}

int
live_switch(const struct live_opts *o, struct err *e)
{
	AUTO_CLEAR(mounts) m = { 0 };
	AUTO_FREE char *automount = NULL;
	struct err ignored;

	if (check_namespace(e) < 0)
		return -1;
	automount = live_automount();
	if (automount)
		return err_set(e, ERR_REFUSED,
			       "%s is an automount, which cannot be moved",
			       automount);
	if (live_finish(e) < 0 || mounts_read(&m, e) < 0)
		return -1;
	if (put_together(o, &m, e) < 0 || move_all(o, e) < 0) {
		if (chdir("/") == 0) /* not below what is taken away */
			live_finish(&ignored);
		return -1;
	}
	return 0;
}
