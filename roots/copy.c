/* One file from a root into another. Contents are copied by the kernel, which
 * shares blocks where it can; holes stay holes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/dress.h"

#include "roots/copy.h"

/* `len` bytes from where `from` stands, by the kernel where it can. */
static int
copy_run(int from, int to, off_t len, const char *path, struct err *e)
{
	char bytes[65536];

	while (len > 0) {
		ssize_t n =
			copy_file_range(from, NULL, to, NULL, (size_t)len, 0);

		if (n < 0 && (errno == EXDEV || errno == EINVAL ||
			      errno == EOPNOTSUPP)) {
			n = read(from, bytes,
				 sizeof(bytes) < (size_t)len ? sizeof(bytes)
							     : (size_t)len);
			if (n > 0 && fd_write_all(to, bytes, (size_t)n, e) < 0)
				return err_add(e, "copy %s", path);
		}
		if (n < 0)
			return err_sys(e, "copy %s", path);
		if (n == 0)
			return err_set(e, ERR_REFUSED,
				       "%s became shorter while it was copied",
				       path);
		len -= n;
	}
	return 0;
}

/* Holes stay holes. */
static int
copy_bytes(int from, int to, const char *path, struct err *e)
{
	off_t at = 0, end = lseek(from, 0, SEEK_END), hole;

	if (end < 0 || ftruncate(to, end) < 0)
		return err_sys(e, "copy %s", path);
	while (at < end && (at = lseek(from, at, SEEK_DATA)) >= 0) {
		hole = lseek(from, at, SEEK_HOLE);
		if (hole < 0 || lseek(from, at, SEEK_SET) < 0 ||
		    lseek(to, at, SEEK_SET) < 0)
			return err_sys(e, "copy %s", path);
		if (copy_run(from, to, hole - at, path, e) < 0)
			return -1;
		at = hole;
	}
	/* ENXIO: nothing but a hole is left */
	return at < 0 && errno != ENXIO ? err_sys(e, "copy %s", path) : 0;
}

int
copy_file(int from_top, int parent, const char *base,
	  const struct manifest_entry *m, struct err *e)
{
	/* whoever owns the folder may have put a pipe in its place */
	AUTO_CLOSE int from =
		open_beneath(from_top, m->path, O_RDONLY | O_NONBLOCK, 0);
	AUTO_CLOSE int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(e, "%s", m->path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_REFUSED,
			       "%s is no file any more: it changed while it "
			       "was copied",
			       m->path);
	unlinkat(parent, COPY_TEMPORARY, 0);
	to = openat(parent, COPY_TEMPORARY,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(e, "create %s", m->path);
	if (copy_bytes(from, to, m->path, e) < 0 || dress_fd(to, m, e) < 0)
		return -1;
	if (renameat(parent, COPY_TEMPORARY, parent, base) < 0)
		return err_sys(e, "%s", m->path);
	return 0;
}
