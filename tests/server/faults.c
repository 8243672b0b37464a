/* A disk that fails when a test says so: preloaded into edeployd, it counts the
 * calls that change files below one folder, and lets one of them, or all from
 * one on, fail with an error, or kills the process in the middle of it. The
 * test reads and writes `struct faults` in the file that EDEPLOY_FAULTS names;
 * tests/server/faults.py has the same layout. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS /* open() and open64() are two names here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KILL (-1)

struct faults {
	atomic_int on;
	int at;    /* the call that fails, from 1 on */
	int error; /* an errno, or KILL */
	int stay;  /* all behind it fail, too: the disk stays full */
	atomic_int calls, hits;
	atomic_uint noted; /* bytes of `note` */
	/* the first sync waits until this is 0; calls count from there */
	atomic_int held;
	char under[480];  /* files whose path starts with this; a$: is a */
	char note[15872]; /* a line for each call */
};

_Static_assert(sizeof(struct faults) == 16384, "faults.py knows this layout");

static struct faults *faults;

__attribute__((constructor)) static void
map_faults(void)
{
	const char *path = getenv("EDEPLOY_FAULTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0)
		return;
	at = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	close(fd);
	if (at != MAP_FAILED)
		faults = at;
}

static void *
next_of(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void
note(const char *call, const char *path)
{
	const char *base = strrchr(path, '/');
	char line[200];
	unsigned len = (unsigned)snprintf(line, sizeof(line), "%s %.100s\n",
					  call, base ? base + 1 : path);
	unsigned at = atomic_fetch_add(&faults->noted, len);

	if (at + len < sizeof(faults->note))
		memcpy(faults->note + at, line, len);
}

static bool
is_meant(const char *path)
{
	size_t len = strlen(faults->under);

	if (len > 0 && faults->under[len - 1] == '$')
		return strlen(path) == len - 1 &&
		       strncmp(path, faults->under, len - 1) == 0;
	return strncmp(path, faults->under, len) == 0;
}

/* A sync that takes long: what comes meanwhile is one group behind it. */
static void
wait_while_held(void)
{
	while (atomic_load(&faults->held))
		usleep(20000);
}

/* 0: go on; else how it fails. */
static int
strike(const char *call, const char *path)
{
	int n;

	if (!faults || !atomic_load(&faults->on) || !is_meant(path))
		return 0;
	if (atomic_load(&faults->held)) {
		if (strcmp(call, "fdatasync") == 0)
			wait_while_held();
		return 0;
	}
	n = atomic_fetch_add(&faults->calls, 1) + 1;
	note(call, path);
	if (faults->at == 0 || n < faults->at ||
	    (n > faults->at && !faults->stay))
		return 0;
	atomic_fetch_add(&faults->hits, 1);
	return faults->error;
}

static int
fail(int error)
{
	if (error == KILL)
		kill(getpid(), SIGKILL);
	errno = error;
	return -1;
}

static int
strike_fd(const char *call, int fd)
{
	char link[64], path[4096];
	ssize_t n;

	if (!faults || !atomic_load(&faults->on))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return 0;
	path[n] = '\0';
	return strike(call, path);
}

static int
strike_at(const char *call, int dir, const char *name)
{
	char link[64], path[4096];
	ssize_t n;

	if (!faults || !atomic_load(&faults->on))
		return 0;
	if (*name == '/')
		return strike(call, name);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = readlink(link, path, sizeof(path) - 300);
	if (n < 0)
		return 0;
	snprintf(path + n, 300, "/%.280s", name);
	return strike(call, path);
}

/* ---- open ---- */

static int
open_named(const char *symbol, int dir, const char *path, int flags,
	   mode_t mode)
{
	int (*real)(int, const char *, int, ...) = next_of(symbol);
	int error = strike_at("open", dir, path);

	return error ? fail(error) : real(dir, path, flags, mode);
}

static mode_t
mode_of(int flags, va_list ap)
{
	bool made = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;

	return made ? va_arg(ap, mode_t) : 0;
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_named("openat", AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_named("openat64", AT_FDCWD, path, flags, mode);
}

int
openat(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_named("openat", dir, path, flags, mode);
}

int
openat64(int dir, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_named("openat64", dir, path, flags, mode);
}

/* What the fortified open() calls. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);

int
__open_2(const char *path, int flags)
{
	return open_named("openat", AT_FDCWD, path, flags, 0);
}

int
__open64_2(const char *path, int flags)
{
	return open_named("openat64", AT_FDCWD, path, flags, 0);
}

int
__openat_2(int dir, const char *path, int flags)
{
	return open_named("openat", dir, path, flags, 0);
}

int
__openat64_2(int dir, const char *path, int flags)
{
	return open_named("openat64", dir, path, flags, 0);
}

/* ---- write: half of it is there when it fails ---- */

static bool
is_torn(int error)
{
	return error == ENOSPC || error == KILL;
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	ssize_t (*real)(int, const void *, size_t) = next_of("write");
	int error = strike_fd("write", fd);

	if (!error)
		return real(fd, bytes, len);
	if (is_torn(error) && real(fd, bytes, len / 2) < 0)
		return -1;
	return fail(error);
}

static ssize_t
pwrite_named(const char *symbol, int fd, const void *bytes, size_t len,
	     off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) = next_of(symbol);
	int error = strike_fd("pwrite", fd);

	if (!error)
		return real(fd, bytes, len, at);
	if (is_torn(error) && real(fd, bytes, len / 2, at) < 0)
		return -1;
	return fail(error);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return pwrite_named("pwrite", fd, bytes, len, at);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	return pwrite_named("pwrite64", fd, bytes, len, at);
}

/* ---- the rest ---- */

int
fsync(int fd)
{
	int (*real)(int) = next_of("fsync");
	int error = strike_fd("fsync", fd);

	return error ? fail(error) : real(fd);
}

int
fdatasync(int fd)
{
	int (*real)(int) = next_of("fdatasync");
	int error = strike_fd("fdatasync", fd);

	return error ? fail(error) : real(fd);
}

int
ftruncate(int fd, off_t len)
{
	int (*real)(int, off_t) = next_of("ftruncate");
	int error = strike_fd("ftruncate", fd);

	return error ? fail(error) : real(fd, len);
}

int
ftruncate64(int fd, off64_t len)
{
	int (*real)(int, off64_t) = next_of("ftruncate64");
	int error = strike_fd("ftruncate", fd);

	return error ? fail(error) : real(fd, len);
}

int
rename(const char *from, const char *to)
{
	int (*real)(const char *, const char *) = next_of("rename");
	int error = strike_at("rename", AT_FDCWD, to);

	return error ? fail(error) : real(from, to);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int (*real)(int, const char *, int, const char *) = next_of("renameat");
	int error = strike_at("rename", to_dir, to);

	return error ? fail(error) : real(from_dir, from, to_dir, to);
}

int
renameat2(int from_dir, const char *from, int to_dir, const char *to,
	  unsigned flags)
{
	int (*real)(int, const char *, int, const char *, unsigned) =
		next_of("renameat2");
	int error = strike_at("rename", to_dir, to);

	return error ? fail(error) : real(from_dir, from, to_dir, to, flags);
}

int
unlink(const char *path)
{
	int (*real)(const char *) = next_of("unlink");
	int error = strike_at("unlink", AT_FDCWD, path);

	return error ? fail(error) : real(path);
}

int
unlinkat(int dir, const char *path, int flags)
{
	int (*real)(int, const char *, int) = next_of("unlinkat");
	int error = strike_at("unlink", dir, path);

	return error ? fail(error) : real(dir, path, flags);
}
