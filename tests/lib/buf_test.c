/* Bytes that grow: whatever was added is there, NUL-terminated, whatever the
 * steps. */
#include "lib/base.h"
#include "lib/buf.h"
#include "tests/test.h"

static void
test_empty(void)
{
	AUTO_CLEAR(buf) b = { 0 };
	AUTO_FREE char *taken = NULL;

	CHECK(0, str_eq(buf_text(&b), "") && b.len == 0);
	buf_add(&b, "", 0);
	CHECK(1, str_eq(buf_text(&b), "") && b.len == 0 && b.at);
	buf_reset(&b);
	buf_clear(&b);
	taken = buf_take(&b);
	CHECK(2, str_eq(taken, "") && !b.at);
	buf_printf(&b, "%s", "");
	CHECK(3, str_eq(buf_text(&b), ""));
}

/* Every length from both sides of each growth. */
static void
test_growth(void)
{
	AUTO_CLEAR(buf) b = { 0 };
	size_t wrong = 0;

	for (size_t i = 0; i < 5000; i++) {
		buf_char(&b, (char)('a' + i % 26));
		wrong += b.len != i + 1 || b.cap <= b.len || b.at[b.len] ||
			 strlen(b.at) != b.len;
	}
	for (size_t i = 0; i < b.len; i++)
		wrong += b.at[i] != (char)('a' + i % 26);
	CHECK(0, wrong == 0);
}

static const size_t lens[] = { 0, 1, 2, 15, 16, 17, 255, 256, 257, 65536 };

static void
test_printf(void)
{
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		AUTO_CLEAR(buf) b = { 0 };
		AUTO_FREE char *text = base_alloc(lens[i] + 1);

		memset(text, 'x', lens[i]);
		buf_str(&b, "<");
		buf_printf(&b, "%s%d", text, 42);
		CHECK(i, b.len == lens[i] + 3 && b.at[0] == '<' &&
				 memcmp(b.at + 1, text, lens[i]) == 0 &&
				 str_eq(b.at + 1 + lens[i], "42"));
	}
}

static void
test_room(void)
{
	AUTO_CLEAR(buf) b = { 0 };
	AUTO_FREE char *taken = NULL;

	memcpy(buf_room(&b, 3), "abc", 3);
	b.len += 3;
	buf_add(&b, "\0d", 2);
	CHECK(0, b.len == 5 && memcmp(b.at, "abc\0d", 6) == 0);
	buf_reset(&b);
	CHECK(1, b.len == 0 && b.at && str_eq(buf_text(&b), ""));
	buf_str(&b, "again");
	taken = buf_take(&b);
	CHECK(2, str_eq(taken, "again") && !b.at && b.len == 0 && b.cap == 0);
}

int
main(void)
{
	test_empty();
	test_growth();
	test_printf();
	test_room();
	return test_end();
}
