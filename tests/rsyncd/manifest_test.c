/* A manifest has one spelling: what is good comes back byte by byte, all else
 * is refused with its line. */
#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/manifest.h"

#include "tests/test.h"

#define TOP "d 755 0 0 1.000000000 .\n"
#define T " 0 0 1.000000000 "
#define EMPTY "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
#define H "8f0cffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe1"

/* Lines as they are. */
static const struct {
	const char *body;
	size_t entries;
	unsigned long long bytes;
} good[] = {
	{ TOP, 1, 0 },
	{ "d 0 4294967294 0 -1.999999999 .\n", 1, 0 },
	{ "d 7777 0 0 999999999999.000000000 .\n", 1, 0 },
	{ TOP "f 644" T "0 " EMPTY " a\n", 2, 0 },
	{ TOP "f 644" T "4096 " H " a sparse xattr:user.a=\n", 2, 4096 },
	{ TOP "f 644" T "7 " H " a xattr:a=00 xattr:b=ff\n", 2, 7 },
	{ TOP "f 644" T "7 " H " a xattr:a\\x20b=c=00\n", 2, 7 },
	{ TOP "f 644" T "7 " H " a\nh b a\n", 3, 7 },
	{ TOP "l" T "a ../b\\x20c\nh b a\n", 3, 0 },
	{ TOP "l" T "a /x xattr:security.selinux=00\n", 2, 0 },
	{ TOP "c 666" T "1 3 null\nb 660" T "4095 1048575 sda\n", 3, 0 },
	{ TOP "p 600" T "pipe\n", 2, 0 },
	{ TOP "f 644" T "1 " H " \\x0a\\x20\\x5c\\x7f\xc3\xa4\xff\n", 2, 1 },
	{ TOP "d 755" T "a\nd 755" T "a/b\nd 755" T "a/b/c\nd 755" T
	      "a/d\nd 755" T "a\\x01\nd 755" T "a.b\nd 755" T "ab\n",
	  8, 0 },
	{ TOP "d 755" T "...\nd 755" T "..a\nd 755" T ".a\n", 4, 0 },
};

/* What is refused, and what is said: "ENTRIES BYTES", a newline, lines; or the
 * whole text. */
