/* A delta between two trees: every new content that the old tree lacks, paired
 * with what it likeliest came from, patched in all ways that are worth
 * trying, replayed, and written in the manifest's order. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/file.h"

#include "rsyncd/ordered.h"
#include "rsyncd/patch_pair.h"
#include "rsyncd/patch_try.h"

#define LARGE (64UL << 20)    /* old + new: librsync is tried, too */
#define GZIP_MIN (64UL << 10) /* smaller gzip files: when thorough only */
#define SYMBOLS_MIN (2UL << 10)
/* Symbols that any client makes a file of in the time of a question: a larger
 * patch of it would only lie between two that are asked for. */
#define SYMBOLS_ALONE (512UL << 10)
#define WHOLE_SHARE 4 /* a patch above 1/4: whole is tried, too */
#define HASH_ROOM (1UL << 20)

/* What was made of a pair: the smallest of each sort. Whoever gets bytes sooner
 * than deflate, or the bits of symbols, are made takes one further down. */
enum sort { SORT_GZIP, SORT_SYMBOLS, SORT_PLAIN, SORTS };
struct made {
	struct attempt of[SORTS];
};

struct maker {
	const struct patch_opts *o;
	struct patch_pair *pair;
	struct made *made; /* of each pair, while it waits to be written */
	size_t pairs;
	int tmp_dirfd, fd;
	uint64_t at; /* bytes written */
	struct patch_table table;
	size_t piece_room;
	struct patch_counts counts;
	uint64_t raw_all;
};

/* ---- one content ---- */

struct pair_files {
	const struct patch_pair *pair;
	struct side old, new;
};

static int
changed(const struct content *c, struct err *e)
{
	return err_set(e, ERR_REFUSED, "%s: it changed since it was walked",
		       c->first->path);
}

