/* A .specs text from anywhere: refused with a place, or patterns whose tests
 * can be asked about any word. */
#include <assert.h>

#include "specs/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char *const words[] = { "",        "8",    "vda", "10.0.0.1",
				     "fe80::1", "-1e9", "inf", "a,b(c)" };

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(patterns) p = NULL;
	AUTO(facts) f = facts_new();
	struct err e = { 0 };
	struct match m;
	unsigned line;

	if (patterns_parse(&p, "f.specs", (const char *)bytes, len, &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "f.specs:"));
		return 0;
	}
	assert(patterns_len(p) <= PATTERNS_MAX);
	for (size_t i = 0; i < patterns_len(p); i++)
		assert(*patterns_text(p, i) && patterns_line(p, i) > 0);
	for (size_t i = 0; patterns_warning(p, i, &line); i++)
		assert(line > 0);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		facts_add(f, "disk", words[i], words[(i + 1) % 8],
			  words[(i + 3) % 8]);
	match_run(p, f, 1000, &m);
	assert((m.outcome == MATCH_HIT) == (m.bindings != NULL));
	match_clear(&m);
	return 0;
}
