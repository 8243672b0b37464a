/* Files of the base that nobody has touched since the pull that hashed them
 * become ours as the same inode, and their bytes are not read again: the
 * kernel moves an inode's ctime with whatever is changed of it, bytes, owner,
 * attributes or links, and nobody can move it back. What does not show that is
 * left to share.c, which hashes. */
#include <errno.h>
#include <unistd.h>

#include "lib/base.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/look.h"
#include "rsyncd/place.h"

#define CHUNK 64 /* entries at once: mostly of one folder */

struct linking {
	struct job *j;
	const uint32_t *from;
	struct {
		struct place_folder base, into;
	} lane[LANES_MAX];
};

static bool
is_untouched(const struct job *j, const struct manifest_entry *x,
	     const struct look *is)
{
	const struct manifest_entry *y = &is->entry;
	const struct timespec *since = &j->base.since;

	return y->type == 'f' && y->size == x->size && y->uid == x->uid &&
	       y->gid == x->gid && y->mode == x->mode &&
	       y->mtime_s == x->mtime_s && y->mtime_ns == x->mtime_ns &&
	       (is->ctime_s < since->tv_sec || (is->ctime_s == since->tv_sec &&
						is->ctime_ns < since->tv_nsec));
}

/* 1: done; 0: it cannot be a link. */
static int
link_at(int from, const char *a, int to, const char *b, struct err *e)
{
	if (linkat(from, a, to, b, 0) == 0)
		return 1;
	if (errno == EEXIST && unlinkat(to, b, 0) == 0 &&
	    linkat(from, a, to, b, 0) == 0)
		return 1;
	return errno == EXDEV || errno == EMLINK || errno == EPERM ||
			       errno == ENOENT
		       ? 0
		       : err_sys(e, "link %s", b);
}

static int
link_one(struct linking *l, int lane, size_t i, struct err *e)
{
	struct job *j = l->j;
	const struct manifest_entry *x = &j->m->entry[i];
	const struct manifest_entry *y = &j->base.m->entry[l->from[i]];
	struct look was, is;
	const char *a, *b;
	int from = place_folder(&l->lane[lane].base, j->base.fd, y->path, &a);
	int to, got;

	if (from < 0) /* the base's folder is gone: so is the file */
		return 0;
	got = look_at(&was, from, a, y->path, NULL, e);
	if (got <= 0 || !is_untouched(j, x, &was))
		return got < 0 ? -1 : 0;
	to = place_folder(&l->lane[lane].into, j->into, x->path, &b);
	if (to < 0)
		return err_sys(e, "%s", x->path);
	got = link_at(from, a, to, b, e);
	if (got <= 0)
		return got;
	/* it may have been exchanged between the two */
	got = look_at(&is, to, b, x->path, NULL, e);
	if (got > 0 && is.dev == was.dev && is.ino == was.ino) {
		j->entry[i] = ENTRY_DONE;
		return 0;
	}
	return got < 0 ? -1 : place_remove(j->into, x->path, false, e);
}

static int
link_chunk(void *ctx, int lane, size_t chunk, struct err *e)
{
	struct linking *l = ctx;
	struct job *j = l->j;
	size_t i = chunk * CHUNK, end = i + CHUNK;
	uint64_t bytes = 0;

	for (; i < end && i < j->m->len; i++) {
		if (l->from[i] == HOLDERS_END)
			continue;
		if (link_one(l, lane, i, e) < 0)
			return -1;
		bytes += j->m->entry[i].size;
	}
	stage_add(j, bytes);
	return 0;
}

static int
link_tick(void *ctx, struct err *e)
{
	struct linking *l = ctx;

	return stage_tick(l->j, e);
}

/* What was linked is here, and was right in the base. */
static uint64_t
note(const struct linking *l)
{
	struct job *j = l->j;
	struct base *b = &j->base;
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct digest *hash = &j->m->entry[i].hash;
		const struct content *theirs;
		struct want *w;

		if (l->from[i] == HOLDERS_END || j->entry[i] != ENTRY_DONE)
			continue;
		n++;
		theirs = contents_find(b->h.contents, hash);
		b->right[theirs->at] = l->from[i];
		b->state[theirs->at] = BASE_RIGHT;
		w = &j->want[contents_find(j->h.contents, hash)->at];
		if (w->state != WANT_HERE)
			w->here = (uint32_t)i;
		w->state = WANT_HERE;
	}
	return n;
}

static uint64_t
bytes_of(const struct linking *l)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < l->j->m->len; i++)
		if (l->from[i] != HOLDERS_END)
			bytes += l->j->m->entry[i].size;
	return bytes;
}

int
link_untouched(struct job *j, const uint32_t *from, struct err *e)
{
	struct linking l = { .j = j, .from = from };
	struct lanes_each each = { .threads = j->threads,
				   .count = (j->m->len + CHUNK - 1) / CHUNK,
				   .work = link_chunk,
				   .tick = link_tick,
				   .ctx = &l };
	int i, bad;

	if (j->base.since.tv_sec == 0 || j->o->dry_run || j->o->hash_all)
		return 0;
	for (i = 0; i < LANES_MAX; i++)
		l.lane[i].base.fd = l.lane[i].into.fd = -1;
	stage_begin(j, "look", bytes_of(&l));
	bad = lanes_each(&each, e);
	stage_end(j);
	for (i = 0; i < LANES_MAX; i++) {
		place_folder_close(&l.lane[i].base);
		place_folder_close(&l.lane[i].into);
	}
	if (bad == 0)
		j->r->shared += note(&l);
	return bad;
}