static const struct {
	const char *text, *want;
} bad[] = {
	{ "", "line 1: \"edeploy-manifest 1\" is missing" },
	{ "edeploy-manifest 2\n", "line 1: \"edeploy-manifest 1\"" },
	{ "edeploy-manifest 1\nhash sha256\n",
	  "line 2: \"hash blake2b-256-64k\"" },
	{ "2 0\n", "the text is too short" },
	{ "0 0\n", "not between 1 and 4000000" },
	{ "999999999999999999999 0\n" TOP, "is more than" },
	{ "01 0\n" TOP, "not a number as it should" },
	{ "+1 0\n" TOP, "not a number as it should" },
	{ "1 1\n" TOP, "files have 0 bytes, the header says 1" },
	{ "1 0\n" TOP TOP, "line 6: nothing more should follow" },
	{ "2 0\n" TOP, "line 6: no line of d, f, h, l, c, b or p" },
	{ "1 0\nd 755 0 0 1.000000000 .", "the line does not end" },
	{ "1 0\nf 755 0 0 1.000000000 0 " EMPTY " .\n",
	  "not the directory \".\"" },
	{ "1 0\nd 755 0 0 1.000000000 a\n", "not the directory \".\"" },
	{ "1 0\ns 755 0 0 1.000000000 .\n", "no line of d" },
	{ "2 0\n" TOP "d 755" T "a\\xg0\n", "has a \\ that is none of" },
	{ "1 0\nd 0755 0 0 1.000000000 .\n", "the mode is not octal" },
	{ "1 0\nd 10755 0 0 1.000000000 .\n", "a blank is missing" },
	{ "1 0\nd 8 0 0 1.000000000 .\n", "the mode is not octal" },
	{ "1 0\nd  0 0 1.000000000 .\n", "the mode is not octal" },
	{ "1 0\nd 755 4294967295 0 1.000000000 .\n", "the user is more than" },
	{ "1 0\nd 755 0 4294967295 1.000000000 .\n", "the group is more" },
	{ "1 0\nd 755 0 -1 1.000000000 .\n", "the group is not a number" },
	{ "1 0\nd 755 0 0 1000000000000.000000000 .\n", "the time is more" },
	{ "1 0\nd 755 0 0 -0.000000001 .\n", "the time is -0" },
	{ "1 0\nd 755 0 0 1.00000000 .\n", "nine digits" },
	{ "1 0\nd 755 0 0 1.0000000000 .\n", "a blank is missing" },
	{ "1 0\nd 755 0 0 1 .\n", "\".\" is missing" },
	{ "1 0\nd 755 0 0 1.000000000  .\n", "the path is missing" },
	{ "1 0\nd 755 0 0 1.000000000 . \n", "the line does not end" },
	{ "1 0\nd 755 0 0 1.000000000 .\r\n", "the line does not end" },
	{ "1 0\nd 755 0 0 1.000000000 . sparse\n", "the line does not end" },
	{ "2 0\n" TOP "d 755" T ".\n", "\".\" or \"..\"" },
	{ "2 0\n" TOP "d 755" T "..\n", "\".\" or \"..\"" },
	{ "2 0\n" TOP "d 755" T "/\n", "is empty" },
	{ "2 0\n" TOP "d 755" T "/a\n", "is empty" },
	{ "3 0\n" TOP "d 755" T "a\nd 755" T "a/\n", "is empty" },
	{ "3 0\n" TOP "d 755" T "a\nd 755" T "a//b\n", "is empty" },
	{ "3 0\n" TOP "d 755" T "a\nd 755" T "a/..\n", "\".\" or \"..\"" },
	{ "3 0\n" TOP "d 755" T "a\nd 755" T "a/../b\n", "\".\" or" },
	{ "2 0\n" TOP "d 755" T "a\\x2e\n", "has a \\ that is none" },
	{ "2 0\n" TOP "d 755" T "a\\x00\n", "has a \\ that is none" },
	{ "2 0\n" TOP "d 755" T "a\\x0A\n", "has a \\ that is none" },
	{ "2 0\n" TOP "d 755" T "a\\n\n", "has a \\ that is none" },
	{ "2 0\n" TOP "d 755" T "a\\x0\n", "has a \\ that is none" },
	{ "2 0\n" TOP "d 755" T "a\tb\n", "the line does not end" },
	{ "2 0\n" TOP "d 755" T "a\x7f\n", "the line does not end" },
	{ "3 0\n" TOP "d 755" T "a\nd 755" T "a\n", "there twice" },
	{ "3 0\n" TOP "d 755" T "b\nd 755" T "a\n", "further above" },
	{ "4 0\n" TOP "d 755" T "a\nd 755" T "a.b\nd 755" T "a/b\n",
	  "further above" },
	{ "2 0\n" TOP "d 755" T "a/b\n", "missing above it" },
	{ "3 0\n" TOP "d 755" T "a\nd 755" T "a/b/c\n", "missing above it" },
	{ "3 0\n" TOP "d 755" T "ab\nd 755" T "ac/d\n", "missing above it" },
	{ "3 0\n" TOP "p 755" T "a\nd 755" T "a/b\n", "missing above it" },
	{ "2 0\n" TOP "f 644" T "0 " H " a\n", "not that of an empty" },
	{ "2 1\n" TOP "f 644" T "1 " H "0 a\n", "a blank is missing" },
	{ "2 1\n" TOP "f 644" T "1 8F" H " a\n", "not 64 lower-case hex" },
	{ "2 1\n" TOP "f 644" T "1 8f a\n", "the hash is" },
	{ "2 9223372036854775808\n" TOP "f 6" T "9223372036854775808 " H " a\n",
	  "the size is more than" },
	{ "4 9223372036854775807\n" TOP "f 6" T "9223372036854775807 " H
	  " a\nf 6" T "9223372036854775807 " H " b\nf 6" T
	  "9223372036854775807 " H " c\n",
	  "line 8: sizes add up to too much" },
	{ "2 4095\n" TOP "f 644" T "4095 " H " a sparse\n", "that small" },
	{ "2 4096\n" TOP "f 644" T "4096 " H " a xattr:a= sparse\n",
	  "the line does not end" },
	{ "2 4096\n" TOP "f 644" T "4096 " H " a sparse sparse\n",
	  "the line does not end" },
	{ "2 0\n" TOP "h a b\n", "not above it" },
	{ "3 0\n" TOP "h a b\np 600" T "b\n", "not above it" },
	{ "2 0\n" TOP "h a a\n", "not above it" },
	{ "2 0\n" TOP "h a .\n", "to a directory" },
	{ "4 0\n" TOP "p 600" T "a\nh b a\nh c b\n", "or to a hard link" },
	{ "3 0\n" TOP "p 600" T "a\nh b a xattr:a=\n", "no attributes of" },
	{ "2 0\n" TOP "l" T "a \n", "the link is missing" },
	{ "2 0\n" TOP "l 777" T "a b\n", "\".\" is missing" },
	{ "2 0\n" TOP "c 666" T "4096 0 a\n", "major is more" },
	{ "2 0\n" TOP "c 666" T "0 1048576 a\n", "minor is more" },
	{ "2 0\n" TOP "c 666" T "a\n", "major is not a number" },
	{ "2 0\n" TOP "p 600" T "a xattr:\n", "is missing" },
	{ "2 0\n" TOP "p 600" T "a xattr:=\n", "not NAME=HEX" },
	{ "2 0\n" TOP "p 600" T "a xattr:a\n", "not NAME=HEX" },
	{ "2 0\n" TOP "p 600" T "a xattr:a=0\n", "not NAME=HEX" },
	{ "2 0\n" TOP "p 600" T "a xattr:a=0g\n", "lower-case hex" },
	{ "2 0\n" TOP "p 600" T "a xattr:b= xattr:a=\n", "not in order" },
	{ "2 0\n" TOP "p 600" T "a xattr:b= xattr:b=\n", "not in order" },
	{ "2 0\n" TOP "p 600" T "a  xattr:b=\n", "the line does not end" },
};