static int
open_side(struct side *s, int dirfd, const struct content *c, struct err *e)
{
	struct stat st;

	s->fd = open_beneath(dirfd, c->first->path, O_RDONLY | O_NONBLOCK, 0);
	if (s->fd < 0 &&
	    (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return changed(c, e);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return err_sys(e, "%s", c->first->path);
	s->size = c->size;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != c->size)
		return changed(c, e);
	return 0;
}

/* Bring it into memory when the worker's room is enough. */
static int
load_side(struct side *s, char *room, size_t most, struct err *e)
{
	if (s->size > most)
		return 0;
	s->mem = room;
	return read_at(s->fd, 0, room, (size_t)s->size, e);
}

/* A patch of a file that is not what the manifest says would be of no use to
 * anyone. (For the new content, the replay says so in most cases.) */
static int
check_side(const struct side *s, const struct content *c, char *room,
	   struct err *e)
{
	struct digest_run run;
	struct digest got;
	uint64_t at;

	digest_begin(&run);
	if (s->mem)
		digest_add(&run, s->mem, (size_t)s->size);
	for (at = 0; !s->mem && at < s->size; at += HASH_ROOM) {
		size_t len = s->size - at < HASH_ROOM ? (size_t)(s->size - at)
						      : HASH_ROOM;

		if (read_at(s->fd, at, room, len, e) < 0)
			return -1;
		digest_add(&run, room, len);
	}
	digest_end(&run, &got);
	return digest_eq(&got, &c->hash) ? 0 : changed(c, e);
}

/* The smaller one stays in `best`; of equals the one that needs no base. */
static void
keep_smaller(struct attempt *best, struct attempt *a)
{
	struct attempt loser = *a;
	uint64_t most = best->packed.len - (a->op.kind == PATCH_WHOLE ? 0 : 1);

	if (best->op.pieces == 0 || a->packed.len <= most) {
		loser = *best;
		*best = *a;
	}
	attempt_clear(&loser);
}

/* In the order in which they are tried. */
enum way { WAY_SYMBOLS, WAY_GZIP, WAY_ZSTD, WAY_WHOLE, WAY_RSYNC, WAYS };

static enum sort
sort_of(enum way way)
{
	return way == WAY_SYMBOLS ? SORT_SYMBOLS
	       : way == WAY_GZIP  ? SORT_GZIP
				  : SORT_PLAIN;
}

static bool
is_made(const struct attempt *a)
{
	return a->op.pieces > 0;
}

/* Other matches were chosen all over the file, or none can be made again. */
static bool
symbols_are_poor(const struct made *made, uint64_t size)
{
	const struct attempt *a = &made->of[SORT_SYMBOLS];

	return !is_made(a) || a->packed.len > size / 4 * 3;
}

static bool
worth_trying(enum way way, const struct patch_opts *o,
	     const struct pair_files *f, const struct made *made)
{
	const uint64_t size = f->new.size;

	switch (way) {
	case WAY_SYMBOLS:
		return f->pair->old && (o->thorough || size >= SYMBOLS_MIN);
	case WAY_ZSTD: /* two gzip files have no more than a header in common */
		return f->pair->old &&
		       (o->thorough || !is_made(&made->of[SORT_SYMBOLS]));
	case WAY_WHOLE:
		return !f->pair->old || o->thorough ||
		       !is_made(&made->of[SORT_PLAIN]) ||
		       made->of[SORT_PLAIN].packed.len > size / WHOLE_SHARE;
	case WAY_GZIP:
		return f->pair->old &&
		       (o->thorough ||
			(size >= GZIP_MIN && symbols_are_poor(made, size)));
	case WAY_RSYNC:
		return f->pair->old &&
		       (o->thorough || f->old.size + size > LARGE);
	default:
		return false;
	}
}

static int
try_way(enum way way, struct patch_worker *w, struct pair_files *f,
	struct attempt *a, struct err *e)
{
	switch (way) {
	case WAY_WHOLE:
		return try_zstd(w, NULL, &f->new, a, e);
	case WAY_SYMBOLS:
		return try_symbols(w, &f->old, &f->new, a, e);
	case WAY_GZIP:
		return try_gzip(w, &f->old, &f->new, a, e);
	case WAY_RSYNC:
		return try_rsync(w, &f->old, &f->new, a, e);
	default:
		return try_zstd(w, &f->old, &f->new, a, e);
	}
}

/* More bytes for more work are of no use. */
static void
drop_useless(struct made *made)
{
	struct attempt *best = NULL;
	int i;

	for (i = SORTS; i-- > 0;) {
		struct attempt *a = &made->of[i];

		if (!is_made(a))
			continue;
		if (best && a->packed.len >= best->packed.len)
			attempt_clear(a);
		else
			best = a;
	}
	if (best == &made->of[SORT_SYMBOLS] &&
	    best->op.new_raw <= SYMBOLS_ALONE)
		attempt_clear(&made->of[SORT_PLAIN]);
}

static int
try_ways(const struct maker *m, struct patch_worker *w, struct pair_files *f,
	 struct made *made, struct err *e)
{
	enum way way;

	for (way = 0; way < WAYS; way++) {
		struct attempt a = { .packed = { .dirfd = m->tmp_dirfd,
						 .fd = -1 } };
		int got;

		if (!worth_trying(way, m->o, f, made))
			continue;
		got = try_way(way, w, f, &a, e);
		if (got >= 0 && is_made(&a))
			keep_smaller(&made->of[sort_of(way)], &a);
		else
			attempt_clear(&a);
		if (got < 0)
			return -1;
	}
	return 0;
}

static void
fill_op(struct patch_op *op, const struct patch_pair *pair)
{
	memcpy(op->new_head, pair->new->hash.b, sizeof(op->new_head));
	op->new_size = pair->new->size;
	if (op->kind == PATCH_WHOLE)
		return;
	memcpy(op->old_head, pair->old->hash.b, sizeof(op->old_head));
	op->old_size = pair->old->size;
}

static int
make_files(const struct maker *m, struct patch_worker *w, struct pair_files *f,
	   struct made *made, struct err *e)
{
	const struct content *old = f->pair->old, *new = f->pair->new;
	int i;

	if (open_side(&f->new, m->o->new_dirfd, new, e) < 0 ||
	    load_side(&f->new, w->new_room, PATCH_NEW_ROOM, e) < 0)
		return -1;
	if (old && (open_side(&f->old, m->o->old_dirfd, old, e) < 0 ||
		    load_side(&f->old, w->old_room, PATCH_OLD_ROOM, e) < 0 ||
		    check_side(&f->old, old, w->old_room, e) < 0))
		return -1;
	if (try_ways(m, w, f, made, e) < 0)
		return err_add(e, "%s", new->first->path);
	for (i = 0; i < SORTS; i++)
		if (is_made(&made->of[i]))
			fill_op(&made->of[i].op, f->pair);
	/* of others the inside was replayed */
	if (try_replay(&made->of[SORT_PLAIN], f->old.fd, m->tmp_dirfd,
		       &new->hash, e) < 0)
		return err_add(e, "%s", new->first->path);
	drop_useless(made);
	return 0;
}

static int
make_op(void *ctx, void *worker, size_t i, struct err *e)
{
	struct maker *m = ctx;
	struct pair_files f = { .pair = &m->pair[i],
				.old.fd = -1,
				.new.fd = -1 };
	int got = make_files(m, worker, &f, &m->made[i], e);

	if (f.old.fd >= 0)
		close(f.old.fd);
	if (f.new.fd >= 0)
		close(f.new.fd);
	return got;
}

/* ---- all of them ---- */

static void *
worker_new(void *ctx)
{
	const struct maker *m = ctx;

	return patch_worker_new(m->o->level, m->tmp_dirfd);
}

static void
worker_free(void *worker)
{
	patch_worker_free(worker);
}

/* The attempt's pieces go into the delta. */
static int
write_pieces(struct maker *m, const struct attempt *a, struct err *e)
{
	struct patch_table *t = &m->table;
	size_t i;

	if (t->pieces + a->op.pieces > m->piece_room) {
		m->piece_room = (t->pieces + a->op.pieces) * 2;
		t->piece =
			base_resize(t->piece, m->piece_room, sizeof(*t->piece));
	}
	for (i = 0; i < a->op.pieces; i++) {
		t->piece[t->pieces] = a->piece[i];
		t->piece[t->pieces++].at += m->at;
	}
	m->at += a->packed.len;
	return spool_give(&a->packed, m->fd, e);
}

static void
count(struct patch_counts *c, const struct attempt *a)
{
	size_t *const by_kind[] = { [PATCH_WHOLE] = &c->whole,
				    [PATCH_ZSTD] = &c->zstd,
				    [PATCH_GZIP] = &c->gzip,
				    [PATCH_SYMBOLS] = &c->symbols,
				    [PATCH_RSYNC] = &c->rsync };

	++*by_kind[a->op.kind];
	c->raw_bytes += a->op.new_size;
	c->packed_bytes += a->packed.len;
}

/* It goes into the delta. */
static int
take_attempt(struct maker *m, struct attempt *a, struct err *e)
{
	struct patch_op *op = &m->table.op[m->table.ops++];
	int got;

	*op = a->op;
	op->piece = m->table.pieces;
	got = write_pieces(m, a, e);
	a->op.header = NULL; /* the table's now */
	attempt_clear(a);
	return got;
}

static int
take_op(void *ctx, size_t i, struct err *e)
{
	struct maker *m = ctx;
	struct made *made = &m->made[i];
	int got = 0, k;
	bool first = true;

	for (k = 0; k < SORTS && got == 0; k++) {
		if (!is_made(&made->of[k]))
			continue;
		if (first)
			count(&m->counts, &made->of[k]);
		first = false;
		got = take_attempt(m, &made->of[k], e);
	}
	if (m->o->progress)
		m->o->progress(m->o->ctx, m->counts.raw_bytes, m->raw_all);
	return got;
}

static int
write_manifest(struct maker *m, struct err *e)
{
	struct side old = { .fd = -1,
			    .mem = m->o->old->text,
			    .size = m->o->old->text_len };
	struct side new = { .fd = -1,
			    .mem = m->o->new->text,
			    .size = m->o->new->text_len };
	struct attempt a = { .packed = { .dirfd = m->tmp_dirfd, .fd = -1 } };
	struct patch_worker *w = patch_worker_new(m->o->level, m->tmp_dirfd);
	int got = try_zstd(w, &old, &new, &a, e);

	if (got == 0)
		got = write_pieces(m, &a, e);
	m->table.manifest_pieces = m->table.pieces;
	attempt_clear(&a);
	patch_worker_free(w);
	return got;
}

static int
write_table(struct maker *m, struct table_place *place, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_CLEAR(buf) frame = { 0 };
	size_t len;

	text = patch_table_text(&m->table, &len);
	if (len > PATCH_TABLE_MAX)
		return err_set(e, ERR_REFUSED, "too many patches");
	frame_pack_text(m->o->level, text, len, &frame);
	*place = (struct table_place){ .size = m->at + frame.len,
				       .at = m->at,
				       .raw = len };
	digest_of(frame.at, frame.len, &place->hash);
	return fd_write_all(m->fd, frame.at, frame.len, e);
}

static void
count_same(struct maker *m, const struct contents *olds,
	   const struct contents *news)
{
	size_t i;

	for (i = 0; i < contents_len(news); i++) {
		const struct content *c = contents_at(news, i);

		if (contents_find(olds, &c->hash)) {
			m->counts.same++;
			m->counts.same_bytes += c->size;
		} else {
			m->raw_all += c->size;
		}
	}
}

static int
write_all(struct maker *m, struct table_place *place, struct err *e)
{
	struct ordered jobs = { .jobs = m->pairs,
				.threads = m->o->threads,
				.worker_new = worker_new,
				.worker_free = worker_free,
				.make = make_op,
				.take = take_op,
				.ctx = m };
	size_t i, k;

	for (i = 0; i < m->pairs; i++)
		for (k = 0; k < SORTS; k++)
			m->made[i].of[k].packed =
				(struct spool){ .dirfd = m->tmp_dirfd,
						.fd = -1 };
	if (write_manifest(m, e) < 0)
		return -1;
	if (m->pairs > 0 && ordered_run(&jobs, e) < 0)
		return -1;
	return write_table(m, place, e);
}

static void
maker_clear(struct maker *m)
{
	size_t i, k;

	for (i = 0; i < m->pairs; i++)
		for (k = 0; k < SORTS; k++)
			attempt_clear(&m->made[i].of[k]);
	for (i = 0; i < m->table.ops; i++)
		free(m->table.op[i].header);
	free(m->table.op);
	free(m->table.piece);
	free(m->made);
	free(m->pair);
}

int
patch_write(const struct patch_opts *opts, int fd, struct table_place *place,
	    struct patch_counts *counts, struct err *e)
{
	const char *tmp = opts->tmp ? opts->tmp : "/var/tmp";
	AUTO_CLOSE int dirfd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(contents) olds = contents_of(opts->old);
	AUTO(contents) news = contents_of(opts->new);
	struct maker m = { .o = opts, .fd = fd, .tmp_dirfd = dirfd };
	int got;

	if (dirfd < 0)
		return err_sys(e, "%s", tmp);
	m.pairs = patch_pairs(opts->old, olds, opts->new, news, &m.pair);
	m.made = base_array(m.pairs, sizeof(*m.made));
	m.table.op = base_array(SORTS * m.pairs, sizeof(*m.table.op));
	memcpy(m.table.from, opts->old->root, HASH_HEX);
	memcpy(m.table.to, opts->new->root, HASH_HEX);
	count_same(&m, olds, news);
	got = write_all(&m, place, e);
	if (got == 0 && counts)
		*counts = m.counts;
	maker_clear(&m);
	return got;
}
