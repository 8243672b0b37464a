/* Which frames of earlier packs serve this version, and what is packed anew.
 * They are read before they are relied upon, and of a pack where one is damaged
 * none is used: a disk's damage must not go on into every later version. A
 * reader takes a content from the first pack that has it; the new pack stands
 * first, so the packs are gone through in their order: of each, the frames that
 * are wanted nearly whole are used again, and what else of ours is in it goes
 * into the new one. */
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/publish_parts.h"

#define SOURCES_MAX 15 /* packs of others in a seal */
#define WANTED_OF 8    /* of so many raw bytes of a frame one may be in vain */
#define TABLE_TIMES 8  /* a pack must save more than reading its table costs */

enum { UNDECIDED, ANEW, FOUND };

struct full {
	struct publishing *p;
	const struct manifest *m;
	struct contents *contents;
	unsigned char *where; /* by content: one of the above */
	const struct full_source *from;
	size_t from_len;
};

/* ---- one pack of others ---- */

struct candidate {
	const struct full *f;
	struct pack_table *t;
	bool *kept;       /* by frame */
	uint64_t *wanted; /* raw bytes, by frame */
};

/* 0: its table cannot be read, which is told. */
static int
candidate_open(struct candidate *c, const struct full *f,
	       const struct seal_file *file)
{
	struct err why = { 0 };

	*c = (struct candidate){ .f = f };
	if (shelf_pack(f->p->shelf->trees, file, &c->t, &why) < 0) {
		publish_say(f->p, "not used again: %s", why.text);
		return 0;
	}
	c->kept = base_array(c->t->frames + 1, sizeof(*c->kept));
	c->wanted = base_array(c->t->frames + 1, sizeof(*c->wanted));
	return 1;
}

static void
candidate_clear(struct candidate *c)
{
	pack_table_free(c->t);
	free(c->kept);
	free(c->wanted);
}

static const struct content *
wanted_content(const struct full *f, const struct pack_blob *b)
{
	const struct content *c = contents_short(f->contents, b->head);

	return c && c->size == b->size && f->where[c->at] == UNDECIDED ? c
								       : NULL;
}

/* The frames [first, last] that a blob stands in; *at moves with the blobs. */
static size_t
last_frame(const struct pack_table *t, const struct pack_blob *b, size_t *at)
{
	size_t last;

	while (t->frame[*at].raw_at + t->frame[*at].raw <= b->at)
		(*at)++;
	for (last = *at; last + 1 < t->frames &&
			 t->frame[last + 1].raw_at < b->at + b->size;)
		last++;
	return last;
}

static bool
all_kept(const struct candidate *c, size_t first, size_t last)
{
	for (; first <= last; first++)
		if (!c->kept[first])
			return false;
	return true;
}

/* How many raw bytes of a frame belong to a blob. */
static uint64_t
overlap(const struct pack_frame *f, const struct pack_blob *b)
{
	uint64_t from = f->raw_at > b->at ? f->raw_at : b->at;
	uint64_t f_end = f->raw_at + f->raw, b_end = b->at + b->size;

	return (f_end < b_end ? f_end : b_end) - from;
}

static void
count_wanted(struct candidate *c)
{
	size_t i, k, at = 0, last;

	memset(c->wanted, 0, c->t->frames * sizeof(*c->wanted));
	for (i = 0; i < c->t->blobs; i++) {
		const struct pack_blob *b = &c->t->blob[i];

		last = last_frame(c->t, b, &at);
		if (!wanted_content(c->f, b) || !all_kept(c, at, last))
			continue;
		for (k = at; k <= last; k++)
			c->wanted[k] += overlap(&c->t->frame[k], b);
	}
}

/* Drop frames until all that are left are worth it: a content that reaches
 * into a dropped frame is lost to its other frames. */
static void
choose_frames(struct candidate *c)
{
	bool dropped = true;
	size_t i;

	for (i = 0; i < c->t->frames; i++)
		c->kept[i] = true;
	while (dropped) {
		dropped = false;
		count_wanted(c);
		for (i = 0; i < c->t->frames; i++) {
			uint64_t raw = c->t->frame[i].raw;

			if (!c->kept[i] ||
			    c->wanted[i] >= raw - raw / WANTED_OF)
				continue;
			c->kept[i] = false;
			dropped = true;
		}
	}
}

/* How many of the kept frames are damaged; those are told. */
static size_t
find_bad(struct candidate *c, const struct seal_file *file)
{
	AUTO_CLEAR(buf) bytes = { 0 };
	size_t i, found = 0;

	for (i = 0; i < c->t->frames; i++) {
		const struct pack_frame *f = &c->t->frame[i];
		const struct shelf_piece p = { file->path, file->place.size,
					       f->at, f->size, f->hash };
		struct err why = { 0 };

		if (!c->kept[i])
			continue;
		buf_reset(&bytes);
		if (shelf_read(c->f->p->shelf->trees, &p, &bytes, &why) == 0)
			continue;
		publish_say(c->f->p, "packed anew: %s", why.text);
		found++;
	}
	return found;
}

static uint64_t
kept_bytes(const struct candidate *c)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < c->t->frames; i++)
		sum += c->kept[i] ? c->t->frame[i].size : 0;
	return sum;
}

