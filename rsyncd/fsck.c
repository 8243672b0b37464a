/* Each live version: seal and signature, manifest, every frame of its packs
 * and every content in them, every piece of its deltas and marks, whether the
 * packs have all that the manifest wants, and whether the view is the tree.
 * A pack that many versions name is read once. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "rsyncd/frame.h"
#include "rsyncd/fsck.h"
#include "rsyncd/publish_parts.h"
#include "rsyncd/walk.h"

struct check {
	const struct fsck_opts *o;
	struct fsck_result *out;
	const struct shelf *s;
	char **done; /* packs that were read */
	size_t done_len;
};

__attribute__((format(printf, 2, 3))) static void
problem(struct check *c, const char *fmt, ...)
{
	AUTO_CLEAR(buf) line = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	c->out->problems++;
	if (c->o->problem)
		c->o->problem(c->o->ctx, buf_text(&line));
}

static void
read_bytes(struct check *c, const char *path, uint64_t bytes)
{
	c->out->bytes += bytes;
	if (c->o->progress)
		c->o->progress(c->o->ctx, path, c->out->bytes);
}

/* ---- packs ---- */

struct contents_run { /* contents as they come out of the frames */
	const struct pack_table *t;
	size_t blob;
	uint64_t done; /* of this blob */
	struct digest_run hash;
};

static void
end_blob(struct check *c, struct contents_run *r, const char *path)
{
	struct digest d;

	digest_end(&r->hash, &d);
	if (memcmp(d.b, r->t->blob[r->blob].head, 12) != 0)
		problem(c, "%s: content %zu is not what its table tells", path,
			r->blob);
	r->blob++;
	r->done = 0;
}

static void
add_raw(struct check *c, struct contents_run *r, const char *path,
	const char *raw, size_t len)
{
	while (len > 0 && r->blob < r->t->blobs) {
		uint64_t left = r->t->blob[r->blob].size - r->done;
		size_t n = left < len ? (size_t)left : len;

		if (r->done == 0)
			digest_begin(&r->hash);
		digest_add(&r->hash, raw, n);
		r->done += n;
		raw += n;
		len -= n;
		if (r->done == r->t->blob[r->blob].size)
			end_blob(c, r, path);
	}
}

/* A damaged frame is told, and its contents cannot be looked at. */
static int
read_frames(struct check *c, const struct seal_file *f,
	    const struct pack_table *t)
{
	AUTO(frame_decoder) d = frame_decoder_new();
	AUTO_CLEAR(buf) packed = { 0 };
	AUTO_FREE char *raw = base_alloc(FRAME_RAW_MAX);
	struct contents_run r = { .t = t };
	size_t i;

	for (i = 0; i < t->frames; i++) {
		const struct pack_frame *x = &t->frame[i];
		const struct shelf_piece p = { f->path, f->place.size, x->at,
					       x->size, x->hash };
		struct err e = { 0 };

		if (shelf_read(c->s->trees, &p, &packed, &e) < 0 ||
		    frame_unpack(d, packed.at, packed.len, NULL, 0, raw, x->raw,
				 &e) < 0) {
			problem(c, "%s", e.text);
			return -1;
		}
		add_raw(c, &r, f->path, raw, x->raw);
		read_bytes(c, f->path, x->size);
	}
	return 0;
}

static bool
was_read(struct check *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->done_len; i++)
		if (str_eq(c->done[i], path))
			return true;
	c->done = base_resize(c->done, c->done_len + 1, sizeof(*c->done));
	c->done[c->done_len++] = base_strdup(path);
	c->out->files++;
	return false;
}

/* What of the version's contents this pack has. */
static void
mark_contents(const struct pack_table *t, const struct contents *all,
	      bool *there)
{
	size_t i;

	for (i = 0; i < t->blobs; i++) {
		const struct content *x = contents_short(all, t->blob[i].head);

		if (x && x->size == t->blob[i].size)
			there[x->at] = true;
	}
}

static void
check_packs(struct check *c, const struct seal *s, const struct manifest *m)
{
	AUTO(contents) all = contents_of(m);
	AUTO_FREE bool *there =
		base_array(contents_len(all) + 1, sizeof(*there));
	size_t i;

	for (i = 0; i < s->fulls; i++) {
		AUTO(pack_table) t = NULL;
		struct err e = { 0 };

		if (shelf_pack(c->s->trees, &s->full[i], &t, &e) < 0) {
			problem(c, "%s", e.text);
			continue;
		}
		mark_contents(t, all, there);
		if (!was_read(c, s->full[i].path))
			read_frames(c, &s->full[i], t);
	}
	for (i = 0; i < contents_len(all); i++)
		if (!there[i])
			problem(c, "%s %s: no pack has %s", s->role, s->version,
				contents_at(all, i)->first->path);
}

/* ---- deltas and marks ---- */

static int
read_table(struct check *c, const struct seal_file *f, char **text)
{
	const struct table_place *at = &f->place;
	const struct shelf_piece p = { f->path, at->size, at->at,
				       at->size - at->at, at->hash };
	AUTO_CLEAR(buf) frame = { 0 };
	struct err e = { 0 };

	c->out->files++;
	if (shelf_read(c->s->trees, &p, &frame, &e) == 0 &&
	    frame_unpack_text(frame.at, frame.len, at->raw, text, &e) == 0)
		return 0;
	problem(c, "%s", e.text);
	return -1;
}

