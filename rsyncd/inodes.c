#include "rsyncd/inodes.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base.h"

struct inode {
	dev_t dev;
	ino_t ino;
	size_t entry;
};

struct inodes {
	pthread_mutex_t lock;
	size_t len;
	struct inode at[];
};

struct inodes *
inodes_new(size_t entries)
{
	struct inodes *n =
		base_alloc(sizeof(*n) + entries * sizeof(struct inode));

	pthread_mutex_init(&n->lock, NULL);
	return n;
}

void
inodes_free(struct inodes *n)
{
	if (n)
		pthread_mutex_destroy(&n->lock);
	free(n);
}

void
inodes_note(struct inodes *n, const struct stat *st, size_t entry)
{
	if (st->st_nlink < 2)
		return;
	pthread_mutex_lock(&n->lock);
	n->at[n->len++] = (struct inode){ st->st_dev, st->st_ino, entry };
	pthread_mutex_unlock(&n->lock);
}

static int
by_file(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int
by_inode(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;
	int order = by_file(a, b);

	return order ? order : (x->entry < y->entry ? -1 : x->entry > y->entry);
}

void
inodes_joined(struct inodes *n, void (*each)(void *ctx, size_t entry),
	      void *ctx)
{
	size_t i;

	qsort(n->at, n->len, sizeof(*n->at), by_inode);
	for (i = 1; i < n->len; i++)
		if (by_file(&n->at[i], &n->at[i - 1]) == 0)
			each(ctx, n->at[i].entry);
}

bool
inodes_has(const struct inodes *n, const struct stat *st)
{
	const struct inode key = { st->st_dev, st->st_ino, 0 };

	return n->len > 0 &&
	       bsearch(&key, n->at, n->len, sizeof(*n->at), by_file);
}
