#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <stdio.h>

/* Unit tests print TAP, one line a check, and go on past a failing row.
 * A test program is: rows, loops with CHECK, `return test_end();`. */
static int test_count, test_failed;

/* Check one row of a table; go on to the next row on failure. */
#define CHECK(row, cond)                                                       \
	do {                                                                   \
		int good_ = !!(cond);                                          \
		test_count++;                                                  \
		test_failed += !good_;                                         \
		printf("%sok %d - %s:%d row %zu: %s\n", good_ ? "" : "not ",   \
		       test_count, __FILE__, __LINE__, (size_t)(row), #cond);  \
	} while (0)

/* The same with a text of its own that tells what was seen. */
#define CHECK_SHOW(row, cond, ...)                                             \
	do {                                                                   \
		int ok_ = !!(cond);                                            \
		CHECK(row, ok_);                                               \
		if (!ok_) {                                                    \
			printf("# ");                                          \
			printf(__VA_ARGS__);                                   \
			printf("\n");                                          \
		}                                                              \
	} while (0)

/* What cannot be checked here: `why` tells what is missing. */
static inline void
test_skip(const char *why)
{
	printf("ok %d # SKIP %s\n", ++test_count, why);
}

/* Print the plan; the exit code of main. */
static inline int
test_end(void)
{
	printf("1..%d\n", test_count);
	return test_failed ? 1 : 0;
}

#endif
