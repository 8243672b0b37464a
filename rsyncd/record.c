/* What is known of a tree on the disk: the signed seal and the manifest that it
 * names. Written after the tree is durable, so that it never promises more than
 * there is; the seal last, so that a manifest without one counts for nothing.
 */
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "rsyncd/frame.h"
#include "rsyncd/pull.h"

static int
read_text(const char *path, const struct seal *s, char **out, struct err *e)
{
	AUTO_FREE char *zst = NULL, *text = NULL;
	char root[HASH_HEX];
	size_t len;

	if (s->manifest.place.raw > MANIFEST_TEXT_MAX)
		return err_set(e, ERR_INPUT, "%s: too large", path);
	if (file_read(path, MANIFEST_TEXT_MAX, &zst, &len, e) < 0)
		return -1;
	if (frame_unpack_text(zst, len, s->manifest.place.raw, &text, e) < 0)
		return err_add(e, "%s", path);
	digest_hex_of(text, s->manifest.place.raw, root);
	if (!str_eq(root, s->root))
		return err_set(e, ERR_INPUT, "%s: is not that of the seal",
			       path);
	*out = STEAL(text);
	return 0;
}

int
record_text(const char *folder, const struct sign_trust *trust,
	    struct seal **seal, char **manifest, struct err *e)
{
	AUTO_FREE char *seal_path = base_printf("%s/seal", folder);
	AUTO_FREE char *manifest_path = base_printf("%s/manifest.zst", folder);
	AUTO_FREE char *text = NULL;
	AUTO(seal) s = NULL;
	size_t len;

	if (!file_exists(seal_path))
		return 0;
	if (file_read(seal_path, SEAL_TEXT_MAX, &text, &len, e) < 0 ||
	    seal_read(&s, text, len, trust, seal_path, e) < 0 ||
	    read_text(manifest_path, s, manifest, e) < 0)
		return -1;
	*seal = STEAL(s);
	return 1;
}

int
record_read(const char *folder, const struct sign_trust *trust,
	    struct seal **seal, struct manifest **manifest, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO(seal) s = NULL;
	int there = record_text(folder, trust, &s, &text, e);

	if (there <= 0)
		return there;
	if (manifest_parse(manifest, text, s->manifest.place.raw, folder, e) <
	    0)
		return -1;
	*seal = STEAL(s);
	return 1;
}

/* What a record that was forgotten is called, until there is another. */
#define WAS "seal.was"

void
record_forget(const char *folder)
{
	AUTO_FREE char *path = base_printf("%s/seal", folder);
	AUTO_FREE char *was = base_printf("%s/" WAS, folder);

	if (rename(path, was) < 0)
		unlink(path);
}

int
record_peek(const char *folder, struct seal **seal)
{
	static const char *const names[] = { "seal", WAS };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_FREE char *path = base_printf("%s/%s", folder, names[i]);
		AUTO_FREE char *text = NULL;
		char key[SIGN_ID];
		struct err e = { 0 };
		size_t len;

		if (file_read(path, SEAL_TEXT_MAX, &text, &len, &e) == 0 &&
		    seal_peek(seal, text, len, key, path, &e) == 0)
			return 1;
	}
	return 0;
}

int
record_write(const char *folder, const char *seal_text,
	     const void *manifest_zst, size_t len, struct err *e)
{
	AUTO_FREE char *seal_path = base_printf("%s/seal", folder);
	AUTO_FREE char *manifest_path = base_printf("%s/manifest.zst", folder);
	AUTO_FREE char *was = base_printf("%s/" WAS, folder);

	if (dir_make(folder, 0755, e) < 0)
		return -1;
	if (unlink(seal_path) < 0 && file_exists(seal_path))
		return err_sys(e, "%s", seal_path);
	if (file_replace(manifest_path, manifest_zst, len, 0644, e) < 0)
		return -1;
	if (file_replace(seal_path, seal_text, strlen(seal_text), 0644, e) < 0)
		return -1;
	unlink(was);
	return 0;
}
