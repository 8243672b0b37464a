/* A conf file from anywhere: a value set is the value read, and setting it
 * again changes nothing. */
#include <assert.h>

#include "host/conf.h"
#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *text = base_strndup((const char *)bytes, len);
	AUTO_FREE char *role = conf_value(text, "ROLE");
	AUTO_FREE char *once = conf_with(text, "VERS", "D12-F.1");
	AUTO_FREE char *twice = conf_with(once, "VERS", "D12-F.1");
	AUTO_FREE char *read = conf_value(once, "VERS");
	AUTO_FREE char *still = conf_value(once, "ROLE");

	assert(str_eq(read, "D12-F.1"));
	assert(str_eq(once, twice));
	assert(str_eq(role, still));
	return 0;
}
