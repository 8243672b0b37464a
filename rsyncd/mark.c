/* Signatures of what is large, in the order of the hashes. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/delta.h"
#include "rsyncd/frame.h"
#include "rsyncd/ordered.h"
#include "rsyncd/patch.h"

struct maker {
	int dirfd, level, fd;
	const struct content **content; /* sorted by hash */
	struct buf *frame;              /* of each, while it waits */
	struct mark_table table;
	uint64_t at;
};

static int
signature_of(const struct content *c, int dirfd, struct buf *out, struct err *e)
{
	AUTO_CLOSE int fd =
		open_beneath(dirfd, c->first->path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", c->first->path);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != c->size)
		return err_set(e, ERR_REFUSED,
			       "%s: it changed since it was walked",
			       c->first->path);
	if (delta_signature(fd, c->size, out, e) < 0)
		return err_add(e, "%s", c->first->path);
	return 0;
}

static int
make_mark(void *ctx, void *worker, size_t i, struct err *e)
{
	struct maker *m = ctx;
	const struct content *c = m->content[i];
	struct mark *mark = &m->table.mark[i];
	AUTO_CLEAR(buf) signature = { 0 };

	if (signature_of(c, m->dirfd, &signature, e) < 0)
		return -1;
	frame_pack(worker, signature.at, signature.len, NULL, 0, &m->frame[i]);
	memcpy(mark->head, c->hash.b, sizeof(mark->head));
	mark->new_size = c->size;
	mark->piece.size = (uint32_t)m->frame[i].len;
	mark->piece.raw = (uint32_t)signature.len;
	digest_of(m->frame[i].at, m->frame[i].len, &mark->piece.hash);
	return 0;
}

static int
take_mark(void *ctx, size_t i, struct err *e)
{
	struct maker *m = ctx;
	int got = fd_write_all(m->fd, m->frame[i].at, m->frame[i].len, e);

	m->table.mark[i].piece.at = m->at;
	m->at += m->frame[i].len;
	buf_clear(&m->frame[i]);
	return got;
}

static void *
worker_new(void *ctx)
{
	const struct maker *m = ctx;

	return frame_coder_new(m->level);
}

static void
worker_free(void *worker)
{
	frame_coder_free(worker);
}

static int
by_hash(const void *a, const void *b)
{
	const struct content *const *x = a, *const *y = b;

	return memcmp((*x)->hash.b, (*y)->hash.b, sizeof((*x)->hash.b));
}

/* Two that share a short hash cannot both be found by it: neither is marked. */
static void
choose(struct maker *m, const struct contents *all)
{
	size_t i;

	m->content = base_array(contents_len(all), sizeof(*m->content));
	for (i = 0; i < contents_len(all); i++) {
		const struct content *c = contents_at(all, i);

		if (c->size > MARK_SIZE_MIN &&
		    contents_short(all, c->hash.b) == c)
			m->content[m->table.len++] = c;
	}
	qsort(m->content, m->table.len, sizeof(*m->content), by_hash);
	m->table.mark = base_array(m->table.len, sizeof(*m->table.mark));
	m->frame = base_array(m->table.len, sizeof(*m->frame));
}

static int
write_table(struct maker *m, struct table_place *place, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLEAR(buf) frame = { 0 };
	size_t len;

	text = mark_table_text(&m->table, &len);
	frame_pack_text(m->level, text, len, &frame);
	*place = (struct table_place){ .size = m->at + frame.len,
				       .at = m->at,
				       .raw = len };
	digest_of(frame.at, frame.len, &place->hash);
	return fd_write_all(m->fd, frame.at, frame.len, e);
}

int
mark_write(const struct manifest *manifest, int dirfd, int level, int threads,
	   int fd, struct table_place *place, struct err *e)
{
	AUTO(contents) all = contents_of(manifest);
	struct maker m = { .dirfd = dirfd, .level = level, .fd = fd };
	struct ordered jobs = { .threads = threads,
				.worker_new = worker_new,
				.worker_free = worker_free,
				.make = make_mark,
				.take = take_mark,
				.ctx = &m };
	int got = 0;
	size_t i;

	*place = (struct table_place){ 0 };
	choose(&m, all);
	jobs.jobs = m.table.len;
	if (m.table.len > 0)
		got = ordered_run(&jobs, e);
	if (m.table.len > 0 && got == 0)
		got = write_table(&m, place, e);
	for (i = 0; i < m.table.len; i++)
		buf_clear(&m.frame[i]);
	free(m.frame);
	free(m.content);
	free(m.table.mark);
	return got;
}
