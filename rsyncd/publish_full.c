/* Which frames of earlier packs serve this version, and what is packed anew.
 * A reader takes a content from the first pack that has it; the new pack
 * stands first, so the packs are gone through in their order: of each, the
 * frames that are wanted nearly whole are used again, and what else of ours is
 * in it goes into the new one. */
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
	const struct pack_table *t;
	bool *kept;       /* by frame */
	uint64_t *wanted; /* raw bytes, by frame */
};

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

	memset(c->kept, true, c->t->frames);
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

static int
try_pack(struct full *f, const struct seal_file *file, struct err *e)
{
	AUTO(pack_table) t = NULL;
	AUTO_FREE bool *kept = NULL;
	AUTO_FREE uint64_t *wanted = NULL;
	struct candidate c = { .f = f };
	uint64_t saved;

	if (f->p->seal->fulls >= SOURCES_MAX ||
	    is_listed(f->p->seal, file->path))
		return 0;
	if (shelf_pack(f->p->shelf->trees, file, &t, e) < 0)
		return -1;
	c.t = t;
	c.kept = kept = base_array(t->frames + 1, sizeof(*kept));
	c.wanted = wanted = base_array(t->frames + 1, sizeof(*wanted));
	choose_frames(&c);
	saved = kept_bytes(&c);
	if (saved <= TABLE_TIMES * (file->place.size - file->place.at))
		return 0;
	settle(f, &c);
	f->p->result->reused += saved;
	list_full(f->p->seal, file);
	return 0;
}

static int
try_all(struct full *f, struct err *e)
{
	size_t i, k;

	for (i = 0; i < f->from_len; i++)
		for (k = 0; k < f->from[i].seal->fulls; k++)
			if (try_pack(f, &f->from[i].seal->full[k], e) < 0)
				return -1;
	return 0;
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
	failed = try_all(&f, e) < 0 ||
		 write_pack(&f, dirfd,
			    p->o->level ? p->o->level : PUBLISH_LEVEL, e) < 0;
	end(&f);
	return failed ? -1 : 0;
}

/* ---- better ---- */

/* Of the packs that stay, as a reader chooses: what the first had is ours. */
static int
mark_first(struct full *f, const struct seal_file *first, struct err *e)
{
	AUTO(pack_table) t = NULL;
	size_t i;

	if (shelf_pack(f->p->shelf->trees, first, &t, e) < 0)
		return -1;
	memset(f->where, FOUND, contents_len(f->contents));
	for (i = 0; i < t->blobs; i++) {
		const struct content *c =
			contents_short(f->contents, t->blob[i].head);

		if (c && c->size == t->blob[i].size)
			f->where[c->at] = ANEW;
	}
	return 0;
}

int
full_better(struct publishing *p, const struct seal *old, int dirfd,
	    struct err *e)
{
	AUTO_FREE char *own = base_printf("%s/%s/", p->o->role, p->o->version);
	struct full f = { .p = p, .m = p->made };
	size_t i, first;
	int failed;

	/* all is in packs of others: there is nothing to better */
	first = old->fulls > 0 && str_starts(old->full[0].path, own);
	for (i = first; i < old->fulls; i++)
		list_full(p->seal, &old->full[i]);
	if (!first)
		return 0;
	begin(&f);
	failed = mark_first(&f, &old->full[0], e) < 0 ||
		 write_pack(&f, dirfd,
			    p->o->level ? p->o->level : PUBLISH_LEVEL_BEST,
			    e) < 0;
	end(&f);
	return failed ? -1 : 0;
}
