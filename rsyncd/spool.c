#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/hash.h"

#include "rsyncd/spool.h"

#define GIVE_ROOM (1UL << 20)

/* File systems without O_TMPFILE (NFS, some overlays): a name for a moment. */
static int
named_file(int dirfd, struct err *e)
{
	char name[TOKEN_HEX + 16], token[TOKEN_HEX];
	int fd;

	token_make(token);
	snprintf(name, sizeof(name), ".edeploy-%s", token);
	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "a temporary file");
	unlinkat(dirfd, name, 0);
	return fd;
}

int
spool_file(int dirfd, struct err *e)
{
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : named_file(dirfd, e);
}

int
read_at(int fd, uint64_t at, void *room, size_t len, struct err *e)
{
	char *to = room;

	while (len > 0) {
		ssize_t got = pread(fd, to, len, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read");
		if (got == 0)
			return err_set(e, ERR_INPUT, "a file became shorter");
		to += got;
		at += (uint64_t)got;
		len -= (size_t)got;
	}
	return 0;
}

int
spool_compare(void *same, const void *bytes, size_t len, struct err *e)
{
	struct spool_same *s = same;
	const char *from = bytes;

	while (len > 0 && !s->differs) {
		size_t step = len < sizeof(s->room) ? len : sizeof(s->room);

		s->differs = pread(s->fd, s->room, step, (off_t)s->at) !=
				     (ssize_t)step ||
			     memcmp(s->room, from, step) != 0;
		s->at += step;
		from += step;
		len -= step;
	}
	return s->differs ? err_set(e, ERR_INPUT, "differs") : 0;
}

int
spool_add(struct spool *s, const void *bytes, size_t len, struct err *e)
{
	if (s->fd < 0 && s->len + len <= SPOOL_MEM) {
		buf_add(&s->mem, bytes, len);
		s->len += len;
		return 0;
	}
	if (s->fd < 0) {
		s->fd = spool_file(s->dirfd, e);
		if (s->fd < 0 ||
		    fd_write_all(s->fd, buf_text(&s->mem), s->mem.len, e) < 0)
			return -1;
		buf_clear(&s->mem);
	}
	if (fd_write_all(s->fd, bytes, len, e) < 0)
		return -1;
	s->len += len;
	return 0;
}

int
spool_read(const struct spool *s, uint64_t at, void *room, size_t len,
	   struct err *e)
{
	if (s->fd >= 0)
		return read_at(s->fd, at, room, len, e);
	memcpy(room, s->mem.at + at, len);
	return 0;
}

int
spool_give(const struct spool *s, int fd, struct err *e)
{
	AUTO_FREE char *room = NULL;
	uint64_t at = 0;

	if (s->fd < 0)
		return fd_write_all(fd, buf_text(&s->mem), s->mem.len, e);
	room = base_alloc(GIVE_ROOM);
	while (at < s->len) {
		size_t step = s->len - at < GIVE_ROOM ? (size_t)(s->len - at)
						      : GIVE_ROOM;

		if (read_at(s->fd, at, room, step, e) < 0 ||
		    fd_write_all(fd, room, step, e) < 0)
			return -1;
		at += step;
	}
	return 0;
}

void
spool_clear(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_clear(&s->mem);
	*s = (struct spool){ .dirfd = s->dirfd, .fd = -1 };
}
