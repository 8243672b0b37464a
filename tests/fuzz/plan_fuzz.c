/* Kernel words from anywhere, read by pid 1: at least one console, each a plain
 * name. Every line is also a module alias that may have been asked for. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "initrd/plan.h"
#include "lib/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
check_console(const char *name)
{
	size_t len = strlen(name);

	assert(len > 0 && len < CONSOLE_NAME);
	for (size_t i = 0; i < len; i++)
		assert((name[i] >= 'a' && name[i] <= 'z') ||
		       (name[i] >= 'A' && name[i] <= 'Z') ||
		       (name[i] >= '0' && name[i] <= '9'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *text = base_strndup((const char *)bytes, len);
	struct names names = { 0 };
	struct plan plan = { 0 };

	plan_read(&plan, text);
	assert(plan.consoles_len > 0 && plan.consoles_len <= CONSOLES_MAX);
	for (size_t i = 0; i < plan.consoles_len; i++)
		check_console(plan.consoles[i]);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		size_t before = names.len;
		bool added = names_add(&names, line);

		assert(names.len == before + added);
		assert(!names_add(&names, line));
	}
	for (size_t i = 1; i < names.len; i++)
		assert(strcmp(names.at[i - 1], names.at[i]) < 0);
	names_drop(&names);
	return 0;
}