static char *
with_header(const char *counts, const char *body)
{
	const char *blank = strchr(counts, ' ');

	return base_printf("edeploy-manifest 1\nhash blake2b-256-64k\n"
			   "entries %.*s\nbytes %.*s\n%s",
			   (int)(blank - counts), counts,
			   (int)strcspn(blank + 1, "\n"), blank + 1, body);
}

/* The same entries added from the last to the first. */
static char *
made_again(const struct manifest *m, struct err *e)
{
	AUTO(manifest) again = manifest_new();
	size_t i;

	for (i = m->len; i-- > 0;)
		manifest_add(again, &m->entry[i]);
	if (manifest_seal(again, e) < 0)
		return NULL;
	if (!str_eq(again->root, m->root) || again->bytes != m->bytes)
		return NULL;
	return base_strdup(again->text);
}

static void
test_good(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		AUTO(manifest) m = NULL;
		struct err e = { 0 };
		AUTO_FREE char *counts =
			base_printf("%zu %llu", good[i].entries, good[i].bytes);
		AUTO_FREE char *text = with_header(counts, good[i].body);
		AUTO_FREE char *again = NULL;

		CHECK_SHOW(i,
			   manifest_parse(&m, text, strlen(text), "m", &e) == 0,
			   "%s", e.text);
		if (!m)
			continue;
		CHECK(i, m->len == good[i].entries);
		CHECK(i, m->bytes == good[i].bytes);
		CHECK(i, str_eq(m->text, text));
		again = made_again(m, &e);
		CHECK_SHOW(i, str_eq(again, text), "%s %s", e.text, again);
	}
}

