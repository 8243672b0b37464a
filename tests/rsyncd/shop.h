#ifndef TESTS_RSYNCD_SHOP_H
#define TESTS_RSYNCD_SHOP_H

#include <fcntl.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "rsyncd/frame.h"
#include "rsyncd/patch.h"
#include "rsyncd/seal.h"
#include "rsyncd/walk.h"

/* A publisher for tests: frames as small as a test wants them, contents in the
 * order of paths, and files that can be left out or bent before they are
 * signed. */
struct shop {
	char top[128]; /* where roles stand */
	struct sign_key key;
	struct sign_trust trust;
	size_t frame_raw;
};

struct shop_version {
	const char *version, *dir;
	uint64_t serial, revision;
	const char *from[4], *from_dir[4]; /* deltas */
	size_t packs; /* contents are dealt to so many; 0: 1 */
	bool marks;
	const char *leave_out; /* no pack has the content of this path */
};

static inline void
shop_must(int bad, const struct err *e)
{
	if (bad == 0)
		return;
	fprintf(stderr, "shop: %s\n", e->text);
	abort();
}

static inline void
shop_open(struct shop *s, const char *top, size_t frame_raw)
{
	AUTO_FREE char *key = base_printf("%s/key", top);
	AUTO_FREE char *pub = base_printf("%s/key.pub", top);
	struct err e = { 0 };

	snprintf(s->top, sizeof(s->top), "%s/trees", top);
	s->frame_raw = frame_raw;
	shop_must(sign_key_make(key, &e), &e);
	shop_must(sign_key_read(&s->key, key, &e), &e);
	shop_must(sign_trust_read(&s->trust, pub, &e), &e);
}

static inline struct manifest *
shop_walk(const char *dir)
{
	struct walk_opts w = { .dir = dir, .threads = 1 };
	struct manifest *m = NULL;
	struct err e = { 0 };

	shop_must(walk(&w, &m, &e), &e);
	return m;
}

static inline void
shop_write(const struct shop *s, const char *path, const void *bytes,
	   size_t len)
{
	AUTO_FREE char *full = base_printf("%s/%s", s->top, path);
	struct err e = { 0 };

	shop_must(file_write(full, bytes, len, 0644, &e), &e);
}

/* The table at the end, and the file under its name. */
static inline void
shop_end(const struct shop *s, struct buf *file, const char *text, size_t len,
	 const char *name, const char *tail, struct seal_file *f)
{
	char hex[HASH_HEX];

	f->place.at = file->len;
	f->place.raw = len;
	frame_pack_text(3, text, len, file);
	digest_of(file->at + f->place.at, file->len - f->place.at,
		  &f->place.hash);
	f->place.size = file->len;
	digest_hex(&f->place.hash, hex);
	snprintf(f->path, sizeof(f->path), "role/%s%s%s", name, hex, tail);
	shop_write(s, f->path, file->at, file->len);
}

static inline void
shop_pack(const struct shop *s, const struct shop_version *v,
	  const struct manifest *m, size_t number, struct seal_file *f)
{
	AUTO(contents) c = contents_of(m);
	AUTO(frame_coder) coder = frame_coder_new(3);
	AUTO_CLEAR(buf) raw = { 0 }, file = { 0 };
	AUTO_FREE char *name = base_printf("%s/full-", v->version);
	struct pack_table t = { 0 };
	AUTO_FREE char *text = NULL;
	size_t i, len, at, packs = v->packs ? v->packs : 1;
	struct err e = { 0 };

	t.blob = base_array(contents_len(c) + 1, sizeof(*t.blob));
	for (i = 0; i < contents_len(c); i++) {
		const struct content *x = contents_at(c, i);
		AUTO_FREE char *path =
			base_printf("%s/%s", v->dir, x->first->path);
		AUTO_FREE char *bytes = NULL;
		struct pack_blob *b = &t.blob[t.blobs];

		if (i % packs != number || str_eq(v->leave_out, x->first->path))
			continue;
		shop_must(file_read(path, 1UL << 30, &bytes, &len, &e), &e);
		memcpy(b->head, x->hash.b, sizeof(b->head));
		b->at = raw.len;
		b->size = len;
		t.blobs++;
		buf_add(&raw, bytes, len);
	}
	t.frame = base_array(raw.len / s->frame_raw + 2, sizeof(*t.frame));
	for (at = 0; at < raw.len; at += t.frame[t.frames++].raw) {
		struct pack_frame *fr = &t.frame[t.frames];

		fr->raw =
			(uint32_t)(raw.len - at < s->frame_raw ? raw.len - at
							       : s->frame_raw);
		fr->at = file.len;
		fr->raw_at = at;
		frame_pack(coder, raw.at + at, fr->raw, NULL, 0, &file);
		fr->size = (uint32_t)(file.len - fr->at);
		digest_of(file.at + fr->at, fr->size, &fr->hash);
	}
	text = pack_table_text(&t, &len);
	shop_end(s, &file, text, len, name, ".pack", f);
	free(t.blob);
	free(t.frame);
}

