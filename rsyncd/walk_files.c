/* Files are read by several threads, some at a time, which are hashed together;
 * large ones, which gain little by company, are hashed while they are read. */
#include "rsyncd/walk_files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "lib/beneath.h"

#include "rsyncd/team.h"

#define CHUNK (8 * DIGEST_PART) /* read at once: hashed side by side */
#define TOGETHER ((size_t)16 << 20)
#define LARGE (TOGETHER / 2)
#define FILES_MAX 1024

/* Files that follow one another. */
struct group {
	size_t first, len;
	uint64_t bytes;
};

struct reading {
	const struct walk_files *w;
	struct group *group;
	size_t groups;
	atomic_ullong done, bytes;
	pthread_mutex_t lock;
	unsigned char *room[TEAM_MAX]; /* that nobody uses now */
	size_t rooms;
};

int
walk_changed(const char *path, struct err *e)
{
	char shown[LOOK_SHOWN];

	return err_set(e, ERR_REFUSED,
		       "%s changed while the tree was looked at: wait until "
		       "nothing writes into it, and try again",
		       look_shown(path, shown));
}

static void
count(struct reading *r, uint64_t bytes)
{
	atomic_fetch_add_explicit(&r->bytes, bytes, memory_order_relaxed);
}

/* ---- one file ---- */

static int
open_file(const struct reading *r, const char *path, struct err *e)
{
	char shown[LOOK_SHOWN];
	/* O_NONBLOCK: what has become a pipe meanwhile must not be waited for
	 */
	int fd = open_beneath(r->w->top, path, O_RDONLY | O_NONBLOCK, 0);

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return walk_changed(path, e); /* removed, or no file any more */
	return fd < 0 ? err_sys(e, "%s", look_shown(path, shown)) : fd;
}

/* Up to `size` bytes, fewer at the end of the file; -1. */
static ssize_t
read_some(int fd, unsigned char *at, size_t size, const char *path,
	  struct err *e)
{
	char shown[LOOK_SHOWN];
	size_t len = 0;

	while (len < size) {
		ssize_t got = read(fd, at + len, size - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "%s", look_shown(path, shown));
		if (got == 0)
			break;
		len += (size_t)got;
	}
	return (ssize_t)len;
}

/* Its bytes are read: was it the same file all the time? */
static int
end_file(struct reading *r, struct look *l, int fd, struct err *e)
{
	struct look now;

	if (l->thin) /* moves the place where is read */
		l->entry.sparse = look_sparse(fd, l->entry.size);
	if (look_fd(&now, fd, l->entry.path, e) < 0)
		return -1;
	if (!look_same(l, &now))
		return walk_changed(l->entry.path, e);
	atomic_fetch_add_explicit(&r->done, 1, memory_order_relaxed);
	return 0;
}

static int
hash_large(struct reading *r, struct look *l, struct err *e)
{
	const char *path = l->entry.path;
	AUTO_CLOSE int fd = open_file(r, path, e);
	AUTO_FREE unsigned char *chunk = base_alloc(CHUNK);
	uint64_t left = l->entry.size;
	struct digest_run run;
	ssize_t got;

	if (fd < 0)
		return -1;
	digest_begin(&run);
	do {
		got = read_some(fd, chunk, CHUNK, path, e);
		if (got < 0)
			return -1;
		if ((uint64_t)got > left)
			return walk_changed(path, e);
		digest_add(&run, chunk, (size_t)got);
		left -= (uint64_t)got;
		count(r, (uint64_t)got);
	} while (got != 0);
	digest_end(&run, &l->entry.hash);
	return left > 0 ? walk_changed(path, e) : end_file(r, l, fd, e);
}

/* One byte more than there should be is asked for. */
static int
read_small(struct reading *r, struct look *l, unsigned char *at, struct err *e)
{
	const char *path = l->entry.path;
	AUTO_CLOSE int fd = open_file(r, path, e);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read_some(fd, at, (size_t)l->entry.size + 1, path, e);
	if (got < 0)
		return -1;
	if ((uint64_t)got != l->entry.size)
		return walk_changed(path, e);
	count(r, (uint64_t)got);
	return end_file(r, l, fd, e);
}

/* ---- many ---- */

static unsigned char *
take_room(struct reading *r)
{
	unsigned char *room = NULL;

	pthread_mutex_lock(&r->lock);
	if (r->rooms > 0)
		room = r->room[--r->rooms];
	pthread_mutex_unlock(&r->lock);
	return room ? room : base_large(TOGETHER + 1);
}

static void
give_room(struct reading *r, unsigned char *room)
{
	pthread_mutex_lock(&r->lock);
	r->room[r->rooms++] = room;
	pthread_mutex_unlock(&r->lock);
}

static int
hash_small(struct reading *r, const struct group *g, unsigned char *room,
	   struct err *e)
{
	AUTO_FREE struct digest_job *job = base_array(g->len, sizeof(*job));
	size_t i;

	for (i = 0; i < g->len; i++) {
		struct look *l = r->w->file[g->first + i];

		if (read_small(r, l, room, e) < 0)
			return -1;
		job[i] = (struct digest_job){ room, (size_t)l->entry.size,
					      &l->entry.hash };
		room += l->entry.size;
	}
	digest_many(job, g->len);
	return 0;
}

/* One large file. */
static bool
is_large(const struct group *g)
{
	return g->len == 1 && g->bytes >= LARGE;
}

static int
hash_group(void *ctx, size_t i, struct err *e)
{
	struct reading *r = ctx;
	const struct group *g = &r->group[i];
	unsigned char *room;
	int bad;

	if (is_large(g))
		return hash_large(r, r->w->file[g->first], e);
	room = take_room(r);
	bad = hash_small(r, g, room, e);
	give_room(r, room);
	return bad;
}

/* Large files make groups of their own. */
static void
make_groups(struct reading *r)
{
	const struct walk_files *w = r->w;
	struct group *g = NULL;
	size_t i;

	r->group = base_array(w->len + 1, sizeof(*r->group));
	for (i = 0; i < w->len; i++) {
		uint64_t size = w->file[i]->entry.size;

		if (!g || g->len == FILES_MAX || size >= LARGE || is_large(g) ||
		    g->bytes + size > TOGETHER) {
			g = &r->group[r->groups++];
			g->first = i;
		}
		g->len++;
		g->bytes += size;
	}
}

static void
tell(void *ctx)
{
	struct reading *r = ctx;

	if (r->w->progress)
		r->w->progress(r->w->ctx, atomic_load(&r->done),
			       atomic_load(&r->bytes));
}

int
walk_files(const struct walk_files *w, struct err *e)
{
	struct reading r = { .w = w, .lock = PTHREAD_MUTEX_INITIALIZER };
	struct team_opts team = { .threads = w->threads,
				  .part = hash_group,
				  .tick = tell,
				  .ctx = &r };
	int bad;

	make_groups(&r);
	team.parts = r.groups;
	bad = team_run(&team, e);
	tell(&r);
	while (r.rooms > 0)
		free(r.room[--r.rooms]);
	free(r.group);
	return bad;
}
