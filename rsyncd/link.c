/* Files of the base that nobody has touched since they were hashed, by the pull
 * that recorded them or by this one, become ours as the same inode, and their
 * bytes are not read again: the kernel moves an inode's ctime with whatever is
 * changed of it, bytes, owner, attributes or links, and nobody can move it
 * back. What does not show that is left to share.c, which hashes. */
#include <errno.h>
#include <unistd.h>

#include "lib/base.h"
#include "rsyncd/job.h"
#include "rsyncd/look.h"
#include "rsyncd/place.h"

struct linking {
	struct job *j;
	struct place_folder base, into;
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

int
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
link_one(struct linking *l, size_t i, struct err *e)
{
	struct job *j = l->j;
	const struct manifest_entry *x = &j->m->entry[i];
	const struct manifest_entry *y = &j->base.m->entry[j->link_from[i]];
	struct look was, is;
	const char *a, *b;
	int from = place_folder(&l->base, j->base.fd, y->path, &a);
	int to, got;

	if (from < 0) /* the base's folder is gone: so is the file */
		return 0;
	got = look_at(&was, from, a, y->path, NULL, e);
	if (got <= 0 || !is_untouched(j, x, &was))
		return got < 0 ? -1 : 0;
	to = place_folder(&l->into, j->into, x->path, &b);
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

static struct want *
want_of(struct job *j, size_t entry)
{
	const struct digest *hash = &j->m->entry[entry].hash;

	return &j->want[contents_find(j->h.contents, hash)->at];
}

uint64_t
link_note(struct job *j)
{
	struct base *b = &j->base;
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < j->m->len; i++) {
		const struct digest *hash = &j->m->entry[i].hash;
		const struct content *theirs;
		struct want *w;

		if (j->link_from[i] == HOLDERS_END || j->entry[i] != ENTRY_DONE)
			continue;
		n++;
		theirs = contents_find(b->h.contents, hash);
		b->right[theirs->at] = j->link_from[i];
		b->state[theirs->at] = BASE_RIGHT;
		w = want_of(j, i);
		if (w->state != WANT_HERE)
			w->here = (uint32_t)i;
		w->state = WANT_HERE;
	}
	return n;
}

/* Of a dry run nothing is linked, and hash_all has link_read. */
static bool
is_to_link(const struct job *j)
{
	return j->base.since.tv_sec != 0 && !j->o->dry_run && !j->o->hash_all;
}

void
link_begin(struct job *j)
{
	size_t i;

	if (!is_to_link(j))
		return;
	for (i = 0; i < j->m->len; i++)
		if (j->link_from[i] != HOLDERS_END)
			want_of(j, i)->linking = true;
}

int
link_untouched(struct job *j, struct err *e)
{
	struct linking l = { .j = j, .base.fd = -1, .into.fd = -1 };
	size_t i;
	int bad = 0;

	for (i = 0; bad == 0 && i < j->m->len && is_to_link(j); i++) {
		if (j->link_from[i] == HOLDERS_END)
			continue;
		bad = aside_stopped(j) ? err_set(e, ERR_SYS, "stopped")
				       : link_one(&l, i, e);
	}
	place_folder_close(&l.base);
	place_folder_close(&l.into);
	return bad;
}

void
link_end(struct job *j)
{
	size_t i, n = contents_len(j->h.contents);

	if (!is_to_link(j))
		return;
	j->r->shared += link_note(j);
	for (i = 0; i < n; i++)
		j->want[i].linking = false;
}
