/* Seals and HEADs: the only texts that are signed, so all that a client does
 * hangs on their having one spelling. Here they are written; seal_read.c reads
 * them. */
#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/seal.h"

#define SEAL_FIRST "edeploy-seal 1\nhash " DIGEST_NAME "\n"
#define HEAD_FIRST "edeploy-head 1\n"

static void
put_file(struct buf *b, const char *tag, const struct seal_file *f)
{
	char hex[HASH_HEX];

	digest_hex(&f->place.hash, hex);
	buf_printf(b, "%s %s %llu %llu %s %llu", tag, f->path,
		   (unsigned long long)f->place.size,
		   (unsigned long long)f->place.at, hex,
		   (unsigned long long)f->place.raw);
}

static void
put_files(struct buf *b, const struct seal *s)
{
	char hex[HASH_HEX];
	size_t i;

	digest_hex(&s->manifest.place.hash, hex);
	buf_printf(b, "manifest %s %llu %s %llu\n", s->manifest.path,
		   (unsigned long long)s->manifest.place.size, hex,
		   (unsigned long long)s->manifest.place.raw);
	for (i = 0; i < s->fulls; i++) {
		put_file(b, "full", &s->full[i]);
		buf_char(b, '\n');
	}
	for (i = 0; i < s->deltas; i++) {
		put_file(b, "delta", &s->delta[i]);
		buf_printf(b, " %s %s\n", s->delta[i].from_version,
			   s->delta[i].from_root);
	}
	if (s->marks.path[0]) {
		put_file(b, "marks", &s->marks);
		buf_char(b, '\n');
	}
}

char *
seal_text(struct seal *s)
{
	AUTO_CLEAR(buf) b = { 0 };

	buf_printf(&b,
		   SEAL_FIRST "role %s\nversion %s\nserial %llu\n"
			      "revision %llu\ndate %s\nroot %s %llu %llu\n",
		   s->role, s->version, (unsigned long long)s->serial,
		   (unsigned long long)s->revision, s->date, s->root,
		   (unsigned long long)s->entries,
		   (unsigned long long)s->bytes);
	put_files(&b, s);
	digest_hex_of(buf_text(&b), b.len, s->hash);
	return buf_take(&b);
}

/* Both lines that make a text signed. */
static char *
with_signature(const char *body, const struct sign_key *key)
{
	AUTO_CLEAR(buf) b = { 0 };
	char text[SIGN_TEXT];

	buf_printf(&b, "%skey %s\n", body, key->id);
	sign_bytes(key, buf_text(&b), b.len, text);
	buf_printf(&b, "sign %s\n", text);
	return buf_take(&b);
}

char *
seal_sign(const char *body, const struct sign_key *key)
{
	return with_signature(body, key);
}

char *
head_text(const struct head *h)
{
	return base_printf(HEAD_FIRST "role %s\nversion %s\nserial %llu\n"
				      "revision %llu\nroot %s\nseal %s\n",
			   h->role, h->version, (unsigned long long)h->serial,
			   (unsigned long long)h->revision, h->root, h->seal);
}

char *
head_sign(const struct head *h, const struct sign_key *key)
{
	AUTO_FREE char *body = head_text(h);

	return with_signature(body, key);
}

void
head_of(struct head *out, const struct seal *s)
{
	*out = (struct head){ .serial = s->serial, .revision = s->revision };
	snprintf(out->role, sizeof(out->role), "%s", s->role);
	snprintf(out->version, sizeof(out->version), "%s", s->version);
	snprintf(out->root, sizeof(out->root), "%s", s->root);
	snprintf(out->seal, sizeof(out->seal), "%s", s->hash);
}

void
seal_free(struct seal *s)
{
	if (!s)
		return;
	free(s->full);
	free(s->delta);
	free(s);
}
