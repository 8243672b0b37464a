/* What is published: one signature, and from there on hashes. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "rsyncd/fetch.h"
#include "rsyncd/frame.h"
#include "rsyncd/job.h"

/* ---- HEAD and seal ---- */

/* As a person would ask for it. */
static char *
place_of(const struct job *j, const char *path)
{
	const char *where = j->o->source.where;
	size_t len = strlen(where);

	while (len > 1 && where[len - 1] == '/')
		len--;
	return base_printf("%.*s/%s", (int)len, where, path);
}

/* `tag`: see source_head; NULL. 1: *out is filled; 0: as the tag says. */
static int
read_head(struct job *j, const char *path, char *tag, struct head *out,
	  struct err *e)
{
	AUTO_FREE char *place = place_of(j, path);
	AUTO_CLEAR(buf) text = { 0 };
	int there = source_head(j->src, path, HEAD_TEXT_MAX, tag, &text, e);

	if (there == SOURCE_SAME)
		return 0;
	if (there == 0)
		return err_set(e, ERR_PEER, "%s: not published there", place);
	if (there < 0)
		return -1;
	if (head_read(out, buf_text(&text), text.len, j->o->trust, place, e) <
	    0)
		return -1;
	return 1;
}

/* Is this text the seal that was named? */
static int
check_seal(struct job *j, const struct head *h, const struct buf *text,
	   const char *path, struct seal **out, struct err *e)
{
	AUTO(seal) s = NULL;

	if (seal_read(&s, buf_text(text), text->len, j->o->trust, path, e) < 0)
		return -1;
	if (!str_eq(s->hash, h->seal) || !str_eq(s->role, h->role) ||
	    !str_eq(s->version, h->version) || !str_eq(s->root, h->root) ||
	    s->serial != h->serial || s->revision != h->revision)
		return err_set(e, ERR_REFUSED,
			       "%s: is not what its HEAD names: somebody may "
			       "have exchanged files",
			       path);
	*out = STEAL(s);
	return 0;
}

static int
read_seal(struct job *j, const struct head *h, struct seal **seal, char **text,
	  struct err *e)
{
	AUTO_FREE char *path =
		base_printf("%s/%s/seal-%s", h->role, h->version, h->seal);
	AUTO_CLEAR(buf) bytes = { 0 };
	int fresh, there, bad = -1;

	for (fresh = 0; bad < 0 && fresh < 2; fresh++) {
		buf_reset(&bytes);
		*e = (struct err){ 0 };
		there = source_small(j->src, path, SEAL_TEXT_MAX, fresh, &bytes,
				     e);
		if (there < 0 && e->kind != ERR_INPUT)
			return -1;
		if (there == 0)
			err_set(e, ERR_PEER, "%s/%s: not there",
				j->o->source.where, path);
		if (there == 1)
			bad = check_seal(j, h, &bytes, path, seal, e);
	}
	if (bad == 0)
		*text = buf_take(&bytes);
	return bad;
}

static char *
head_path(const char *role, const char *version)
{
	return version ? base_printf("%s/%s/HEAD", role, version)
		       : base_printf("%s/HEAD", role);
}

char *
release_place(const struct job *j)
{
	AUTO_FREE char *path = head_path(j->o->role, j->o->version);

	return place_of(j, path);
}

/* As read_head. */
static int
find_head(struct job *j, const char *version, char *tag, struct head *out,
	  struct err *e)
{
	AUTO_FREE char *path = head_path(j->o->role, version);
	int got = read_head(j, path, tag, out, e);

	if (got <= 0)
		return got;
	if (!str_eq(out->role, j->o->role) ||
	    (version && !str_eq(out->version, version)))
		return err_set(e, ERR_REFUSED,
			       "%s: is of %s %s: somebody has exchanged files",
			       path, out->role, out->version);
	return 1;
}

int
release_seal(struct job *j, const char *version, struct seal **seal,
	     char **text, struct err *e)
{
	struct head h;

	if (find_head(j, version, NULL, &h, e) < 0)
		return -1;
	return read_seal(j, &h, seal, text, e);
}

int
release_head(struct job *j, struct err *e)
{
	const struct pull_opts *o = j->o;
	struct head *h = &j->head;
	int got;

	if (!name_is_safe(o->role) || (o->version && !name_is_safe(o->version)))
		return err_set(e, ERR_INPUT,
			       "roles and versions are names of A-Z a-z 0-9 . "
			       "_ - without a dot in front");
	got = find_head(j, o->version, j->done.tag, h, e);
	if (got < 0)
		return -1;
	j->done.same = got == 0;
	if (j->done.same)
		head_of(h, j->done.seal);
	snprintf(j->r->version, sizeof(j->r->version), "%s", h->version);
	snprintf(j->r->root, sizeof(j->r->root), "%s", h->root);
	j->r->serial = h->serial;
	if (h->serial < o->serial_min && !o->allow_downgrade)
		return err_set(e, ERR_REFUSED,
			       "%s %s has serial %llu, below %llu: an older "
			       "version must be allowed",
			       h->role, h->version,
			       (unsigned long long)h->serial,
			       (unsigned long long)o->serial_min);
	return 0;
}

int
release_read(struct job *j, struct err *e)
{
	return read_seal(j, &j->head, &j->seal, &j->seal_text, e);
}

/* ---- tables ---- */

/* The text at the end of a file with a table. */
static int
read_table(struct job *j, const struct seal_file *f, size_t max, char **text,
	   struct err *e)
{
	struct fetch_piece piece = { f->place.at, f->place.size - f->place.at,
				     &f->place.hash };
	AUTO_CLEAR(buf) frame = { 0 };

