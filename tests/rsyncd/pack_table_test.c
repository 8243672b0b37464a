/* Tables of packs: good ones come back byte by byte, all else is refused. */
#include "lib/base.h"

#include "rsyncd/pack.h"

#include "tests/test.h"

#define HEAD "edeploy-pack 1\nhash blake2b-256-64k\n"
#define H "8f0cffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe1"
#define S "8f0cfffffffffffffffffff1"
#define F(size, raw) size " " raw " " H "\n"

static const struct {
	const char *text;
	uint64_t end;
	const char *want; /* NULL: good */
} rows[] = {
	{ HEAD "frames 0\nblobs 0\n", 0, NULL },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n" S " 5\n", 9, NULL },
	{ HEAD "frames 2\n" F("9", "5") F("8", "7") "blobs 3\n" S " 1\n" S
						    " 10\n" S " 1\n",
	  17, NULL },
	{ HEAD "frames 1\n" F("17825792", "16777216") "blobs 1\n" S
						      " 16777216\n",
	  17825792, NULL },
	{ "", 0, "line 1: \"edeploy-pack 1\" is missing" },
	{ "edeploy-pack 1\nhash md5\n", 0, "line 2: \"hash blake2b-256-64k\"" },
	{ HEAD "frames 1\nblobs 0\n", 0, "the text is too short" },
	{ HEAD "frames 18446744073709551615\nblobs 0\n", 0, "too short" },
	{ HEAD "frames 18446744073709551616\nblobs 0\n", 0, "is more than" },
	{ HEAD "frames 0\nblobs 1\n", 0, "the text is too short" },
	{ HEAD "frames 0\nblobs 1\n" S " 5\n", 0, "size is more than 0" },
	{ HEAD "frames 0\nblobs 0\n", 1,
	  "the frames have 0 bytes, the pack 1" },
	{ HEAD "frames 0\nblobs 0\n\n", 0, "nothing more should follow" },
	{ HEAD "frames 0\nblobs 0", 0, "the line does not end" },
	{ HEAD "frames 00\nblobs 0\n", 0, "not a number as it should" },
	{ HEAD "frames 1\n" F("0", "5") "blobs 1\n" S " 5\n", 0, "size is 0" },
	{ HEAD "frames 1\n" F("5", "0") "blobs 0\n", 5, "raw size is 0" },
	{ HEAD "frames 1\n" F("5", "16777217") "blobs 0\n", 5,
	  "raw size is more than 16777216" },
	{ HEAD "frames 1\n" F("17825793", "1") "blobs 1\n" S " 1\n", 17825793,
	  "size is more than 17825792" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n" S " 5\n", 8,
	  "the frames have 9 bytes, the pack 8" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n" S " 5\n", 10,
	  "the frames have 9 bytes, the pack 10" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n" S " 4\n", 9,
	  "the contents have 4 bytes, the frames 5" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n" S " 6\n", 9,
	  "size is more than 5" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 2\n" S " 5\n" S " 0\n", 9,
	  "the content's size is 0" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n8" S " 5\n", 9,
	  "a blank is missing" },
	{ HEAD "frames 1\n" F("9", "5") "blobs 1\n8F0cfffffffffffffffffff1 5\n",
	  9, "24 lower-case hex digits" },
};

int
main(void)
{
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(pack_table) t = NULL;
		AUTO_FREE char *back = NULL;
		struct err e = { 0 };
		int got =
			pack_table_parse(&t, rows[i].text, strlen(rows[i].text),
					 rows[i].end, "t", &e);

		CHECK_SHOW(i, got == (rows[i].want ? -1 : 0), "%s", e.text);
		if (rows[i].want) {
			CHECK(i, e.kind == ERR_INPUT);
			CHECK_SHOW(i, strstr(e.text, rows[i].want), "%s",
				   e.text);
		}
		if (!t)
			continue;
		back = pack_table_text(t, &len);
		CHECK(i, len == strlen(rows[i].text) &&
				 str_eq(back, rows[i].text));
		CHECK(i,
		      t->frames < 2 || (t->frame[1].at == t->frame[0].size &&
					t->frame[1].raw_at == t->frame[0].raw));
		CHECK(i, t->blobs < 3 ||
				 (t->blob[1].at == 1 && t->blob[2].at == 11));
	}
	return test_end();
}
