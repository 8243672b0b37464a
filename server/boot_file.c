/* Kernel, initrd and whatever else an operator puts in BOOTDIR. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "server/file_reply.h"
#include "server/handler.h"
#include "lib/file.h"

/* Open one name of BOOTDIR; links are the operator's and are followed. */
static int
open_file(const struct site *s, const char *name, struct stat *st)
{
	AUTO_CLOSE int dir =
		open(site_conf(s)->bootdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* NONBLOCK: a fifo must not hold the thread */
	int fd = dir < 0 ? -1
			 : openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	return fd;
}

static void
add_validators(const struct stat *st, struct reply *out)
{
	char when[64];
	struct tm tm;

	gmtime_r(&st->st_mtime, &tm);
	strftime(when, sizeof(when), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	reply_header(out, "Last-Modified", "%s", when);
	reply_header(out, "ETag", "\"%llx-%llx-%llx.%lx\"",
		     (unsigned long long)st->st_ino,
		     (unsigned long long)st->st_size,
		     (unsigned long long)st->st_mtim.tv_sec,
		     (unsigned long)st->st_mtim.tv_nsec);
	reply_header(out, "Accept-Ranges", "bytes");
	reply_header(out, "Content-Type", "application/octet-stream");
}

void
boot_file_get(struct app *a, const struct request *r, const char *name,
	      struct reply *out)
{
	struct site *s = app_site_asked(a, r, out);
	struct stat st;
	int fd;

	if (!s)
		return;
	if (!name_is_safe(name)) {
		reply_error(out, 404, "\"%s\" cannot be a boot file's name",
			    name);
		return;
	}
	fd = open_file(s, name, &st);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			reply_error(out, 404, "no file %s in BOOTDIR", name);
		else
			reply_error(out, 500, "%s/%s: %s",
				    site_conf(s)->bootdir, name,
				    strerror(errno));
		return;
	}
	add_validators(&st, out);
	file_reply(r, fd, (uint64_t)st.st_size, out);
}