static void
check_piece(struct check *c, const struct seal_file *f,
	    const struct patch_piece *piece)
{
	const struct shelf_piece p = { f->path, f->place.size, piece->at,
				       piece->size, piece->hash };
	AUTO_CLEAR(buf) bytes = { 0 };
	struct err e = { 0 };

	if (shelf_read(c->s->trees, &p, &bytes, &e) < 0)
		problem(c, "%s", e.text);
	read_bytes(c, f->path, piece->size);
}

static void
check_delta(struct check *c, const struct seal *s, const struct seal_file *f)
{
	AUTO_FREE char *text = NULL;
	AUTO(patch_table) t = NULL;
	struct err e = { 0 };
	size_t i;

	if (read_table(c, f, &text) < 0)
		return;
	if (patch_table_parse(&t, text, f->place.raw, f->place.at, f->path,
			      &e) < 0) {
		problem(c, "%s", e.text);
		return;
	}
	if (!str_eq(t->from, f->from_root) || !str_eq(t->to, s->root))
		problem(c, "%s: leads elsewhere than its seal tells", f->path);
	for (i = 0; i < t->pieces; i++)
		check_piece(c, f, &t->piece[i]);
}

static void
check_marks(struct check *c, const struct seal_file *f)
{
	AUTO_FREE char *text = NULL;
	AUTO(mark_table) t = NULL;
	struct err e = { 0 };
	size_t i;

	if (!f->path[0] || read_table(c, f, &text) < 0)
		return;
	if (mark_table_parse(&t, text, f->place.raw, f->place.at, f->path, &e) <
	    0) {
		problem(c, "%s", e.text);
		return;
	}
	for (i = 0; i < t->len; i++)
		check_piece(c, f, &t->mark[i].piece);
}

/* ---- signatures, and the view ---- */

static void
check_head(struct check *c, const char *dir)
{
	AUTO_FREE char *path = base_printf("%s/HEAD", dir);
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	struct head h;
	size_t len;

	if (file_read(path, HEAD_TEXT_MAX, &text, &len, &e) < 0 ||
	    head_read(&h, text, len, c->o->trust, path, &e) < 0)
		problem(c, "%s", e.text);
}

static void
check_signatures(struct check *c, const struct seal *s)
{
	AUTO_FREE char *dir =
		base_printf("%s/%s/%s", c->s->trees, s->role, s->version);
	AUTO_FREE char *path = base_printf("%s/seal-%s", dir, s->hash);
	AUTO_FREE char *text = NULL;
	AUTO(seal) again = NULL;
	struct err e = { 0 };
	size_t len;

	check_head(c, dir);
	if (file_read(path, SEAL_TEXT_MAX, &text, &len, &e) < 0 ||
	    seal_read(&again, text, len, c->o->trust, path, &e) < 0)
		problem(c, "%s", e.text);
}

static void
check_view(struct check *c, const struct seal *s, const struct manifest *m)
{
	AUTO_FREE char *dir =
		base_printf("%s/install/%s/%s", c->o->top, s->version, s->role);
	const struct walk_opts opts = { .dir = dir, .threads = c->o->threads };
	AUTO(manifest) found = NULL;
	struct err e = { 0 };
	const char *path;

	if (!file_exists(dir)) {
		problem(c, "%s: there is no view for rsync", dir);
		return;
	}
	if (walk(&opts, &found, &e) < 0) {
		problem(c, "%s", e.text);
		return;
	}
	path = publish_differ(found, m);
	if (path)
		problem(c, "%s: not the tree that is published: %s", dir, path);
	read_bytes(c, dir, found->bytes);
}

/* ---- the door ---- */

static void
check_seal(struct check *c, const struct seal *s, bool is_signed)
{
	AUTO(manifest) m = NULL;
	struct err e = { 0 };
	size_t i;

	if (is_signed && c->o->trust)
		check_signatures(c, s);
	c->out->files += 2;
	if (shelf_manifest(c->s->trees, s, &m, &e) < 0) {
		problem(c, "%s", e.text);
		return;
	}
	check_packs(c, s, m);
	for (i = 0; i < s->deltas; i++)
		check_delta(c, s, &s->delta[i]);
	check_marks(c, &s->marks);
	check_view(c, s, m);
}

static void
check_role(struct check *c)
{
	AUTO_FREE char *dir = base_printf("%s/%s", c->s->trees, c->s->role);
	size_t i;

	for (i = 0; i < c->s->len; i++) {
		const struct shelf_version *v = &c->s->at[i];

		c->out->versions++;
		if (v->broken)
			problem(c, "%s", v->broken);
		if (v->live)
			check_seal(c, v->live, true);
		if (v->waiting)
			check_seal(c, v->waiting, false);
	}
	if (c->s->head.role[0] && c->o->trust)
		check_head(c, dir);
	if (c->s->head.role[0] && !shelf_find(c->s, c->s->head.version))
		problem(c, "%s/HEAD: names %s, which is not there", dir,
			c->s->head.version);
}

int
fsck(const struct fsck_opts *opts, struct fsck_result *out, struct err *e)
{
	char **roles;
	struct check c = { .o = opts, .out = out };
	int failed = 0;
	size_t i;

	*out = (struct fsck_result){ 0 };
	if (shelf_roles(opts->top, &roles, e) < 0)
		return -1;
	for (i = 0; roles[i] && !failed; i++) {
		AUTO(shelf) s = NULL;

		if (opts->role && !str_eq(opts->role, roles[i]))
			continue;
		if (shelf_open(&s, opts->top, roles[i], e) < 0) {
			problem(&c, "%s", e->text);
			continue;
		}
		c.s = s;
		check_role(&c);
	}
	names_free(roles);
	for (i = 0; i < c.done_len; i++)
		free(c.done[i]);
	free(c.done);
	return failed;
}
