/* Tables of deltas and marks: good ones come back byte by byte, all else is
 * refused. */
#include "lib/base.h"

#include "rsyncd/patch.h"

#include "tests/test.h"

#define H "8f0cffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe1"
#define S "8f0cfffffffffffffffffff1"
#define S2 "8f0cfffffffffffffffffff2"
#define G "1f8b08000000000000ff"
#define HASHES "\nhash blake2b-256-64k\n"
#define P(size, raw, at, len) "piece " size " " raw " " H " " at " " len "\n"
#define HEAD                                                                   \
	"edeploy-delta 1" HASHES "from " H "\nto " H                           \
	"\nmanifest 1\n" P("3", "5", "0", "9")
#define ONE HEAD "ops 1\nop "
#define TWO HEAD "ops 2\n"
#define GZIP(size, old)                                                        \
	"op gzip " S " 70 " S2 " " old " 1 6 8 " G                             \
	" 700 900\n" P(size, "700", "0", "900")

#define SYMBOLS(size)                                                          \
	"op symbols " S " 70 " S2 " 90 1 700 900\n" P(size, "700", "0", "900")

static const struct {
	const char *text;
	uint64_t end;
	const char *want; /* NULL: good */
} rows[] = {
	{ HEAD "ops 0\n", 3, NULL },
	{ ONE "whole " S " 7 - 0 1\n" P("9", "7", "0", "0"), 12, NULL },
	{ ONE "whole " S " 7 - 0 2\n" P("9", "3", "0", "0")
		  P("9", "4", "0", "0"),
	  21, NULL },
	{ ONE "zstd " S " 7 " S2 " 9 1\n" P("9", "7", "2", "7"), 12, NULL },
	{ ONE "zstd " S " 7 " S2 " 9 1\n" P("9", "7", "0", "0"), 12, NULL },
	{ ONE "gzip " S " 70 " S2 " 90 1 6 8 " G
	      " 700 900\n" P("9", "700", "0", "900"),
	  12, NULL },
	{ ONE "gzip " S " 70 " S2 " 90 1 4 0 " G
	      " 700 900\n" P("9", "700", "0", "900"),
	  12, NULL },
	{ ONE "rsync " S " 7 " S2 " 9 1\n" P("9", "700", "0", "0"), 12, NULL },
	{ TWO GZIP("9", "90") "op zstd " S " 70 " S2
			      " 90 1\n" P("8", "70", "0", "0"),
	  20, NULL },
	{ HEAD "ops 2\nop whole " S " 7 - 0 1\n" P(
		  "9", "7", "0", "0") "op rsync " S2 " 1 " S
				      " 1 1\n" P("8", "3", "0", "0"),
	  20, NULL },
	{ "", 0, "line 1: \"edeploy-delta 1\" is missing" },
	{ "edeploy-delta 1\nhash md5\n", 0,
	  "line 2: \"hash blake2b-256-64k\"" },
	{ "edeploy-delta 1" HASHES "from " H "\nto " H "\nmanifest 0\nops 0\n",
	  0, "0 pieces cannot be" },
	{ HEAD "ops 0\n", 4, "the pieces do not add up to the file" },
	{ HEAD "ops 0\n", 2, "ends behind the table" },
	{ HEAD "ops 0\nx", 3, "nothing more should follow" },
	{ HEAD "ops 1\n", 3, "the text is too short" },
	{ ONE "bsdiff " S " 7 " S2 " 9 1\n" P("9", "7", "0", "0"), 12,
	  "the kind is none that is known" },
	{ ONE "whole " S " 7 - 1 1\n" P("9", "7", "0", "0"), 12,
	  "\"- 0\" is missing" },
	{ ONE "whole " S " 7 " S2 " 0 1\n" P("9", "7", "0", "0"), 12,
	  "\"- 0\" is missing" },
	{ ONE "whole " S " 7 - 0 1\n" P("9", "7", "0", "1"), 12,
	  "this kind has no prefix" },
	{ ONE "whole " S " 7 - 0 1\n" P("9", "6", "0", "0"), 12,
	  "do not add up to the content" },
	{ ONE "whole " S " 0 - 0 1\n" P("9", "7", "0", "0"), 12,
	  "a content of nothing" },
	{ ONE "whole " S " 7 - 0 2\n" P("9", "7", "0", "0"), 12,
	  "2 pieces cannot be" },
	{ ONE "whole " S " 7 - 0 1\n" P("0", "7", "0", "0"), 3,
	  "a piece of nothing" },
	{ ONE "whole " S " 7 - 0 1\n" P("9", "0", "0", "0"), 12,
	  "a piece of nothing" },
	{ ONE "whole " S " 7 - 0 1\n" P("9", "16777217", "0", "0"), 12,
	  "the raw size is more than 16777216" },
	{ ONE "zstd " S " 7 " S2 " 9 1\n" P("9", "7", "2", "8"), 12,
	  "the prefix is not in the old content" },
	{ ONE "zstd " S " 7 " S2 " 9 1\n" P("9", "7", "10", "1"), 12,
	  "the prefix is not in the old content" },
	{ ONE "zstd " S " 7 " S2 " 9 1\n" P("9", "7", "2", "0"), 12,
	  "an offset without a length" },
	{ ONE "zstd " S " 7 " S2 " 99999999 1\n" P("9", "7", "0", "50331649"),
	  12, "the length is more than 50331648" },
	{ ONE "zstd " S " 7 " S2 " 0 1\n" P("9", "7", "0", "0"), 12,
	  "a content of nothing" },
	{ ONE "gzip " S " 70 " S2 " 90 1 3 0 " G
	      " 700 900\n" P("9", "700", "0", "900"),
	  12, "there is no such level" },
	{ ONE "gzip " S " 70 " S2 " 90 1 0 8 " G
	      " 700 900\n" P("9", "700", "0", "900"),
	  12, "there is no such level" },
	{ ONE "gzip " S " 70 " S2 " 90 1 6 10 " G
	      " 700 900\n" P("9", "700", "0", "900"),
	  12, "the memory level is more than 9" },
	{ ONE "gzip " S " 70 " S2
	      " 90 1 6 8 1f8b 700 900\n" P("9", "700", "0", "900"),
	  12, "the header is not 10 to 1024 bytes" },
	{ ONE "gzip " S " 70 " S2 " 90 1 6 8 " G
	      " 700 1073741825\n" P("9", "700", "0", "900"),
	  12, "the old raw size is more than" },
	{ ONE "gzip " S " 70 " S2 " 90 1 6 8 " G
	      " 700 899\n" P("9", "700", "0", "900"),
	  12, "the prefix is not in the old content" },
	{ ONE "rsync " S " 7 " S2 " 9 1\n" P("9", "700", "0", "1"), 12,
	  "this kind has no prefix" },
	{ HEAD "ops 2\nop whole " S " 7 - 0 1\n" P(
		  "9", "7", "0", "0") "op rsync " S " 1 " S
				      " 1 1\n" P("8", "3", "0", "0"),
	  20, "the same content again" },
	{ TWO GZIP("9", "90") GZIP("8", "91"), 20, "the same content again" },
	{ TWO "op zstd " S " 70 " S2 " 90 1\n" P("8", "70", "0", "0")
		  GZIP("9", "90"),
	  20, "the same content again" },
	{ TWO GZIP("9", "90") "op whole " S
			      " 71 - 0 1\n" P("8", "71", "0", "0"),
	  20, "the same content again" },
	{ HEAD "ops 3\n" GZIP("9", "90") "op whole " S " 70 - 0 1\n" P(
		  "8", "70", "0", "0") "op whole " S
				       " 70 - 0 1\n" P("8", "70", "0", "0"),
	  28, "the same content again" },
	{ ONE "symbols " S " 70 " S2
	      " 90 1 700 900\n" P("9", "700", "0", "900"),
	  12, NULL },
	{ ONE "symbols " S " 70 " S2
	      " 90 1 700 899\n" P("9", "700", "0", "900"),
	  12, "the prefix is not in the old content" },
	{ ONE "symbols " S " 70 " S2
	      " 90 1 701 900\n" P("9", "700", "0", "900"),
	  12, "the pieces do not add up to the content" },
	{ ONE "symbols " S " 70 " S2
	      " 90 1 1073741825 900\n" P("9", "700", "0", "900"),
	  12, "the new raw size is more than" },
	{ ONE "symbols " S " 70 " S2 " 90 1\n" P("9", "700", "0", "900"), 12,
	  "" },
	{ HEAD "ops 3\n" GZIP("9", "90") SYMBOLS(
		  "8") "op zstd " S " 70 " S2 " 90 1\n" P("7", "70", "0", "0"),
	  27, NULL },
	{ TWO SYMBOLS("8") GZIP("9", "90"), 20, "the same content again" },
	{ TWO SYMBOLS("8") SYMBOLS("9"), 20, "the same content again" },
};