	if (f->place.at >= f->place.size || piece.size > max ||
	    f->place.raw > max)
		return err_set(e, ERR_INPUT, "%s: the seal's numbers are off",
			       f->path);
	if (fetch_one(j->src, f->path, &piece, &frame, e) < 0)
		return -1;
	if (frame_unpack_text(frame.at, frame.len, f->place.raw, text, e) < 0)
		return err_add(e, "%s", f->path);
	return 0;
}

int
release_packs(struct job *j, struct err *e)
{
	const struct seal *s = j->seal;

	if (s->fulls > JOB_PACKS)
		return err_set(e, ERR_INPUT, "%s %s: more than %d packs",
			       s->role, s->version, JOB_PACKS);
	while (j->packs < s->fulls) {
		const struct seal_file *f = &s->full[j->packs];
		AUTO_FREE char *text = NULL;

		if (read_table(j, f, PACK_TABLE_MAX, &text, e) < 0 ||
		    pack_table_parse(&j->pack[j->packs], text, f->place.raw,
				     f->place.at, f->path, e) < 0)
			return -1;
		j->packs++;
	}
	return 0;
}

int
release_delta(struct job *j, const struct seal_file *f,
	      struct patch_table **out, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (read_table(j, f, PATCH_TABLE_MAX, &text, e) < 0)
		return -1;
	return patch_table_parse(out, text, f->place.raw, f->place.at, f->path,
				 e);
}

int
release_marks(struct job *j, struct mark_table **out, struct err *e)
{
	const struct seal_file *f = &j->seal->marks;
	AUTO_FREE char *text = NULL;

	if (!*f->path)
		return 0;
	if (read_table(j, f, PATCH_TABLE_MAX, &text, e) < 0)
		return -1;
	return mark_table_parse(out, text, f->place.raw, f->place.at, f->path,
				e);
}

/* ---- manifest ---- */

static int
use_manifest(struct job *j, const char *text, size_t len, const char *name,
	     struct err *e)
{
	AUTO(manifest) m = NULL;

	if (manifest_parse(&m, text, len, name, e) < 0)
		return -1;
	if (!str_eq(m->root, j->seal->root))
		return err_set(e, ERR_INPUT, "%s: not the manifest of %s %s",
			       name, j->seal->role, j->seal->version);
	j->m = STEAL(m);
	return 0;
}

static int
whole_manifest(struct job *j, struct err *e)
{
	const struct seal_file *f = &j->seal->manifest;
	struct fetch_piece piece = { 0, f->place.size, &f->place.hash };
	AUTO_FREE char *text = NULL;

	if (f->place.size > MANIFEST_TEXT_MAX ||
	    f->place.raw > MANIFEST_TEXT_MAX)
		return err_set(e, ERR_INPUT, "%s: too large", f->path);
	if (fetch_one(j->src, f->path, &piece, &j->manifest_zst, e) < 0 ||
	    frame_unpack_text(j->manifest_zst.at, j->manifest_zst.len,
			      f->place.raw, &text, e) < 0)
		return err_add(e, "%s", f->path);
	return use_manifest(j, text, f->place.raw, f->path, e);
}

static int
collect(void *ctx, size_t i, unsigned char *bytes, struct err *e)
{
	unsigned char **piece = ctx;

	(void)e;
	piece[i] = bytes;
	return 0;
}

/* The first pieces of a delta, one after the other. */
static int
manifest_pieces(struct job *j, const struct patch_table *t, const char *path,
		struct buf *out, struct err *e)
{
	size_t i, n = t->manifest_pieces;
	AUTO_FREE struct fetch_piece *piece = base_array(n + 1, sizeof(*piece));
	AUTO_FREE unsigned char **bytes = base_array(n + 1, sizeof(*bytes));
	struct fetch_list list = { .path = path,
				   .piece = piece,
				   .n = n,
				   .give = collect,
				   .ctx = bytes };
	int bad;

	for (i = 0; i < n; i++)
		piece[i] =
			(struct fetch_piece){ t->piece[i].at, t->piece[i].size,
					      &t->piece[i].hash };
	bad = fetch_pieces(j->src, &list, e);
	for (i = 0; i < n; i++) {
		if (bad == 0)
			buf_add(out, bytes[i], piece[i].size);
		free(bytes[i]);
	}
	return bad;
}

static int
manifest_by_delta(struct job *j, struct err *e)
{
	const struct patch_table *t = j->route.table[0];
	const char *path = j->route.file[0].path;
	AUTO_CLEAR(buf) bytes = { 0 };
	AUTO_FREE char *text = NULL;
	size_t len, old_len;
	const char *old = base_text(&j->base, &old_len);

	if (manifest_pieces(j, t, path, &bytes, e) < 0)
		return -1;
	if (patch_manifest(t, bytes.at, bytes.len, old, old_len, &text, &len,
			   e) < 0)
		return -1;
	return use_manifest(j, text, len, path, e);
}

int
release_manifest(struct job *j, struct err *e)
{
	struct err why = { 0 };

	if (j->route.chain && j->route.len == 1 &&
	    str_eq(j->route.table[0]->from, j->base.root)) {
		if (manifest_by_delta(j, &why) == 0)
			return 0;
		if (why.kind == ERR_REFUSED || why.kind == ERR_SYS) {
			*e = why;
			return -1;
		}
	}
	return whole_manifest(j, e);
}