static void
test_bad(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(manifest) m = NULL;
		struct err e = { 0 };
		const char *body = strchr(bad[i].text, '\n');
		bool whole = !body || str_starts(bad[i].text, "edeploy");
		AUTO_FREE char *text =
			whole ? base_strdup(bad[i].text)
			      : with_header(bad[i].text, body + 1);

		CHECK(i, manifest_parse(&m, text, strlen(text), "m", &e) < 0);
		CHECK(i, e.kind == ERR_INPUT && str_starts(e.text, "m line "));
		CHECK_SHOW(i, strstr(e.text, bad[i].want), "%s", e.text);
	}
}

/* Sizes at their limit and one above. */
static const struct {
	size_t parts, part, xattrs, value;
	const char *want; /* NULL: good */
} limits[] = {
	{ 1, 255, 0, 0, NULL },
	{ 1, 256, 0, 0, "a name in the path is too long" },
	{ 16, 255, 0, 0, NULL },
	{ 17, 240, 0, 0, "the path is too long" },
	{ 2048, 1, 0, 0, NULL },
	{ 2049, 1, 0, 0, "the path is too long" },
	{ 1, 1, 64, 0, NULL },
	{ 1, 1, 65, 0, "too many extended attributes" },
	{ 1, 1, 1, 65533, NULL },
	{ 1, 1, 1, 65534, "extended attributes are too large" },
	{ 1, 1, 2, 32765, NULL },
	{ 1, 1, 2, 32766, "extended attributes are too large" },
};

static void
add_limit(struct manifest *m, size_t i)
{
	struct manifest_xattr xattr[65];
	char name[65][24];
	AUTO_FREE unsigned char *value = base_alloc(limits[i].value);
	struct manifest_entry x = { .type = 'd', .path = "." };
	AUTO_CLEAR(buf) path = { 0 };
	size_t k;

	manifest_add(m, &x);
	for (k = 0; k < limits[i].parts; k++) {
		AUTO_FREE char *part = base_alloc(limits[i].part + 1);

		memset(part, 'a', limits[i].part);
		buf_printf(&path, "%s%s", k ? "/" : "", part);
		x.path = buf_text(&path);
		if (k + 1 == limits[i].parts)
			break;
		manifest_add(m, &x);
	}
	for (k = 0; k < limits[i].xattrs; k++) {
		snprintf(name[k], sizeof(name[k]), "u%02zu", k);
		xattr[k] = (struct manifest_xattr){ name[k], value,
						    limits[i].value };
	}
	x.xattrs = xattr;
	x.xattrs_len = (uint8_t)limits[i].xattrs;
	manifest_add(m, &x);
}

static void
test_limits(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(limits); i++) {
		AUTO(manifest) m = manifest_new();
		AUTO(manifest) back = NULL;
		struct err e = { 0 };

		add_limit(m, i);
		CHECK_SHOW(i, manifest_seal(m, &e) == (limits[i].want ? -1 : 0),
			   "%s", e.text);
		if (limits[i].want) {
			CHECK_SHOW(i, str_starts(e.text, limits[i].want), "%s",
				   e.text);
			continue;
		}
		CHECK_SHOW(i,
			   manifest_parse(&back, m->text, m->text_len, "m",
					  &e) == 0,
			   "%s", e.text);
		CHECK(i, back && str_eq(back->root, m->root));
	}
}