static void
test_delta(void)
{
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(patch_table) t = NULL;
		AUTO_FREE char *back = NULL;
		struct err e = { 0 };
		int got = patch_table_parse(&t, rows[i].text,
					    strlen(rows[i].text), rows[i].end,
					    "t", &e);

		CHECK_SHOW(i, got == (rows[i].want ? -1 : 0), "%s", e.text);
		if (rows[i].want) {
			CHECK(i, e.kind == ERR_INPUT);
			CHECK_SHOW(i, strstr(e.text, rows[i].want), "%s",
				   e.text);
		}
		if (!t)
			continue;
		back = patch_table_text(t, &len);
		CHECK(i, len == strlen(rows[i].text) &&
				 str_eq(back, rows[i].text));
	}
}

/* What is found, and where its pieces are. */
static void
test_find(void)
{
	const char *text = rows[9].text;
	AUTO(patch_table) t = NULL;
	struct err e = { 0 };
	unsigned char head[12] = { 0x8f, 0x0c };
	const struct patch_op *op;

	CHECK(0, patch_table_parse(&t, text, strlen(text), 20, "t", &e) == 0);
	if (!t)
		return;
	CHECK(0, patch_manifest_size(t) == 3 && t->manifest_pieces == 1);
	CHECK(0, !patch_find(t, head));
	memset(head + 2, 0xff, 9);
	head[11] = 0xf1;
	op = patch_find(t, head);
	CHECK(1, op && op->kind == PATCH_WHOLE && op->piece == 1);
	CHECK(1, op && t->piece[op->piece].at == 3);
	head[11] = 0xf2;
	op = patch_find(t, head);
	CHECK(2, op && op->kind == PATCH_RSYNC && op->piece == 2);
	CHECK(2, op && t->piece[op->piece].at == 12);
	CHECK(2, op && !patch_plain(t, op));
	head[11] = 0xf3;
	CHECK(3, !patch_find(t, head));
}

