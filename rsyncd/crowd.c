/* Small files gather in one piece of memory until it is full. Large ones gain
 * little by company, and are hashed as they come. */
#include "lib/file.h"

#include "rsyncd/crowd.h"
#include "rsyncd/place.h"

#define ROOM (16UL << 20)
#define LARGE (ROOM / 2)
#define FILES 1024

struct crowd {
	void (*told)(void *ctx, const struct manifest_entry *entry, bool right);
	void *ctx;
	unsigned char *room;
	size_t used;
	const struct manifest_entry *entry[FILES];
	struct digest got[FILES];
	struct digest_job job[FILES];
	size_t files;
};

struct crowd *
crowd_new(void (*told)(void *ctx, const struct manifest_entry *entry,
		       bool right),
	  void *ctx)
{
	struct crowd *c = base_alloc(sizeof(*c));

	c->told = told;
	c->ctx = ctx;
	c->room = base_large(ROOM);
	return c;
}

void
crowd_free(struct crowd *c)
{
	if (!c)
		return;
	free(c->room);
	free(c);
}

void
crowd_end(struct crowd *c)
{
	size_t i;

	digest_many(c->job, c->files);
	for (i = 0; i < c->files; i++)
		c->told(c->ctx, c->entry[i],
			digest_eq(&c->got[i], &c->entry[i]->hash));
	c->files = 0;
	c->used = 0;
}

static int
add_large(struct crowd *c, int fd, const struct manifest_entry *x,
	  struct err *e)
{
	struct digest got;

	crowd_end(c); /* its room is wanted */
	if (place_hash(fd, x->size, c->room, &got, x->path, e) < 0) {
		if (e->kind != ERR_INPUT)
			return -1;
		*e = (struct err){ 0 };
		c->told(c->ctx, x, false);
		return 0;
	}
	c->told(c->ctx, x, digest_eq(&got, &x->hash));
	return 0;
}

int
crowd_add(struct crowd *c, int fd, const struct manifest_entry *entry,
	  struct err *e)
{
	ssize_t len;

	if (entry->size >= LARGE)
		return add_large(c, fd, entry, e);
	if (c->files == FILES || entry->size >= ROOM - c->used)
		crowd_end(c);
	/* one byte more than there should be */
	len = fd_pread_all(fd, c->room + c->used, entry->size + 1, 0);
	if (len < 0)
		return err_sys(e, "read %s", entry->path);
	if ((uint64_t)len != entry->size) {
		c->told(c->ctx, entry, false);
		return 0;
	}
	c->entry[c->files] = entry;
	c->job[c->files] = (struct digest_job){ c->room + c->used, entry->size,
						&c->got[c->files] };
	c->files++;
	c->used += entry->size;
	return 0;
}
