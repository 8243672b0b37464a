/* Uploads from anywhere: what is accepted obeys the caps and survives being
 * printed and read again. */
#include <assert.h>

#include "specs/facts.h"
#include "specs/hwname.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_same(const struct facts *a, const struct facts *b)
{
	assert(facts_len(a) == facts_len(b));
	for (size_t i = 0; i < facts_len(a); i++)
		for (int w = 0; w < FACT_WORDS; w++)
			assert(strcmp(facts_at(a, i)->word[w],
				      facts_at(b, i)->word[w]) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(facts) f = NULL;
	AUTO(facts) again = NULL;
	AUTO_CLEAR(buf) json = { 0 };
	AUTO_FREE char *name = NULL;
	struct err e = { 0 };

	if (facts_from_json(&f, (const char *)bytes, len, &e) < 0) {
		assert(e.kind == ERR_INPUT && *e.text);
		return 0;
	}
	assert(facts_len(f) <= FACTS_MAX);
	facts_to_json(f, &json);
	if (json.len <= FACTS_MAX_BYTES) {
		assert(facts_from_json(&again, json.at, json.len, &e) == 0);
		check_same(f, again);
	}
	name = hw_name(f);
	assert(strlen(name) <= HWNAME_MAX && *name && *name != '.' &&
	       !strchr(name, '/'));
	return 0;
}
