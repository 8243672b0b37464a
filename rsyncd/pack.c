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

#define READ_MAX ((size_t)256 << 10)
#define TABLE_LEVEL 3
#define RAMP ((size_t)1 << 20) /* the first two frames, then twice that */

struct packer {
	const struct pack_opts *opts;
	int fd;
	struct press *press;
	struct press_frame *frame; /* that is filled now, or NULL */
	size_t opened;             /* frames so far */
	size_t limit;              /* raw bytes for this one */
	bool edited;               /* by people, what is in it */
	/* contents in this frame; hashed together when it is full */
	struct whole {
		const struct content *c;
		size_t at; /* in its raw bytes */
		struct digest got;
	} * whole;
	struct digest_job *job; /* one for each */
	size_t wholes, whole_room;
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

/* Large frames are small in sum; but all of a reader's workers should have one
 * soon, and not wait until as many large ones have come. */
static size_t
limit_of(size_t number)
{
	size_t limit = RAMP;

	while (number >= 2 && limit < FRAME_RAW_MAX) {
		limit *= 2;
		number -= 2;
	}
	return limit;
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
	p->limit = limit_of(p->opened++);
	return 0;
}

static int
changed(const struct content *c, struct err *e)
{
	char shown[LOOK_SHOWN];

	return err_set(e, ERR_REFUSED,
		       "%s changed since the tree was looked at: wait until "
		       "nothing writes into it, and try again",
		       look_shown(c->first->path, shown));
}

static void
add_whole(struct packer *p, const struct content *c)
{
	if (p->wholes == p->whole_room) {
		p->whole_room = 2 * p->whole_room + 256;
		p->whole =
			base_resize(p->whole, p->whole_room, sizeof(*p->whole));
		p->job = base_resize(p->job, p->whole_room, sizeof(*p->job));
	}
	p->whole[p->wholes++] =
		(struct whole){ .c = c, .at = p->frame->raw.len };
}

static int
check_wholes(struct packer *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->wholes; i++)
		p->job[i] =
			(struct digest_job){ p->frame->raw.at + p->whole[i].at,
					     p->whole[i].c->size,
					     &p->whole[i].got };
	digest_many(p->job, p->wholes);
	for (i = 0; i < p->wholes; i++)
		if (!digest_eq(&p->whole[i].got, &p->whole[i].c->hash))
			return changed(p->whole[i].c, e);
	p->wholes = 0;
	return 0;
}

static int
close_frame(struct packer *p, struct err *e)
{
	if (!p->frame || p->frame->raw.len == 0)
		return 0;
	if (check_wholes(p, e) < 0)
		return -1;
	press_give(p->press);
	p->frame = NULL;
	return 0;
}

/* ---- contents ---- */

/* The next bytes of a file into the frame; `run` of a large one. */
static int
read_part(struct packer *p, const struct content *c, int fd, uint64_t left,
	  struct digest_run *run, struct err *e)
{
	char shown[LOOK_SHOWN];
	struct buf *raw;
	size_t limit, len;
	ssize_t got;

	if (open_frame(p, e) < 0)
		return -1;
	raw = &p->frame->raw;
	limit = c->size >= PACK_LARGE ? PACK_LARGE_RAW : p->limit;
	if (c->size < PACK_LARGE && raw->len + left > limit)
		limit = raw->len + (size_t)left; /* more than others share */
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
	if (c->size >= PACK_LARGE)
		digest_add(run, raw->at + raw->len, (size_t)got);
	else if (left == c->size)
		add_whole(p, c);
	raw->len += (size_t)got;
	if (raw->len == limit && close_frame(p, e) < 0)
		return -1;
	return (int)got;
}

static int
read_content(struct packer *p, const struct content *c, int fd, struct err *e)
{
	uint64_t left = c->size;
	struct digest_run run;
	struct digest hash;
	char more;

	digest_begin(&run);
	while (left > 0) {
		int got = read_part(p, c, fd, left, &run, e);

		if (got < 0)
			return -1;
		left -= (uint64_t)got;
	}
	digest_end(&run, &hash);
	if (c->size >= PACK_LARGE && !digest_eq(&hash, &c->hash))
		return changed(c, e);
	return read(fd, &more, 1) != 0 ? changed(c, e) : 0;
}

static int
add_content(struct packer *p, const struct content *c, uint64_t *raw_at,
	    struct err *e)
{
	struct pack_blob *b = &p->table->blob[p->table->blobs++];
	AUTO_CLOSE int fd = open_beneath(p->opts->dirfd, c->first->path,
					 O_RDONLY | O_NONBLOCK, 0);
	bool large = c->size >= PACK_LARGE, edited = pack_is_edited(c);
	char shown[LOOK_SHOWN];

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return changed(c, e);
	if (fd < 0)
		return err_sys(e, "%s", look_shown(c->first->path, shown));
	memcpy(b->head, c->hash.b, sizeof(b->head));
	b->at = *raw_at;
	b->size = c->size;
	*raw_at += c->size;
	if ((large || edited != p->edited ||
	     (p->frame && p->frame->raw.len + c->size > p->limit)) &&
	    close_frame(p, e) < 0)
		return -1;
	p->edited = edited;
	if (read_content(p, c, fd, e) < 0)
		return -1;
	/* a large one's last part shares no frame either */
	return large ? close_frame(p, e) : 0;
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
	if (close_frame(p, e) < 0)
		return -1;
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
	int bad;

	if (press_open(&press, opts->level, opts->threads, e) < 0)
		return -1;
	p.press = press;
	bad = write_all(&p, place, e);
	free(p.whole);
	free(p.job);
	if (bad < 0)
		return -1;
	if (table)
		*table = STEAL(t);
	return 0;
}