/* Of two that make the same, the gzip one is found, and leads to the other. */
static void
test_plain(void)
{
	const char *text = rows[8].text;
	AUTO(patch_table) t = NULL;
	struct err e = { 0 };
	const struct patch_op *op;

	CHECK(0, patch_table_parse(&t, text, strlen(text), 20, "t", &e) == 0);
	if (!t)
		return;
	op = patch_find(t, t->op[1].new_head);
	CHECK(0, op == &t->op[0] && op->kind == PATCH_GZIP);
	CHECK(1, op && patch_plain(t, op) == &t->op[1]);
	CHECK(2, !patch_plain(t, &t->op[1]));
}

#define MARKS "edeploy-marks 1" HASHES "marks "

static const struct {
	const char *text;
	uint64_t end;
	const char *want; /* NULL: good */
} marks[] = {
	{ MARKS "0\n", 0, NULL },
	{ MARKS "2\n" S " 99 5 9 " H "\n" S2 " 1 6 9 " H "\n", 11, NULL },
	{ MARKS "2\n" S2 " 99 5 9 " H "\n" S " 1 6 9 " H "\n", 11,
	  "not in the order" },
	{ MARKS "2\n" S " 99 5 9 " H "\n" S " 1 6 9 " H "\n", 11,
	  "not in the order" },
	{ MARKS "1\n" S " 99 5 9 " H "\n", 6, "do not add up" },
	{ MARKS "1\n" S " 99 5 9 " H "\n", 4, "ends behind the table" },
	{ MARKS "1\n" S " 99 0 9 " H "\n", 0, "a mark of nothing" },
	{ MARKS "1\n" S " 99 5 16777217 " H "\n", 5, "its raw size is more" },
	{ MARKS "9\n" S " 99 5 9 " H "\n", 5, "the text is too short" },
	{ MARKS "1\n" S " 99 5 9 " H "\n\n", 5, "nothing more" },
};

static void
test_marks(void)
{
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(marks); i++) {
		AUTO(mark_table) t = NULL;
		AUTO_FREE char *back = NULL;
		struct err e = { 0 };
		int got = mark_table_parse(&t, marks[i].text,
					   strlen(marks[i].text), marks[i].end,
					   "t", &e);

		CHECK_SHOW(i, got == (marks[i].want ? -1 : 0), "%s", e.text);
		if (marks[i].want)
			CHECK_SHOW(i, strstr(e.text, marks[i].want), "%s",
				   e.text);
		if (!t)
			continue;
		back = mark_table_text(t, &len);
		CHECK(i, len == strlen(marks[i].text) &&
				 str_eq(back, marks[i].text));
		if (t->len == 2)
			CHECK(i, mark_find(t, t->mark[1].head) == &t->mark[1] &&
					 t->mark[1].piece.at == 5 &&
					 !mark_find(t, (const void *)S));
	}
}

int
main(void)
{
	test_delta();
	test_find();
	test_plain();
	test_marks();
	return test_end();
}