/* What of ours stands in this pack is decided now. */
static void
settle(struct full *f, const struct candidate *c)
{
	size_t i, at = 0, last;

	for (i = 0; i < c->t->blobs; i++) {
		const struct pack_blob *b = &c->t->blob[i];
		const struct content *mine = wanted_content(f, b);

		last = last_frame(c->t, b, &at);
		if (mine)
			f->where[mine->at] =
				all_kept(c, at, last) ? FOUND : ANEW;
	}
}

/* ---- all packs of others ---- */

static bool
is_listed(const struct seal *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->fulls; i++)
		if (str_eq(s->full[i].path, path))
			return true;
	return false;
}

static void
list_full(struct seal *s, const struct seal_file *file)
{
	s->full = base_resize(s->full, s->fulls + 1, sizeof(*s->full));
	s->full[s->fulls++] = *file;
}

static void
try_pack(struct full *f, const struct seal_file *file)
{
	const uint64_t table = file->place.size - file->place.at;
	AUTO_CLEAR(candidate) c = { 0 };
	uint64_t saved;

	if (f->p->seal->fulls >= SOURCES_MAX ||
	    is_listed(f->p->seal, file->path) || !candidate_open(&c, f, file))
		return;
	choose_frames(&c);
	saved = kept_bytes(&c);
	if (saved <= TABLE_TIMES * table || find_bad(&c, file) > 0)
		return;
	settle(f, &c);
	f->p->result->reused += saved;
	list_full(f->p->seal, file);
}

static void
try_all(struct full *f)
{
	size_t i, k;

	for (i = 0; i < f->from_len; i++)
		for (k = 0; k < f->from[i].seal->fulls; k++)
			try_pack(f, &f->from[i].seal->full[k]);
}

/* ---- the new pack ---- */

static size_t
collect(const struct full *f, const struct content **out)
{
	size_t i, len = 0;

	for (i = 0; i < contents_len(f->contents); i++)
		if (f->where[i] != FOUND)
			out[len++] = contents_at(f->contents, i);
	pack_order(out, len);
	return len;
}

static int
write_pack(struct full *f, int dirfd, int level, struct err *e)
{
	AUTO_FREE const struct content **want =
		base_array(contents_len(f->contents) + 1, sizeof(*want));
	struct pack_opts opts = { .dirfd = dirfd,
				  .want = want,
				  .want_len = collect(f, want),
				  .level = level,
				  .threads = f->p->o->threads,
				  .progress = publish_progress,
				  .ctx = f->p };
	struct table_place place = { 0 };
	struct seal_file file;
	AUTO_CLOSE int fd = -1;

	if (opts.want_len == 0)
		return 0;
	f->p->stage = "pack";
	fd = part_begin(f->p, e);
	if (fd < 0 || pack_write(&opts, fd, &place, NULL, e) < 0 ||
	    part_end(f->p, fd, "full", ".pack", &place, &file, e) < 0)
		return -1;
	/* first: what is in it is taken from it */
	list_full(f->p->seal, &file);
	memmove(f->p->seal->full + 1, f->p->seal->full,
		(f->p->seal->fulls - 1) * sizeof(file));
	f->p->seal->full[0] = file;
	return 0;
}

static void
begin(struct full *f)
{
	f->contents = contents_of(f->m);
	f->where = base_alloc(contents_len(f->contents) + 1);
}

static void
end(struct full *f)
{
	contents_free(f->contents);
	free(f->where);
}

int
full_make(struct publishing *p, const struct full_source *from, size_t from_len,
	  int dirfd, struct err *e)
{
	struct full f = {
		.p = p, .m = p->made, .from = from, .from_len = from_len
	};
	int failed;

	begin(&f);
	try_all(&f);
	failed = write_pack(&f, dirfd,
			    p->o->level ? p->o->level : PUBLISH_LEVEL, e);
	end(&f);
	return failed ? -1 : 0;
}

/* ---- better ---- */

/* As a reader chooses: what the first had is ours. */
static void
mark_first(struct full *f, const struct seal_file *first)
{
	AUTO_CLEAR(candidate) c = { 0 };
	size_t i;

	if (!candidate_open(&c, f, first))
		return;
	for (i = 0; i < c.t->blobs; i++) {
		const struct content *mine = wanted_content(f, &c.t->blob[i]);

		if (mine)
			f->where[mine->at] = ANEW;
	}
}

/* A pack of others stays, unless something in it is damaged: also what we do
 * not need, or nobody could be rid of that pack. */
static void
keep_pack(struct full *f, const struct seal_file *file)
{
	AUTO_CLEAR(candidate) c = { 0 };

	if (!candidate_open(&c, f, file))
		return;
	memset(c.kept, true, c.t->frames);
	if (find_bad(&c, file) > 0)
		return;
	settle(f, &c);
	list_full(f->p->seal, file);
}

int
full_better(struct publishing *p, const struct seal *old, int dirfd,
	    struct err *e)
{
	AUTO_FREE char *own = base_printf("%s/%s/", p->o->role, p->o->version);
	struct full f = { .p = p, .m = p->made };
	size_t i, first;
	int failed;

	first = old->fulls > 0 && str_starts(old->full[0].path, own);
	begin(&f);
	if (first)
		mark_first(&f, &old->full[0]);
	for (i = first; i < old->fulls; i++)
		keep_pack(&f, &old->full[i]);
	failed = write_pack(&f, dirfd,
			    p->o->level ? p->o->level : PUBLISH_LEVEL_BEST, e);
	end(&f);
	return failed;
}
