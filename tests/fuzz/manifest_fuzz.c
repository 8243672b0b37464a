/* Manifests from anywhere: what is accepted is what would be written, leads
 * nowhere outside of its tree, and everything in it is found again. */
#include <assert.h>

#include "rsyncd/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_path(const char *path)
{
	AUTO_FREE char *framed = base_printf("/%s/", path);

	assert(!strstr(framed, "//") && !strstr(framed, "/../"));
	assert(str_eq(path, ".") || !strstr(framed, "/./"));
	assert(strlen(path) <= MANIFEST_PATH_MAX);
}

static void
check_again(const struct manifest *m)
{
	AUTO(manifest) again = manifest_new();
	struct err e = { 0 };
	size_t i;

	for (i = m->len; i-- > 0;)
		manifest_add(again, &m->entry[i]);
	assert(manifest_seal(again, &e) == 0);
	assert(again->text_len == m->text_len);
	assert(memcmp(again->text, m->text, m->text_len) == 0);
	assert(str_eq(again->root, m->root) && again->bytes == m->bytes);
}

static void
check_contents(const struct manifest *m)
{
	AUTO(contents) c = contents_of(m);
	size_t i;

	for (i = 0; i < m->len; i++) {
		const struct manifest_entry *x = &m->entry[i];

		assert(manifest_find(m, x->path) == x);
		if (x->type == 'h')
			assert(manifest_find(m, x->link) < x);
		if (x->type == 'f' && x->size > 0)
			assert(contents_find(c, &x->hash));
	}
	for (i = 0; i < contents_len(c); i++)
		assert(contents_find(c, &contents_at(c, i)->hash) ==
		       contents_at(c, i));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(manifest) m = NULL;
	struct err e = { 0 };
	size_t i;

	if (manifest_parse(&m, (const char *)bytes, len, "fuzz", &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "fuzz"));
		return 0;
	}
	assert(m->text_len == len && memcmp(m->text, bytes, len) == 0);
	for (i = 0; i < m->len; i++)
		check_path(m->entry[i].path);
	check_again(m);
	check_contents(m);
	return 0;
}