/* What the library wrote to a file without a name, under its name. */
static inline void
shop_take(const struct shop *s, FILE *tmp, const char *name, const char *tail,
	  struct seal_file *f)
{
	AUTO_FREE char *bytes = base_alloc(f->place.size + 1);
	char hex[HASH_HEX];

	if (pread(fileno(tmp), bytes, f->place.size, 0) !=
	    (ssize_t)f->place.size)
		abort();
	digest_hex(&f->place.hash, hex);
	snprintf(f->path, sizeof(f->path), "role/%s%s%s", name, hex, tail);
	shop_write(s, f->path, bytes, f->place.size);
	fclose(tmp);
}

static inline void
shop_delta(const struct shop *s, const struct shop_version *v, size_t i,
	   const struct manifest *m, struct seal_file *f)
{
	AUTO(manifest) old = shop_walk(v->from_dir[i]);
	AUTO_FREE char *name =
		base_printf("%s/from-%s-", v->version, v->from[i]);
	AUTO_CLOSE int old_fd = open(v->from_dir[i], O_RDONLY | O_DIRECTORY);
	AUTO_CLOSE int new_fd = open(v->dir, O_RDONLY | O_DIRECTORY);
	struct patch_opts o = { .old = old,
				.new = m,
				.old_dirfd = old_fd,
				.new_dirfd = new_fd,
				.level = 3,
				.threads = 1,
				.thorough = true };
	struct patch_counts counts;
	FILE *tmp = tmpfile();
	struct err e = { 0 };

	shop_must(patch_write(&o, fileno(tmp), &f->place, &counts, &e), &e);
	snprintf(f->from_version, sizeof(f->from_version), "%s", v->from[i]);
	snprintf(f->from_root, sizeof(f->from_root), "%s", old->root);
	shop_take(s, tmp, name, ".delta", f);
}

static inline void
shop_marks(const struct shop *s, const struct shop_version *v,
	   const struct manifest *m, struct seal_file *f)
{
	AUTO_FREE char *name = base_printf("%s/marks-", v->version);
	AUTO_CLOSE int fd = open(v->dir, O_RDONLY | O_DIRECTORY);
	FILE *tmp = tmpfile();
	struct err e = { 0 };

	shop_must(mark_write(m, fd, 3, 1, fileno(tmp), &f->place, &e), &e);
	if (f->place.size > 0)
		shop_take(s, tmp, name, ".pack", f);
}

static inline void
shop_seal(const struct shop *s, struct seal *seal)
{
	AUTO_FREE char *body = seal_text(seal);
	AUTO_FREE char *text = seal_sign(body, &s->key);
	AUTO_FREE char *head = NULL, *path = NULL;
	struct head h;

	path = base_printf("role/%s/seal-%s", seal->version, seal->hash);
	shop_write(s, path, text, strlen(text));
	head_of(&h, seal);
	head = head_sign(&h, &s->key);
	free(path);
	path = base_printf("role/%s/HEAD", seal->version);
	shop_write(s, path, head, strlen(head));
	shop_write(s, "role/HEAD", head, strlen(head));
}

static inline void
shop_publish(const struct shop *s, const struct shop_version *v)
{
	AUTO(manifest) m = shop_walk(v->dir);
	struct seal_file full[8] = { 0 }, delta[4] = { 0 };
	struct seal seal = { .serial = v->serial,
			     .revision = v->revision ? v->revision : 1,
			     .date = "2026-11-21T12:00:00Z",
			     .entries = m->len,
			     .bytes = m->bytes,
			     .full = full,
			     .fulls = v->packs ? v->packs : 1,
			     .delta = delta };
	AUTO_CLEAR(buf) zst = { 0 };
	size_t i;

	snprintf(seal.role, sizeof(seal.role), "role");
	snprintf(seal.version, sizeof(seal.version), "%s", v->version);
	snprintf(seal.root, sizeof(seal.root), "%s", m->root);
	frame_pack_text(3, m->text, m->text_len, &zst);
	snprintf(seal.manifest.path, SEAL_FILE, "role/%s/manifest-%s.zst",
		 v->version, m->root);
	seal.manifest.place.size = zst.len;
	seal.manifest.place.raw = m->text_len;
	digest_of(zst.at, zst.len, &seal.manifest.place.hash);
	shop_write(s, seal.manifest.path, zst.at, zst.len);
	for (i = 0; i < seal.fulls; i++)
		shop_pack(s, v, m, i, &full[i]);
	for (i = 0; i < 4 && v->from[i]; i++)
		shop_delta(s, v, i, m, &delta[seal.deltas++]);
	if (v->marks)
		shop_marks(s, v, m, &seal.marks);
	shop_seal(s, &seal);
}

#endif
