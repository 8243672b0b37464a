/* Writing a pack. The caller's thread reads contents, takes their hashes and
 * writes what is compressed; other threads compress. So the bytes depend on
 * what is packed alone, and every byte is read once. */
#include <errno.h>
#include <fcntl.h>

#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/frame.h"
#include "rsyncd/look.h"
#include "rsyncd/pack.h"
#include "rsyncd/press.h"

#define READ_MAX                                                               \
	((size_t)256 << 10) /* stays in the processor's cache until            \
			       its hash is taken */
#define TABLE_LEVEL 3

struct packer {
	const struct pack_opts *opts;
	int fd;
	struct press *press;
	struct press_frame *frame; /* that is filled now, or NULL */
	struct pack_table *table;
	size_t room; /* frames that fit into the table */
	uint64_t at, raw_at, raw_all;
};

/* ---- frames ---- */

static void
add_frame(struct packer *p, const struct press_frame *f)
{
	struct pack_table *t = p->table;

	if (t->frames == p->room) {
		p->room = t->frames ? 2 * t->frames : 64;
		t->frame = base_resize(t->frame, p->room, sizeof(*t->frame));
	}
	t->frame[t->frames++] = (struct pack_frame){
		.at = p->at,
		.raw_at = p->raw_at,
		.size = (uint32_t)f->packed.len,
		.raw = (uint32_t)f->raw.len,
		.hash = f->hash,
	};
	p->at += f->packed.len;
	p->raw_at += f->raw.len;
}

/* Write frames that are ready; with `wait` one at least, if any is under way.
 * How many were written, or -1. */
static int
write_ready(struct packer *p, bool wait, struct err *e)
{
	struct press_frame *f;
	int n = 0, got;

	while ((got = press_take(p->press, wait && n == 0, &f, e)) > 0) {
		if (fd_write_all(p->fd, f->packed.at, f->packed.len, e) < 0)
			return -1;
		add_frame(p, f);
		press_done(p->press);
		n++;
		if (p->opts->progress)
			p->opts->progress(p->opts->ctx, p->raw_at, p->raw_all);
	}
	return got < 0 ? -1 : n;
}

static int
open_frame(struct packer *p, struct err *e)
{
	if (p->frame)
		return 0;
	if (write_ready(p, false, e) < 0)
		return -1;
	while (!(p->frame = press_room(p->press)))
		if (write_ready(p, true, e) < 0)
			return -1;
	return 0;
}

static void
close_frame(struct packer *p)
{
	if (!p->frame || p->frame->raw.len == 0)
		return;
	press_give(p->press);
	p->frame = NULL;
}

/* ---- contents ---- */

static int
changed(const struct content *c, struct err *e)
{
	char shown[LOOK_SHOWN];

	return err_set(e, ERR_REFUSED,
		       "%s changed since the tree was looked at: wait until "
		       "nothing writes into it, and try again",
		       look_shown(c->first->path, shown));
}

/* The next bytes of a file into the frame, no more than fit into `limit`. */
static int
read_part(struct packer *p, const struct content *c, int fd, uint64_t left,
	  size_t limit, struct digest_run *run, struct err *e)
{
	char shown[LOOK_SHOWN];
	struct buf *raw;
	size_t len;
	ssize_t got;

	if (open_frame(p, e) < 0)
		return -1;
	raw = &p->frame->raw;
	len = limit - raw->len < READ_MAX ? limit - raw->len : READ_MAX;
	if (len > left)
		len = (size_t)left;
	do
		got = read(fd, buf_room(raw, len), len);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "%s", look_shown(c->first->path, shown));
	if (got == 0)
		return changed(c, e);
	digest_add(run, raw->at + raw->len, (size_t)got);
	raw->len += (size_t)got;
	if (raw->len == limit)
		close_frame(p);
	return (int)got;
}

static int
read_content(struct packer *p, const struct content *c, int fd, struct err *e)
{
	size_t limit = c->size >= PACK_LARGE ? PACK_LARGE_RAW : FRAME_RAW_MAX;
	uint64_t left = c->size;
	struct digest_run run;
	struct digest hash;
	char more;

	digest_begin(&run);
	while (left > 0) {
		int got = read_part(p, c, fd, left, limit, &run, e);

		if (got < 0)
			return -1;
		left -= (uint64_t)got;
	}
	digest_end(&run, &hash);
	if (!digest_eq(&hash, &c->hash) || read(fd, &more, 1) != 0)
		return changed(c, e);
	return 0;
}

static int
add_content(struct packer *p, const struct content *c, uint64_t *raw_at,
	    struct err *e)
{
	struct pack_blob *b = &p->table->blob[p->table->blobs++];
	AUTO_CLOSE int fd = open_beneath(p->opts->dirfd, c->first->path,
					 O_RDONLY | O_NONBLOCK, 0);
	bool large = c->size >= PACK_LARGE;
	char shown[LOOK_SHOWN];

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return changed(c, e);
	if (fd < 0)
		return err_sys(e, "%s", look_shown(c->first->path, shown));
	memcpy(b->head, c->hash.b, sizeof(b->head));
	b->at = *raw_at;
	b->size = c->size;
	*raw_at += c->size;
	if (large || (p->frame && c->size > FRAME_RAW_MAX - p->frame->raw.len))
		close_frame(p);
	if (read_content(p, c, fd, e) < 0)
		return -1;
	if (large) /* its last part shares no frame either */
		close_frame(p);
	return 0;
}

/* ---- the table ---- */

static int
write_table(struct packer *p, struct table_place *place, struct err *e)
{
	AUTO_CLEAR(buf) frame = { 0 };
	size_t len;
	AUTO_FREE char *text = pack_table_text(p->table, &len);

	frame_pack_text(TABLE_LEVEL, text, len, &frame);
	*place = (struct table_place){ .size = p->at + frame.len,
				       .at = p->at,
				       .raw = len };
	digest_of(frame.at, frame.len, &place->hash);
	return fd_write_all(p->fd, frame.at, frame.len, e);
}

static int
write_all(struct packer *p, struct table_place *place, struct err *e)
{
	uint64_t raw_at = 0;
	size_t i;
	int got;

	p->table->blob = base_array(p->opts->want_len, sizeof(*p->table->blob));
	for (i = 0; i < p->opts->want_len; i++)
		p->raw_all += p->opts->want[i]->size;
	for (i = 0; i < p->opts->want_len; i++)
		if (add_content(p, p->opts->want[i], &raw_at, e) < 0)
			return -1;
	close_frame(p);
	while ((got = write_ready(p, true, e)) > 0)
		;
	return got < 0 ? -1 : write_table(p, place, e);
}

int
pack_write(const struct pack_opts *opts, int fd, struct table_place *place,
	   struct pack_table **table, struct err *e)
{
	AUTO(press) press = NULL;
	AUTO(pack_table) t = base_alloc(sizeof(*t));
	struct packer p = { .opts = opts, .fd = fd, .table = t };

	if (press_open(&press, opts->level, opts->threads, e) < 0)
		return -1;
	p.press = press;
	if (write_all(&p, place, e) < 0)
		return -1;
	if (table)
		*table = STEAL(t);
	return 0;
}
