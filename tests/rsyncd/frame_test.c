/* Frames come back as they were; anything else is refused. */
#include "lib/base.h"

#include "rsyncd/frame.h"

#include "tests/test.h"

#define MIB (1UL << 20)

static char *
noise(size_t len, unsigned seed)
{
	char *out = base_alloc(len);
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		out[i] = (char)(seed >> 16);
	}
	return out;
}

static const struct {
	const char *what;
	size_t raw, prefix;
	int level;
} sizes[] = {
	{ "nothing", 0, 0, 3 },
	{ "a byte", 1, 0, 3 },
	{ "a frame", 4 * MIB, 0, 3 },
	{ "the largest", FRAME_RAW_MAX, 0, 1 },
	{ "a patch", 3 * MIB, 3 * MIB, 3 },
	{ "level 19", MIB / 4, MIB / 4, 19 },
	{ "the largest patch", FRAME_RAW_MAX, FRAME_PREFIX_MAX, 1 },
};

static void
test_sizes(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO(frame_coder) c = frame_coder_new(sizes[i].level);
		AUTO(frame_decoder) d = frame_decoder_new();
		AUTO_CLEAR(buf) frame = { 0 };
		AUTO_FREE char *raw = noise(sizes[i].raw, 1);
		AUTO_FREE char *prefix = noise(sizes[i].prefix, 1);
		AUTO_FREE char *back = base_alloc(sizes[i].raw);
		struct err e = { 0 };

		frame_pack(c, raw, sizes[i].raw, prefix, sizes[i].prefix,
			   &frame);
		CHECK(i, frame_unpack(d, frame.at, frame.len, prefix,
				      sizes[i].prefix, back, sizes[i].raw,
				      &e) == 0);
		CHECK(i, memcmp(raw, back, sizes[i].raw) == 0);
		/* noise that is all in the prefix costs next to nothing */
		if (sizes[i].prefix)
			CHECK(i, frame.len < sizes[i].raw / 50);
	}
}

/* What may not be decoded: the good frame with one thing changed. */
static const struct {
	const char *what, *want;
	int cut, tail, raw_off;
} bad[] = {
	{ "cut", "not one whole", 1, 0, 0 },
	{ "empty", "not one whole", 1 << 30, 0, 0 },
	{ "followed by a byte", "not one whole", 0, 1, 0 },
	{ "another size told", "holds", 0, 0, 1 },
	{ "less told", "holds", 0, 0, -1 },
};

static void
test_bad(void)
{
	AUTO(frame_coder) c = frame_coder_new(3);
	AUTO(frame_decoder) d = frame_decoder_new();
	AUTO_CLEAR(buf) frame = { 0 };
	AUTO_FREE char *raw = noise(10000, 7);
	AUTO_FREE char *back = base_alloc(10001);
	size_t i, len;

	frame_pack(c, raw, 10000, NULL, 0, &frame);
	buf_char(&frame, 'x');
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };

		len = frame.len - 1 + (size_t)bad[i].tail;
		len = (size_t)bad[i].cut > len ? 0 : len - (size_t)bad[i].cut;
		CHECK(i,
		      frame_unpack(d, frame.at, len, NULL, 0, back,
				   (size_t)(10000 + bad[i].raw_off), &e) < 0);
		CHECK(i, e.kind == ERR_INPUT);
		CHECK(i, strstr(e.text, bad[i].want));
	}
}

/* Around the ends of its blocks. */
static void
test_store(void)
{
	static const size_t ends[] = { 0, 1, 131071, 131072, 131073, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTO_FREE char *text = base_alloc(ends[i] + 1);
		AUTO_FREE char *back = NULL;
		AUTO_CLEAR(buf) frame = { 0 };
		struct err e = { 0 };

		for (size_t k = 0; k < ends[i]; k++)
			text[k] = (char)('a' + k * 7 % 23);
		frame_store_text(text, ends[i], &frame);
		CHECK_SHOW(i,
			   frame_unpack_text(frame.at, frame.len, ends[i],
					     &back, &e) == 0,
			   "%s", e.text);
		CHECK(i, str_eq(text, back));
	}
}

static void
test_text(void)
{
	AUTO_CLEAR(buf) frame = { 0 };
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };

	frame_pack_text(3, "edeploy", 7, &frame);
	CHECK(0, frame_unpack_text(frame.at, frame.len, 7, &text, &e) == 0);
	CHECK(0, str_eq(text, "edeploy"));
	CHECK(1, frame_unpack_text(frame.at, frame.len, 6, &text, &e) < 0);
	CHECK(1, str_eq(text, "edeploy"));
	test_store();
}

int
main(void)
{
	test_sizes();
	test_bad();
	test_text();
	return test_end();
}
