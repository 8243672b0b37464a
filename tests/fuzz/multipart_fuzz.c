/* A form from anywhere: the first line is the Content-Type, the rest the body.
 * Every part must lie inside the body, in order, with a name of its own. */
#include <assert.h>

#include "server/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	const char *eol = len ? memchr(text, '\n', len) : NULL;
	AUTO_FREE char *type = NULL;
	AUTO(parts) ps = NULL;
	struct err e = { 0 };
	const char *end;

	if (!eol)
		return 0;
	type = base_strndup(text, (size_t)(eol - text));
	len -= (size_t)(eol + 1 - text);
	if (parts_parse(&ps, type, eol + 1, len, &e) < 0) {
		assert(!ps && e.kind == ERR_INPUT && e.text[0]);
		return 0;
	}
	end = eol + 1;
	assert(ps->len >= 1 && ps->len <= PARTS_MAX);
	for (size_t i = 0; i < ps->len; i++) {
		const struct part *p = &ps->at[i];

		assert(p->at >= end && p->at + p->len <= eol + 1 + len);
		assert(p->name[0] && parts_find(ps, p->name) == p);
		end = p->at + p->len;
	}
	return 0;
}
