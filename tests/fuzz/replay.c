/* Replay a corpus as a plain test: every file of a folder through a fuzz
 * target, once as it is and once cut at each of its first bytes, under the
 * sanitizers of the test build. What libFuzzer once found stays tested. */
#include <stdint.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "tests/test.h"

#define CUTS 64 /* lengths tried of each file */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A copy of exactly `len` bytes, so that reading past it is seen. */
static void
feed(const char *text, size_t len)
{
	AUTO_FREE char *copy = base_alloc(len);

	memcpy(copy, text, len);
	LLVMFuzzerTestOneInput((const uint8_t *)copy, len);
}

int
main(int argc, char **argv)
{
	char **names = argc == 2 ? dir_names(argv[1]) : NULL;
	size_t i, k;

	CHECK(0, names && names[0]);
	feed("", 0);
	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", argv[1], names[i]);
		AUTO_FREE char *text = NULL;
		struct err e = { 0 };
		size_t len = 0;

		CHECK(i, file_read(path, 1 << 24, &text, &len, &e) == 0);
		feed(text, len);
		for (k = 1; k < CUTS && len > 0; k++)
			feed(text, len * k / CUTS);
	}
	names_free(names);
	return test_end();
}
