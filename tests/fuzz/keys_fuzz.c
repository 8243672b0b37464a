/* A file of public keys from anywhere: refused with its name and line, or each
 * line of it is a key, and nothing else is. */
#include <assert.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Each key written as sign_public_text does. */
static void
check_spelling(const struct sign_trust *t, const char *text)
{
	AUTO_CLEAR(buf) all = { 0 };
	size_t i;

	for (i = 0; i < t->len; i++) {
		struct sign_key k = { 0 };
		AUTO_FREE char *one = NULL;

		memcpy(k.secret + 32, t->key[i].public, SIGN_PUBLIC);
		one = sign_public_text(&k);
		buf_str(&all, i == 0 ? one : strchr(one, '\n') + 1);
	}
	assert(str_eq(buf_text(&all), text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *text = base_strndup((const char *)bytes, len);
	struct sign_trust t = { 0 };
	struct err e = { 0 };

	if (sign_trust_parse(&t, text, "in", &e) == 0) {
		assert(t.len > 0 && t.len <= SIGN_KEYS_MAX);
		check_spelling(&t, text);
	} else {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "in:"));
	}
	return 0;
}
