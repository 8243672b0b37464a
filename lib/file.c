/* Files, and the one promise that matters here: file_replace leaves either the
 * old bytes or the new ones, also after a power cut. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/remove.h"

static int
read_all(int fd, const char *path, size_t max, struct buf *b, struct err *e)
{
	for (;;) {
		size_t step = 65536;
		ssize_t n = read(fd, buf_room(b, step), step);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read %s", path);
		if (n == 0)
			break;
		b->len += (size_t)n;
		if (b->len > max)
			return err_set(e, ERR_INPUT,
				       "%s: larger than %zu bytes", path, max);
	}
	buf_room(b, 0)[0] = '\0';
	return 0;
}

int
file_read(const char *path, size_t max, char **text, size_t *len, struct err *e)
{
	AUTO_CLEAR(buf) b = { 0 };
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (read_all(fd, path, max, &b, e) < 0)
		return -1;
	if (!len && strlen(buf_text(&b)) != b.len)
		return err_set(e, ERR_INPUT, "%s: has a NUL byte", path);
	if (len)
		*len = b.len;
	*text = buf_take(&b);
	return 0;
}

ssize_t
fd_pread_all(int fd, void *at, size_t room, off_t from)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = pread(fd, (char *)at + len, room - len,
				  from + (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

int
fd_write_all(int fd, const void *bytes, size_t len, struct err *e)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "write");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static char *
dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return base_strdup(".");
	return base_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int
sync_dir_of(const char *path, struct err *e)
{
	AUTO_FREE char *dir = dir_of(path);
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open %s", dir);
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", dir);
	return 0;
}

int
fd_look_like(int fd, const struct stat *like)
{
	if (fchown(fd, like->st_uid, like->st_gid) < 0) {
		if (geteuid() == 0)
			return -1;
		(void)!fchown(fd, (uid_t)-1, like->st_gid);
	}
	return fchmod(fd, like->st_mode & 07777);
}

/* Mode and owner of the file that is replaced. */
static int
keep_look(int fd, const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return fd_look_like(fd, &st) < 0 ? err_sys(e, "chown %s", path)
						 : 0;
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "chmod %s", path);
	return 0;
}

int
file_replace(const char *path, const void *bytes, size_t len, mode_t mode,
	     struct err *e)
{
	AUTO_FREE char *fresh = base_printf("%s.new.XXXXXX", path);
	AUTO_CLOSE int fd = mkostemp(fresh, O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "create %s", fresh);
	if (keep_look(fd, path, mode, e) < 0)
		goto unlink_fresh;
	if (fd_write_all(fd, bytes, len, e) < 0) {
		err_add(e, "%s", path);
		goto unlink_fresh;
	}
	if (fsync(fd) < 0) {
		err_sys(e, "fsync %s", fresh);
		goto unlink_fresh;
	}
	if (rename(fresh, path) < 0) {
		err_sys(e, "rename %s", path);
		goto unlink_fresh;
	}
	return sync_dir_of(path, e);

unlink_fresh:
	unlink(fresh);
	return -1;
}

static int
put(const char *path, int flags, const void *bytes, size_t len, mode_t mode,
    struct err *e)
{
	AUTO_CLOSE int fd =
		open(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fd_write_all(fd, bytes, len, e) < 0)
		return err_add(e, "%s", path);
	return 0;
}

int
file_write(const char *path, const void *bytes, size_t len, mode_t mode,
	   struct err *e)
{
	AUTO_FREE char *dir = dir_of(path);

	if (dir_make(dir, 0755, e) < 0)
		return -1;
	return put(path, O_TRUNC, bytes, len, mode, e);
}

int
file_append(const char *path, const void *bytes, size_t len, mode_t mode,
	    struct err *e)
{
	return put(path, O_APPEND, bytes, len, mode, e);
}

int
dir_make(const char *path, mode_t mode, struct err *e)
{
	AUTO_FREE char *part = base_strdup(path);
	struct stat st;
	char *slash;

	for (slash = part + 1; *part && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST)
			return err_sys(e, "mkdir %s", part);
		*slash = '/';
	}
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", path);
	if (stat(path, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_SYS, "%s: not a directory", path);
	return 0;
}

bool
file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool
dir_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

char *
file_line(const char *root, const char *path)
{
	AUTO_FREE char *full = base_printf("%s%s", root, path);
	AUTO_CLOSE int fd = open(full, O_RDONLY | O_CLOEXEC);
	char line[4096];
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, line, sizeof(line) - 1);
	if (n < 0)
		return NULL;
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	for (n = (ssize_t)strlen(line); n > 0 && strchr(" \t\r", line[n - 1]);)
		line[--n] = '\0';
	return base_strdup(line);
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
dir_remove(const char *path, struct err *e)
{
	return remove_all(AT_FDCWD, path, path, e);
}

char **
dir_names(const char *path)
{
	DIR *dir = opendir(path);
	char **names;
	struct dirent *d;
	size_t len = 0;
	int bad;

	if (!dir)
		return NULL;
	names = base_array(1, sizeof(*names));
	for (errno = 0; (d = readdir(dir)); errno = 0) {
		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		names = base_resize(names, len + 2, sizeof(*names));
		names[len++] = base_strdup(d->d_name);
		names[len] = NULL;
	}
	bad = errno;
	closedir(dir);
	if (bad) {
		names_free(names);
		errno = bad;
		return NULL;
	}
	qsort(names, len, sizeof(*names), by_bytes);
	return names;
}

int
dir_list(const char *path, char ***names, struct err *e)
{
	*names = dir_names(path);
	if (!*names && errno != ENOENT)
		return err_sys(e, "%s", path);
	if (!*names)
		*names = base_array(1, sizeof(**names));
	return 0;
}

void
names_free(char **names)
{
	size_t i;

	for (i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

bool
name_is_safe(const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t n = strspn(name, good);

	return n > 0 && n <= 64 && name[n] == '\0' && name[0] != '.';
}
