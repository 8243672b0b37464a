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
#include "rsyncd/patch_ways.h"

#define HASH_ROOM (1UL << 20)

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

static int
make_files(const struct maker *m, struct patch_worker *w, struct pair_files *f,
	   struct made *made, struct err *e)
{
	const struct content *old = f->pair->old, *new = f->pair->new;

	if (open_side(&f->new, m->o->new_dirfd, new, e) < 0 ||
	    load_side(&f->new, w->new_room, PATCH_NEW_ROOM, e) < 0)
		return -1;
	if (old && (open_side(&f->old, m->o->old_dirfd, old, e) < 0 ||
		    load_side(&f->old, w->old_room, PATCH_OLD_ROOM, e) < 0 ||
		    check_side(&f->old, old, w->old_room, e) < 0))
		return -1;
	return patch_ways(w, f, m->o->thorough, made, e) < 0
		       ? err_add(e, "%s", new->first->path)
		       : 0;
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

	for (k = 0; k < MADE_SORTS && got == 0; k++) {
		if (!attempt_is_made(&made->of[k]))
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
	size_t i;

	for (i = 0; i < m->pairs; i++)
		made_begin(&m->made[i], m->tmp_dirfd);
	if (write_manifest(m, e) < 0)
		return -1;
	if (m->pairs > 0 && ordered_run(&jobs, e) < 0)
		return -1;
	return write_table(m, place, e);
}

static void
maker_clear(struct maker *m)
{
	size_t i;

	for (i = 0; i < m->pairs; i++)
		made_clear(&m->made[i]);
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
	m.table.op = base_array(MADE_SORTS * m.pairs, sizeof(*m.table.op));
	memcpy(m.table.from, opts->old->root, HASH_HEX);
	memcpy(m.table.to, opts->new->root, HASH_HEX);
	count_same(&m, olds, news);
	got = write_all(&m, place, e);
	if (got == 0 && counts)
		*counts = m.counts;
	maker_clear(&m);
	return got;
}
