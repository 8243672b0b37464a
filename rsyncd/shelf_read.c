/* Reading published files: each byte is checked by a hash from the seal on, as
 * a client does, so what a disk has done to them is seen here as well. */
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"

#include "rsyncd/frame.h"
#include "rsyncd/shelf.h"
#include "rsyncd/spool.h"

static int
open_published(const char *trees, const struct shelf_piece *p, struct err *e)
{
	AUTO_CLOSE int dirfd = open(trees, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int fd;

	if (dirfd < 0)
		return err_sys(e, "open %s", trees);
	fd = open_beneath(dirfd, p->path, O_RDONLY, 0);
	if (fd < 0)
		return err_sys(e, "open %s/%s", trees, p->path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == p->size)
		return fd;
	close(fd);
	return err_set(e, ERR_INPUT, "%s/%s: not the size that its seal tells",
		       trees, p->path);
}

int
shelf_read(const char *trees, const struct shelf_piece *p, struct buf *out,
	   struct err *e)
{
	AUTO_CLOSE int fd = open_published(trees, p, e);
	struct digest found;

	if (fd < 0)
		return -1;
	if (p->at > p->size || p->len > p->size - p->at)
		return err_set(e, ERR_INPUT, "%s/%s: too short", trees,
			       p->path);
	buf_reset(out);
	if (read_at(fd, p->at, buf_room(out, p->len), p->len, e) < 0)
		return err_add(e, "%s/%s", trees, p->path);
	out->len = p->len;
	buf_room(out, 0)[0] = '\0';
	digest_of(out->at, out->len, &found);
	if (!digest_eq(&found, &p->hash))
		return err_set(e, ERR_INPUT,
			       "%s/%s: damaged in the %llu bytes from %llu on",
			       trees, p->path, (unsigned long long)p->len,
			       (unsigned long long)p->at);
	return 0;
}

int
shelf_manifest(const char *trees, const struct seal *s, struct manifest **out,
	       struct err *e)
{
	const struct table_place *at = &s->manifest.place;
	const struct shelf_piece p = { s->manifest.path, at->size, 0, at->size,
				       at->hash };
	AUTO_CLEAR(buf) frame = { 0 };
	AUTO_FREE char *text = NULL;
	AUTO(manifest) m = NULL;

	if (shelf_read(trees, &p, &frame, e) < 0)
		return -1;
	if (frame_unpack_text(frame.at, frame.len, at->raw, &text, e) < 0 ||
	    manifest_parse(&m, text, at->raw, p.path, e) < 0)
		return err_add(e, "%s", p.path);
	if (!str_eq(m->root, s->root))
		return err_set(e, ERR_INPUT, "%s: not what its seal tells",
			       p.path);
	*out = STEAL(m);
	return 0;
}

int
shelf_pack(const char *trees, const struct seal_file *full,
	   struct pack_table **out, struct err *e)
{
	const struct table_place *at = &full->place;
	const struct shelf_piece p = { full->path, at->size, at->at,
				       at->size - at->at, at->hash };
	AUTO_CLEAR(buf) frame = { 0 };
	AUTO_FREE char *text = NULL;

	if (shelf_read(trees, &p, &frame, e) < 0)
		return -1;
	if (frame_unpack_text(frame.at, frame.len, at->raw, &text, e) < 0)
		return err_add(e, "%s", p.path);
	return pack_table_parse(out, text, at->raw, at->at, p.path, e);
}

/* ---- one content ---- */

static const struct pack_blob *
find_blob(const struct pack_table *t, const struct manifest_entry *f)
{
	size_t i;

	for (i = 0; i < t->blobs; i++)
		if (t->blob[i].size == f->size &&
		    memcmp(t->blob[i].head, f->hash.b, 12) == 0)
			return &t->blob[i];
	return NULL;
}

/* The part of a frame that belongs to the blob, behind `out`. */
static int
add_frame(const char *trees, const struct seal_file *full,
	  const struct pack_frame *f, const struct pack_blob *b,
	  struct buf *out, struct err *e)
{
	const struct shelf_piece p = { full->path, full->place.size, f->at,
				       f->size, f->hash };
	AUTO(frame_decoder) d = frame_decoder_new();
	AUTO_CLEAR(buf) packed = { 0 };
	AUTO_FREE char *raw = base_alloc(f->raw);
	uint64_t from = b->at + out->len - f->raw_at, left = f->raw - from;

	if (shelf_read(trees, &p, &packed, e) < 0)
		return -1;
	if (frame_unpack(d, packed.at, packed.len, NULL, 0, raw, f->raw, e) < 0)
		return err_add(e, "%s", p.path);
	if (left > b->size - out->len)
		left = b->size - out->len;
	buf_add(out, raw + from, left);
	return 0;
}

static int
read_blob(const char *trees, const struct seal_file *full,
	  const struct pack_table *t, const struct pack_blob *b,
	  struct buf *out, struct err *e)
{
	size_t i;

	for (i = 0; i < t->frames && out->len < b->size; i++) {
		const struct pack_frame *f = &t->frame[i];

		if (f->raw_at + f->raw > b->at &&
		    add_frame(trees, full, f, b, out, e) < 0)
			return -1;
	}
	return 0;
}

static bool
is_content(const struct buf *b, const struct manifest_entry *f)
{
	struct digest found;

	digest_of(buf_text(b), b->len, &found);
	return b->len == f->size && digest_eq(&found, &f->hash);
}

/* The view is the quicker way, for those who ask for many small files; whoever
 * changed it is noticed by the hash. */
static bool
read_view(const char *top, const struct seal *s, const struct manifest_entry *f,
	  struct buf *out)
{
	AUTO_FREE char *dir =
		base_printf("%s/install/%s/%s", top, s->version, s->role);
	AUTO_CLOSE int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int fd =
		open_beneath(dirfd, f->path, O_RDONLY | O_NONBLOCK, 0);
	struct err ignored;

	buf_reset(out);
	if (fd < 0 ||
	    read_at(fd, 0, buf_room(out, f->size), f->size, &ignored) < 0)
		return false;
	out->len = f->size;
	buf_room(out, 0)[0] = '\0';
	return is_content(out, f);
}

static int
read_packs(const char *trees, const struct seal *s,
	   const struct manifest_entry *f, struct buf *out, struct err *e)
{
	size_t i;

	buf_reset(out);
	for (i = 0; i < s->fulls && out->len == 0; i++) {
		AUTO(pack_table) t = NULL;
		const struct pack_blob *b;

		if (shelf_pack(trees, &s->full[i], &t, e) < 0)
			return -1;
		b = find_blob(t, f);
		if (b && read_blob(trees, &s->full[i], t, b, out, e) < 0)
			return -1;
	}
	if (!is_content(out, f))
		return err_set(e, ERR_INPUT,
			       "%s %s: the packs have no whole %s", s->role,
			       s->version, f->path);
	return 0;
}

int
shelf_content(const struct shelf *s, const struct seal *seal,
	      const struct manifest *m, const char *path, size_t max,
	      char **text, size_t *len, struct err *e)
{
	const struct manifest_entry *f = manifest_find(m, path);
	AUTO_CLEAR(buf) out = { 0 };

	if (f && f->type == 'h')
		f = manifest_find(m, f->link);
	if (!f || f->type != 'f')
		return 0;
	if (f->size > max)
		return err_set(e, ERR_INPUT, "%s: larger than %zu bytes", path,
			       max);
	if (f->size > 0 && !read_view(s->top, seal, f, &out) &&
	    read_packs(s->trees, seal, f, &out, e) < 0)
		return -1;
	*len = out.len;
	*text = buf_take(&out);
	return 1;
}
