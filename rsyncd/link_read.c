/* Files of the base whose bytes are to be read although they look right: each
 * becomes ours as the same inode first and is read then, so that what was read
 * is what the tree gets; and many are hashed together, which takes half of the
 * time. Whatever is not as it should be is left to share.c. */
#include <errno.h>
#include <unistd.h>

#include "lib/base.h"
#include "rsyncd/crowd.h"
#include "rsyncd/job.h"
#include "rsyncd/lanes.h"
#include "rsyncd/place.h"
#include "rsyncd/stand.h"

#define CHUNK 64 /* entries at once: mostly of one folder */

struct reading {
	struct job *j;
	bool *wrong; /* of our entry: other bytes */
	struct reading_lane {
		struct reading *r;
		struct crowd *crowd;
		struct walk_look *pool;
		struct place_folder base, into;
	} lane[LANES_MAX];
};

static void
told(void *ctx, const struct manifest_entry *entry, bool right)
{
	struct reading_lane *l = ctx;
	struct job *j = l->r->j;
	size_t i = (size_t)(entry - j->m->entry);

	if (right)
		j->entry[i] = ENTRY_DONE;
	else
		l->r->wrong[i] = true;
}

/* 1: it is ours; 0: it cannot be. */
static int
link_entry(struct reading_lane *l, const struct manifest_entry *x,
	   const struct manifest_entry *y, struct err *e)
{
	const struct job *j = l->r->j;
	struct manifest_entry is;
	const char *a, *b;
	int from, to, got = walk_look(l->pool, j->base.fd, y->path, &is, e);

	if (got < 0)
		return -1;
	if (!got || is.type != 'f' || is.size != x->size ||
	    !stand_dress_equal(x, &is, NULL))
		return 0;
	from = place_folder(&l->base, j->base.fd, y->path, &a);
	if (from < 0)
		return 0;
	to = place_folder(&l->into, j->into, x->path, &b);
	if (to < 0)
		return err_sys(e, "%s", x->path);
	return link_at(from, a, to, b, e);
}

static int
read_one(struct reading_lane *l, size_t i, struct err *e)
{
	const struct job *j = l->r->j;
	const struct manifest_entry *x = &j->m->entry[i];
	const struct manifest_entry *y = &j->base.m->entry[j->link_from[i]];
	int got = link_entry(l, x, y, e);

	if (got <= 0)
		return got;
	AUTO_CLOSE int fd = base_file(j->into, x->path);

	if (fd < 0)
		return err_sys(e, "%s", x->path);
	return crowd_add(l->crowd, fd, x, e);
}

static int
read_chunk(void *ctx, int lane, size_t chunk, struct err *e)
{
	struct reading *r = ctx;
	size_t i = chunk * CHUNK, end = i + CHUNK;
	uint64_t bytes = 0;

	for (; i < end && i < r->j->m->len; i++) {
		if (r->j->link_from[i] == HOLDERS_END)
			continue;
		if (read_one(&r->lane[lane], i, e) < 0)
			return -1;
		bytes += r->j->m->entry[i].size;
	}
	stage_add(r->j, bytes);
	return 0;
}

static int
read_tick(void *ctx, struct err *e)
{
	struct reading *r = ctx;

	return stage_tick(r->j, e);
}

/* What became no link here becomes none later, either. */
static int
settle(struct reading *r, struct err *e)
{
	struct job *j = r->j;
	size_t i;

	j->r->shared += link_note(j);
	for (i = 0; i < j->m->len; i++) {
		if (j->link_from[i] == HOLDERS_END)
			continue;
		if (r->wrong[i] &&
		    place_remove(j->into, j->m->entry[i].path, false, e) < 0)
			return -1;
		if (j->entry[i] != ENTRY_DONE)
			r->j->link_from[i] = HOLDERS_END;
	}
	return 0;
}

static int
run(struct reading *r, struct err *e)
{
	struct job *j = r->j;
	struct lanes_each each = { .threads = j->threads,
				   .count = (j->m->len + CHUNK - 1) / CHUNK,
				   .work = read_chunk,
				   .tick = read_tick,
				   .ctx = r };
	int i;

	if (lanes_each(&each, e) < 0)
		return -1;
	for (i = 0; i < j->threads; i++)
		crowd_end(r->lane[i].crowd);
	return settle(r, e);
}

static uint64_t
bytes_of(const struct job *j)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < j->m->len; i++)
		if (j->link_from[i] != HOLDERS_END)
			bytes += j->m->entry[i].size;
	return bytes;
}

int
link_read(struct job *j, struct err *e)
{
	AUTO_FREE bool *wrong = base_array(j->m->len + 1, sizeof(*wrong));
	struct reading r = { .j = j, .wrong = wrong };
	int i, bad;

	if (!j->base.m || !j->o->hash_all || j->o->dry_run)
		return 0;
	if (aside_folders(j, e) < 0)
		return -1;
	for (i = 0; i < j->threads; i++)
		r.lane[i] = (struct reading_lane){ .r = &r,
						   .crowd = crowd_new(
							   told, &r.lane[i]),
						   .pool = walk_look_new(),
						   .base.fd = -1,
						   .into.fd = -1 };
	stage_begin(j, "look", bytes_of(j));
	bad = run(&r, e);
	stage_end(j);
	for (i = 0; i < j->threads; i++) {
		crowd_free(r.lane[i].crowd);
		walk_look_free(r.lane[i].pool);
		place_folder_close(&r.lane[i].base);
		place_folder_close(&r.lane[i].into);
	}
	return bad;
}
