/* A state file from anywhere: refused with a place, or safe names, each once.
 */
#include <assert.h>

#include "lib/file.h"
#include "specs/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(state) s = NULL;
	struct err e = { 0 };

	if (state_parse(&s, "state", (const char *)bytes, len, &e) < 0) {
		assert(e.kind == ERR_INPUT && str_starts(e.text, "state:"));
		return 0;
	}
	for (size_t i = 0; i < state_len(s); i++) {
		assert(name_is_safe(state_at(s, i)->profile));
		for (size_t j = 0; j < i; j++)
			assert(strcmp(state_at(s, i)->profile,
				      state_at(s, j)->profile) != 0);
	}
	return 0;
}
