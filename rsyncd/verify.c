/* Is a tree what its manifest says? Each entry by itself, contents read by
 * several threads; what differs is told, and nothing is changed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "rsyncd/crowd.h"
#include "rsyncd/lanes.h"
#include "rsyncd/pull.h"
#include "rsyncd/stand.h"

struct verifying {
	const struct verify_opts *o;
	int top;
	struct walk_look *pool[LANES_MAX];
	struct crowd *crowd[LANES_MAX];
	pthread_mutex_t lock; /* around what is told */
	int64_t differ;
	uint64_t bytes;
	struct inode { /* of f entries, to find two that are one */
		dev_t dev;
		ino_t ino;
		size_t entry;
	} * inode;
	size_t inodes;
};

static void
tell(struct verifying *v, const char *path, const char *what)
{
	pthread_mutex_lock(&v->lock);
	v->differ++;
	if (v->o->differs)
		v->o->differs(v->o->ctx, path, what);
	pthread_mutex_unlock(&v->lock);
}

static void
hashed(void *ctx, const struct manifest_entry *x, bool right)
{
	struct verifying *v = ctx;

	if (!right)
		tell(v, x->path, "content");
	__atomic_add_fetch(&v->bytes, x->size, __ATOMIC_RELAXED);
}

/* Files that are two in the tree and one on the disk show when all are seen. */
static void
note_inode(struct verifying *v, const struct stat *st, size_t entry)
{
	if (st->st_nlink < 2)
		return;
	pthread_mutex_lock(&v->lock);
	v->inode[v->inodes++] = (struct inode){ st->st_dev, st->st_ino, entry };
	pthread_mutex_unlock(&v->lock);
}

static int
read_content(struct verifying *v, int lane, size_t i, struct err *e)
{
	const struct manifest_entry *x = &v->o->manifest->entry[i];
	AUTO_CLOSE int fd =
		open_beneath(v->top, x->path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", x->path);
	note_inode(v, &st, i);
	return crowd_add(v->crowd[lane], fd, x, e);
}

static int
verify_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct verifying *v = ctx;
	const struct manifest_entry *x = &v->o->manifest->entry[i];
	const char *what = NULL;
	int is = stand_entry(v->pool[lane], v->top, x, &what, e);

	if (is < 0)
		return -1;
	if (is != STAND_SAME)
		tell(v, x->path, what);
	if (x->type != 'f' || is == STAND_ABSENT || is == STAND_OTHER)
		return 0;
	return read_content(v, lane, i, e);
}

static int
end_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct verifying *v = ctx;

	(void)lane, (void)e;
	crowd_end(v->crowd[i]);
	return 0;
}

static int
tick(void *ctx, struct err *e)
{
	struct verifying *v = ctx;

	(void)e;
	if (v->o->progress)
		v->o->progress(v->o->ctx,
			       __atomic_load_n(&v->bytes, __ATOMIC_RELAXED),
			       v->o->manifest->bytes);
	return 0;
}

/* ---- what no entry tells by itself ---- */

static int
by_inode(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void
find_joined(struct verifying *v)
{
	const struct manifest *m = v->o->manifest;
	size_t i;

	qsort(v->inode, v->inodes, sizeof(*v->inode), by_inode);
	for (i = 1; i < v->inodes; i++)
		if (v->inode[i].dev == v->inode[i - 1].dev &&
		    v->inode[i].ino == v->inode[i - 1].ino)
			tell(v, m->entry[v->inode[i].entry].path,
			     "one file with another one");
}

static int
meet_stranger(void *ctx, const char *path, struct err *e)
{
	struct verifying *v = ctx;

	(void)e;
	v->o->stranger(v->o->ctx, path);
	return 0;
}

static int
quick(struct verifying *v, struct err *e)
{
	size_t i;

	for (i = 0; i < v->o->manifest->len; i++) {
		const struct manifest_entry *x = &v->o->manifest->entry[i];
		const char *what = NULL;
		int is = stand_stat(v->top, x, &what, e);

		if (is < 0)
			return -1;
		if (is != STAND_SAME)
			tell(v, x->path, what);
	}
	return 0;
}

static int
thorough(struct verifying *v, struct err *e)
{
	int i, bad, threads = v->o->threads > 0 ? v->o->threads : 2;
	struct lanes_each each = { threads, v->o->manifest->len, verify_one,
				   tick, v };
	struct lanes_each ends = { .work = end_one, .ctx = v };

	if (each.threads > LANES_MAX)
		each.threads = threads = LANES_MAX;
	ends.threads = threads;
	ends.count = (size_t)threads;
	v->inode = base_array(v->o->manifest->len + 1, sizeof(*v->inode));
	for (i = 0; i < threads; i++) {
		v->pool[i] = walk_look_new();
		v->crowd[i] = crowd_new(hashed, v);
	}
	bad = lanes_each(&each, e);
	if (bad == 0)
		bad = lanes_each(&ends, e);
	if (bad == 0)
		find_joined(v);
	for (i = 0; i < threads; i++) {
		walk_look_free(v->pool[i]);
		crowd_free(v->crowd[i]);
	}
	free(v->inode);
	return bad;
}

int64_t
verify(const struct verify_opts *opts, struct err *e)
{
	struct verifying v = { .o = opts };
	AUTO_CLOSE int top =
		open(opts->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int bad;

	if (top < 0)
		return err_sys(e, "%s", opts->dir);
	v.top = top;
	pthread_mutex_init(&v.lock, NULL);
	bad = opts->quick ? quick(&v, e) : thorough(&v, e);
	if (bad == 0 && opts->stranger)
		bad = stand_strangers(top, opts->manifest, meet_stranger, &v,
				      e);
	if (bad == 0)
		tick(&v, e);
	pthread_mutex_destroy(&v.lock);
	return bad < 0 ? -1 : v.differ;
}
