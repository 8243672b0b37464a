/* Things of every size stand beside each other, and none is moved. */
#include <stdalign.h>
#include <stdint.h>

#include "lib/arena.h"

#include "tests/test.h"

static const size_t sizes[] = { 0,    1,     3,       7,       16,    100,
				4096, 16000, 16384,   16385,   40000, 1,
				2,    70000, 1 << 20, 1 << 21, 5,     100000 };

int
main(void)
{
	AUTO(arena) a = arena_new();
	char *at[2][ARRAY_LEN(sizes)];
	size_t i, k, n;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO_FREE char *bytes = base_alloc(sizes[i]);

		memset(bytes, (int)i + 1, sizes[i]);
		at[0][i] = arena_copy(a, bytes, sizes[i]);
		at[1][i] = arena_array(a, sizes[i], 3);
		CHECK(i, (uintptr_t)at[1][i] % alignof(max_align_t) == 0);
		for (n = 0; n < 3 * sizes[i] && at[1][i][n] == 0; n++)
			;
		CHECK(i, n == 3 * sizes[i]);
		memset(at[1][i], (int)i + 100, 3 * sizes[i]);
	}
	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		for (k = 0, n = 0; k < sizes[i]; k++)
			n += at[0][i][k] == (char)(i + 1);
		CHECK(i, n == sizes[i] && at[0][i][sizes[i]] == '\0');
		for (k = 0, n = 0; k < 3 * sizes[i]; k++)
			n += at[1][i][k] == (char)(i + 100);
		CHECK(i, n == 3 * sizes[i]);
	}
	for (i = 0; i < 3; i++) { /* zeroed again, whatever stood there */
		char *text;

		arena_reset(a);
		text = arena_array(a, 100, 1);
		for (k = 0, n = 0; k < 100; k++)
			n += text[k] == '\0';
		CHECK(i, n == 100);
		memset(text, 'x', 100);
		CHECK(i, str_eq(arena_copy(a, "abc", 3), "abc"));
	}
	return test_end();
}
