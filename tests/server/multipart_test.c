#include "tests/test.h"
#include "server/multipart.h"
#include "lib/buf.h"

#define TYPE "multipart/form-data; boundary=XX"
#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define A_IS_1 "--XX\r\n" FIELD("a") "1\r\n--XX"

static const struct {
	const char *type, *body;
	const char *name, *filename, *value; /* of part a; NULL: refused */
} rows[] = {
	{ TYPE, A_IS_1 "--\r\n", "a", NULL, "1" },
	{ TYPE, A_IS_1 "--", "a", NULL, "1" },
	{ "Multipart/Form-Data;boundary=\"XX\"", A_IS_1 "--", "a", NULL, "1" },
	{ TYPE "; charset=x", A_IS_1 "--", "a", NULL, "1" },
	{ TYPE, "--XX\r\n" FIELD("a") "\r\n--XX--", "a", NULL, "" },
	{ TYPE, "--XX\r\n" FIELD("a") "-\r\n--X\r\n--XX--", "a", NULL,
	  "-\r\n--X" },
	{ TYPE, A_IS_1 "\r\n" FIELD("b") "2\r\n--XX--", "b", NULL, "2" },
	{ TYPE,
	  "--XX\r\nContent-Type: text/plain\r\ncontent-disposition:form-data;"
	  " name=\"a\" ; filename=\"x \\\"y\\\\.gz\"\r\n\r\n1\r\n--XX--",
	  "a", "x \"y\\.gz", "1" },
	{ TYPE,
	  "--XX\r\nContent-Disposition: form-data; filename=\"; name=\"; "
	  "name=\"a\"\r\n\r\n1\r\n--XX--",
	  "a", "; name=", "1" },
	{ TYPE,
	  "--XX\r\nContent-Transfer-Encoding: Binary\r\n"
	  "Content-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX--",
	  "a", NULL, "1" },
	/* refused: the type */
	{ NULL, A_IS_1 "--", NULL, NULL, NULL },
	{ "application/json", A_IS_1 "--", NULL, NULL, NULL },
	{ "multipart/form-data", A_IS_1 "--", NULL, NULL, NULL },
	{ "multipart/form-data; boundary=", A_IS_1 "--", NULL, NULL, NULL },
	{ "multipart/form-data; boundary=\"XX", A_IS_1 "--", NULL, NULL, NULL },
	{ "multipart/form-data; boundary=X\x01X", A_IS_1 "--", NULL, NULL,
	  NULL },
	{ "multipart/form-data; boundary="
	  "00000000011111111112222222222333333333344444444445555555555666666"
	  "666677",
	  A_IS_1 "--", NULL, NULL, NULL },
	/* refused: the body */
	{ TYPE, "", NULL, NULL, NULL },
	{ TYPE, "--XX", NULL, NULL, NULL },
	{ TYPE, "--XX--", NULL, NULL, NULL },
	{ TYPE, "--XX\r\n", NULL, NULL, NULL },
	{ TYPE, "x" A_IS_1 "--", NULL, NULL, NULL },
	{ TYPE, A_IS_1, NULL, NULL, NULL },
	{ TYPE, A_IS_1 "\r\n", NULL, NULL, NULL },
	{ TYPE, A_IS_1 "-", NULL, NULL, NULL },
	{ TYPE, A_IS_1 "--\r", NULL, NULL, NULL },
	{ TYPE, A_IS_1 "--\r\nx", NULL, NULL, NULL },
	{ TYPE, A_IS_1 "Y--", NULL, NULL, NULL },
	{ TYPE, "--XX\r\n\r\n\r\n1\r\n--XX--", NULL, NULL, NULL },
	{ TYPE, "--XX\r\nX: y\r\n\r\n1\r\n--XX--", NULL, NULL, NULL },
	{ TYPE, "--XX\r\n" FIELD("") "1\r\n--XX--", NULL, NULL, NULL },
	{ TYPE, "--XX\r\n" FIELD("a") "1--XX--", NULL, NULL, NULL },
	{ TYPE, A_IS_1 "\r\n" FIELD("a") "2\r\n--XX--", NULL, NULL, NULL },
	{ TYPE,
	  "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--",
	  NULL, NULL, NULL },
	{ TYPE,
	  "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1\r\n--XX--",
	  NULL, NULL, NULL },
	{ TYPE,
	  "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n"
	  "--XX--",
	  NULL, NULL, NULL },
	{ TYPE,
	  "--XX\r\nContent-Transfer-Encoding: base64\r\n" FIELD(
		  "a") "1\r\n--XX--",
	  NULL, NULL, NULL },
	{ TYPE,
	  "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n" FIELD(
		  "b") "1\r\n--XX--",
	  NULL, NULL, NULL },
};

static void
test_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(parts) ps = NULL;
		struct err e = { 0 };
		size_t len = strlen(rows[i].body);
		/* exactly as long as said, so that ASan sees a step beyond */
		AUTO_FREE char *body =
			memcpy(malloc(len + !len), rows[i].body, len);
		int got = parts_parse(&ps, rows[i].type, body, len, &e);
		const struct part *p;

		CHECK_SHOW(i, got == (rows[i].name ? 0 : -1), "%s", e.text);
		if (got < 0) {
			CHECK(i, e.kind == ERR_INPUT && !ps);
			continue;
		}
		p = parts_find(ps, rows[i].name);
		CHECK(i, p && str_eq(p->filename, rows[i].filename));
		CHECK(i, p && p->len == strlen(rows[i].value) &&
				 memcmp(p->at, rows[i].value, p->len) == 0);
	}
}

/* `n` parts named 0, 1, ...; whether they are taken. */
static bool
take_parts(size_t n)
{
	AUTO_CLEAR(buf) b = { 0 };
	AUTO(parts) ps = NULL;
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_printf(&b,
			   "--XX\r\nContent-Disposition: form-data; "
			   "name=\"%zu\"\r\n\r\n\r\n",
			   i);
	buf_str(&b, "--XX--\r\n");
	return parts_parse(&ps, TYPE, b.at, b.len, &e) == 0 && ps->len == n;
}

int
main(void)
{
	test_rows();
	CHECK(0, take_parts(PARTS_MAX));
	CHECK(1, !take_parts(PARTS_MAX + 1));
	return test_end();
}
