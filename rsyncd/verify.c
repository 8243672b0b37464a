/* Is a tree what its manifest says? Each entry by itself, contents read by
 * several threads; what differs is told, and nothing is changed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "rsyncd/crowd.h"
#include "rsyncd/inodes.h"
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
	struct inodes *inodes; /* of f entries, to find two that are one */
	/* of h entries that are copies: what they should be */
	struct manifest_entry *copy;
	size_t copies;
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

static int
read_content(struct verifying *v, int lane, size_t i,
	     const struct manifest_entry *x, struct err *e)
{
	AUTO_CLOSE int fd =
		open_beneath(v->top, x->path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", x->path);
	/* copies of one file may well be one */
	if (v->o->manifest->entry[i].type == 'f')
		inodes_note(v->inodes, &st, i);
	return crowd_add(v->crowd[lane], fd, x, e);
}

/* A hard link whose target lies on another file system is a copy of it: what it
 * should be then, else NULL. */
static const struct manifest_entry *
should_copy(struct verifying *v, const struct manifest_entry *x)
{
	const struct manifest_entry *target;
	struct manifest_entry *copy;

	if (!stand_apart(v->top, x))
		return NULL;
	target = manifest_find(v->o->manifest, x->link);
	pthread_mutex_lock(&v->lock);
	copy = &v->copy[v->copies++];
	pthread_mutex_unlock(&v->lock);
	*copy = *target;
	copy->path = x->path;
	return copy;
}

static int
verify_one(void *ctx, int lane, size_t i, struct err *e)
{
	struct verifying *v = ctx;
	const struct manifest_entry *x = &v->o->manifest->entry[i];
	const struct manifest_entry *copy =
		x->type == 'h' ? should_copy(v, x) : NULL;
	const char *what = NULL;
	int is;

	if (copy)
		x = copy;
	is = stand_entry(v->pool[lane], v->top, x, &what, e);
	if (is < 0)
		return -1;
	if (is != STAND_SAME)
		tell(v, x->path, what);
	if (x->type != 'f' || is == STAND_ABSENT || is == STAND_OTHER)
		return 0;
	return read_content(v, lane, i, x, e);
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

static void
tell_joined(void *ctx, size_t entry)
{
	struct verifying *v = ctx;

	tell(v, v->o->manifest->entry[entry].path, "one file with another one");
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
	v->inodes = inodes_new(v->o->manifest->len);
	v->copy = base_array(v->o->manifest->len + 1, sizeof(*v->copy));
	for (i = 0; i < threads; i++) {
		v->pool[i] = walk_look_new();
		v->crowd[i] = crowd_new(hashed, v);
	}
	bad = lanes_each(&each, e);
	if (bad == 0)
		bad = lanes_each(&ends, e);
	if (bad == 0)
		inodes_joined(v->inodes, tell_joined, v);
	for (i = 0; i < threads; i++) {
		walk_look_free(v->pool[i]);
		crowd_free(v->crowd[i]);
	}
	inodes_free(v->inodes);
	free(v->copy);
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