/* What cannot be sealed, by the types and paths that are added. */
static const struct {
	const char *types, *paths[4], *want;
} unsealed[] = {
	{ "", { NULL }, "0 entries" },
	{ "f", { "." }, "the first entry is not" },
	{ "d", { "a" }, "the first entry is not" },
	{ "dd", { ".", "." }, "the path" },
	{ "ddd", { ".", "a", "a" }, "the path is there twice: a" },
	{ "ddd", { ".", "b", "a/b" }, "the directory that it is in" },
	{ "dd", { ".", "/a" }, "a part of the path is empty" },
	{ "dl", { ".", "a" }, "a link's text is empty" },
	{ "dh", { ".", "a" }, "a link's text is empty" },
	{ "df", { ".", "\n" }, "the hash is not that of an empty file: \\x0a" },
};

static void
test_unsealed(void)
{
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(unsealed); i++) {
		AUTO(manifest) m = manifest_new();
		struct err e = { 0 };

		for (k = 0; unsealed[i].types[k]; k++) {
			struct manifest_entry x = {
				.type = unsealed[i].types[k],
				.path = unsealed[i].paths[k],
				.link = ""
			};
			manifest_add(m, &x);
		}
		CHECK(i, manifest_seal(m, &e) < 0 && e.kind == ERR_INPUT);
		CHECK_SHOW(i, str_starts(e.text, unsealed[i].want), "%s",
			   e.text);
	}
}

static const struct {
	const char *less, *more;
} orders[] = {
	{ ".", "!" },       { ".", "a" },       { "a", "a/b" },
	{ "a/b", "a b" },   { "a/b", "a\x01" }, { "a/b/c", "a/c" },
	{ "a/z", "a.b/c" }, { "a", "ab" },      { "a", "\xff" },
	{ "...", "..a" },   { ".", "..." },
};

static void
test_order(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(orders); i++) {
		CHECK(i, manifest_path_cmp(orders[i].less, orders[i].more) < 0);
		CHECK(i, manifest_path_cmp(orders[i].more, orders[i].less) > 0);
		CHECK(i,
		      manifest_path_cmp(orders[i].less, orders[i].less) == 0);
	}
}

/* ---- contents ---- */

/* The n-th hash; the last two begin alike. */
static struct digest
nth(uint32_t n)
{
	struct digest d;

	digest_of(&n, sizeof(n), &d);
	if (n == 3) {
		d = nth(2);
		d.b[12] ^= 1;
	}
	return d;
}

static void
test_contents(void)
{
	AUTO(manifest) m = manifest_new();
	AUTO(contents) c = NULL;
	struct manifest_entry x = { .type = 'd', .path = "." };
	struct digest none = { 0 }, d;
	char path[8];
	struct err e = { 0 };
	uint32_t i;

	manifest_add(m, &x);
	x.type = 'f';
	x.path = "0";
	digest_of("", 0, &x.hash);
	manifest_add(m, &x);
	for (i = 0; i < 1000; i++) { /* each of 500 twice */
		snprintf(path, sizeof(path), "f%03u", i);
		x.path = path;
		x.size = i % 500 + 1;
		x.hash = nth(i % 500);
		manifest_add(m, &x);
	}
	CHECK(0, manifest_seal(m, &e) == 0);
	c = contents_of(m);
	CHECK(0, contents_len(c) == 500);
	CHECK(0, !contents_at(c, 500) && !contents_find(c, &none) &&
			 !contents_short(c, none.b));
	for (i = 0; i < 500; i++) {
		const struct content *at = contents_at(c, i);

		d = nth(i);
		CHECK(i, at && at->at == i && at->size == i + 1);
		CHECK(i, contents_find(c, &d) == at);
		CHECK(i,
		      contents_short(c, d.b) == (i == 2 || i == 3 ? NULL : at));
		snprintf(path, sizeof(path), "f%03u", i);
		CHECK(i, at && str_eq(at->first->path, path));
		CHECK(i, manifest_find(m, path) == &m->entry[i + 2]);
	}
	CHECK(0, !manifest_find(m, "f") && !manifest_find(m, "g"));
}

int
main(void)
{
	test_good();
	test_bad();
	test_limits();
	test_unsealed();
	test_order();
	test_contents();
	return test_end();
}
