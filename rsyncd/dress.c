/* Owner first: chown takes set-uid bits and capabilities away. Then the mode,
 * then attributes, of which an access ACL sets bits of the mode that agree with
 * it. The time last, since the others move it on some file systems. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base.h"

#include "rsyncd/dress.h"

static void
times_of(const struct manifest_entry *m, struct timespec out[2])
{
	out[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	out[1] = (struct timespec){ .tv_sec = m->mtime_s,
				    .tv_nsec = m->mtime_ns };
}

/* What a new file or folder inherits from a folder with a default ACL: who made
 * the folder did not mean the tree. It goes before chmod, which would set the
 * mask of it instead of the group's bits. */
static const char *const inherited[] = { "system.posix_acl_access",
					 "system.posix_acl_default" };

static size_t
can_inherit(const struct manifest_entry *m)
{
	return m->type == 'd' ? 2 : m->type == 'l' ? 0 : 1;
}

static int
disinherit(int failed, const struct manifest_entry *m, const char *name,
	   struct err *e)
{
	return failed == 0 || errno == ENODATA || errno == EOPNOTSUPP
		       ? 0
		       : err_sys(e, "%s: remove attribute %s", m->path, name);
}

int
dress_fd(int fd, const struct manifest_entry *m, struct err *e)
{
	struct timespec times[2];
	size_t i;

	if (fchown(fd, m->uid, m->gid) < 0)
		return err_sys(e, "%s: give it to %u:%u", m->path, m->uid,
			       m->gid);
	for (i = 0; i < can_inherit(m); i++)
		if (!manifest_has_xattr(m, inherited[i]) &&
		    disinherit(fremovexattr(fd, inherited[i]), m, inherited[i],
			       e) < 0)
			return -1;
	if (fchmod(fd, m->mode) < 0)
		return err_sys(e, "chmod %s", m->path);
	for (i = 0; i < m->xattrs_len; i++)
		if (fsetxattr(fd, m->xattrs[i].name, m->xattrs[i].value,
			      m->xattrs[i].len, 0) < 0)
			return err_sys(e, "%s: set attribute %s", m->path,
				       m->xattrs[i].name);
	times_of(m, times);
	if (futimens(fd, times) < 0)
		return err_sys(e, "set the time of %s", m->path);
	return 0;
}

/* There is no call for attributes beneath a descriptor; /proc names the folder
 * without walking a path that somebody could have changed. */
static int
remove_inherited(int dirfd, const char *base, const struct manifest_entry *m,
		 struct err *e)
{
	AUTO_FREE char *path = base_printf("/proc/self/fd/%d/%s", dirfd, base);
	size_t i;

	for (i = 0; i < can_inherit(m); i++)
		if (!manifest_has_xattr(m, inherited[i]) &&
		    disinherit(lremovexattr(path, inherited[i]), m,
			       inherited[i], e) < 0)
			return -1;
	return 0;
}

static int
set_attributes(int dirfd, const char *base, const struct manifest_entry *m,
	       struct err *e)
{
	AUTO_FREE char *path = base_printf("/proc/self/fd/%d/%s", dirfd, base);
	size_t i;

	for (i = 0; i < m->xattrs_len; i++)
		if (lsetxattr(path, m->xattrs[i].name, m->xattrs[i].value,
			      m->xattrs[i].len, 0) < 0)
			return err_sys(e, "%s: set attribute %s", m->path,
				       m->xattrs[i].name);
	return 0;
}

int
dress_at(int dirfd, const char *base, const struct manifest_entry *m,
	 struct err *e)
{
	struct timespec times[2];

	if (fchownat(dirfd, base, m->uid, m->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "%s: give it to %u:%u", m->path, m->uid,
			       m->gid);
	if (m->type != 'l' && remove_inherited(dirfd, base, m, e) < 0)
		return -1;
	if (m->type != 'l' && fchmodat(dirfd, base, m->mode, 0) < 0)
		return err_sys(e, "chmod %s", m->path);
	if (m->xattrs_len > 0 && set_attributes(dirfd, base, m, e) < 0)
		return -1;
	times_of(m, times);
	if (utimensat(dirfd, base, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "set the time of %s", m->path);
	return 0;
}

static int
make(int dirfd, const char *base, const struct manifest_entry *m)
{
	const dev_t dev = makedev(m->major, m->minor);

	switch (m->type) {
	case 'l':
		return symlinkat(m->link, dirfd, base);
	case 'c':
		return mknodat(dirfd, base, S_IFCHR | 0600, dev);
	case 'b':
		return mknodat(dirfd, base, S_IFBLK | 0600, dev);
	default:
		return mkfifoat(dirfd, base, 0600);
	}
}

int
dress_make(int dirfd, const char *base, const struct manifest_entry *m,
	   struct err *e)
{
	if (make(dirfd, base, m) < 0)
		return err_sys(e, "create %s", m->path);
	return dress_at(dirfd, base, m, e);
}
