#include "tests/test.h"
#include "server/request.h"

static const struct {
	const char *raw, *path, *query; /* path NULL: refused */
} targets[] = {
	{ "/", "/", NULL },
	{ "/boot.ipxe", "/boot.ipxe", NULL },
	{ "//cgi-bin///upload.py", "/cgi-bin/upload.py", NULL },
	{ "/a?b=c", "/a", "b=c" },
	{ "/a?", "/a", "" },
	{ "/a?b?c//d", "/a", "b?c//d" },
	{ "/a/", "/a/", NULL },
	{ "/...", "/...", NULL },
	{ "/.a/..b", "/.a/..b", NULL },
	{ "", NULL, NULL },
	{ "a", NULL, NULL },
	{ "*", NULL, NULL },
	{ "http://x/", NULL, NULL },
	{ "/..", NULL, NULL },
	{ "/.", NULL, NULL },
	{ "/a/../b", NULL, NULL },
	{ "/a//../b", NULL, NULL },
	{ "/a/./b", NULL, NULL },
	{ "/a b", NULL, NULL },
	{ "/a\x01", NULL, NULL },
	{ "/caf\xc3\xa9", NULL, NULL },
	{ "/a?b\n", NULL, NULL },
};

static const struct {
	const char *query, *key, *value; /* "!": refused */
} queries[] = {
	{ NULL, "a", NULL },
	{ "", "a", NULL },
	{ "a=1", "a", "1" },
	{ "b=2&a=1", "a", "1" },
	{ "a=", "a", "" },
	{ "a", "a", NULL },
	{ "aa=1", "a", NULL },
	{ "ab=1&b=2", "b", "2" },
	{ "a=1=2", "a", "1=2" },
	{ "a=x%20y+z", "a", "x y z" },
	{ "a=%26&b=1", "a", "&" },
	{ "&&a=1&&", "a", "1" },
	{ "a=1&a=1", "a", "!" },
	{ "a=%", "a", "!" },
	{ "a=%2", "a", "!" },
	{ "a=%zz", "a", "!" },
	{ "a=%00", "a", "!" },
	{ "a=12345678901234567", "a", "!" }, /* 17 bytes of 16 */
	{ "b=%zz&a=1", "a", "1" },
};

static const struct {
	const char *pattern, *path, *arg; /* arg "!": no match */
} paths[] = {
	{ "/v1/upload", "/v1/upload", NULL },
	{ "/v1/upload", "/v1/uploads", "!" },
	{ "/v1/upload", "/v1/upload/", "!" },
	{ "/boot/*", "/boot/vmlinuz", "vmlinuz" },
	{ "/boot/*", "/boot/a%2fb", "a/b" }, /* for the handler to refuse */
	{ "/boot/*", "/boot/", "!" },
	{ "/boot/*", "/boot/a/b", "!" },
	{ "/boot/*", "/boot/%zz", "!" },
	{ "/v1/runs/*/log", "/v1/runs/1/log", "1" },
	{ "/v1/runs/*/log", "/v1/runs//log", "!" },
	{ "/v1/runs/*/log", "/v1/runs/1/2/log", "!" },
	{ "/v1/runs/*/log", "/v1/runs/1/logs", "!" },
	{ "/trees/**", "/trees/a/b%2f/HEAD", "a/b%2f/HEAD" },
	{ "/trees/**", "/trees/", "" },
	{ "/trees/**", "/trees", "!" },
	{ "/trees/**", "/treesx/a", "!" },
	{ "**/upload.py", "/upload.py", NULL },
	{ "**/upload.py", "/a/b/upload.py", NULL },
	{ "**/upload.py", "/a/xupload.py", "!" },
	{ "**/upload.py", "/a/upload.py/", "!" },
};

static const struct {
	const char *text;
	uint64_t size;
	enum range_kind kind;
	uint64_t offset, len;
} ranges[] = {
	{ NULL, 10, RANGE_ALL, 0, 10 },
	{ "bytes=0-0", 10, RANGE_PART, 0, 1 },
	{ "bytes=0-9", 10, RANGE_PART, 0, 10 },
	{ "bytes=0-10", 10, RANGE_PART, 0, 10 },
	{ "bytes=9-", 10, RANGE_PART, 9, 1 },
	{ "bytes=-1", 10, RANGE_PART, 9, 1 },
	{ "bytes=-99", 10, RANGE_PART, 0, 10 },
	{ "bytes=5-18446744073709551615", 10, RANGE_PART, 5, 5 },
	{ "bytes=10-", 10, RANGE_BAD, 0, 0 },
	{ "bytes=-0", 10, RANGE_BAD, 0, 0 },
	{ "bytes=0-", 0, RANGE_BAD, 0, 0 },
	{ "bytes=-1", 0, RANGE_BAD, 0, 0 },
	{ "bytes=5-4", 10, RANGE_ALL, 0, 10 },
	{ "bytes=-", 10, RANGE_ALL, 0, 10 },
	{ "bytes=", 10, RANGE_ALL, 0, 10 },
	{ "bytes=a-b", 10, RANGE_ALL, 0, 10 },
	{ "bytes= 0-1", 10, RANGE_ALL, 0, 10 },
	{ "bytes=0-1,3-4", 10, RANGE_ALL, 0, 10 },
	{ "bytes=18446744073709551616-", 10, RANGE_ALL, 0, 10 },
	{ "lines=0-1", 10, RANGE_ALL, 0, 10 },
};

static void
test_targets(void)
{
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		AUTO_FREE char *path = NULL, *query = NULL;
		struct err e = { 0 };
		int got = target_split(targets[i].raw, &path, &query, &e);

		CHECK(i, got == (targets[i].path ? 0 : -1));
		CHECK(i, str_eq(path, targets[i].path));
		CHECK(i, str_eq(query, targets[i].query));
		CHECK(i, got == 0 || e.kind == ERR_INPUT);
	}
}

static void
test_caps(void)
{
	AUTO_FREE char *raw = base_alloc(PATH_MAX_BYTES + QUERY_MAX_BYTES + 8);
	AUTO_FREE char *path = NULL, *query = NULL;
	struct err e = { 0 };

	memset(raw, 'a', PATH_MAX_BYTES);
	raw[0] = '/';
	CHECK(0, target_split(raw, &path, &query, &e) == 0);
	raw[PATH_MAX_BYTES] = 'a';
	CHECK(1, target_split(raw, &path, &query, &e) < 0);
	memset(raw, 'q', PATH_MAX_BYTES + QUERY_MAX_BYTES);
	raw[0] = '/';
	raw[1] = '?';
	raw[2 + QUERY_MAX_BYTES] = '\0';
	free(STEAL(path));
	CHECK(2, target_split(raw, &path, &query, &e) == 0);
	raw[2 + QUERY_MAX_BYTES] = 'q';
	CHECK(3, target_split(raw, &path, &query, &e) < 0);
}

static void
test_queries(void)
{
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		AUTO_FREE char *value = NULL;
		struct err e = { 0 };
		int got = query_get(queries[i].query, queries[i].key, 16,
				    &value, &e);

		if (str_eq(queries[i].value, "!"))
			CHECK(i, got < 0 && e.kind == ERR_INPUT && !value);
		else
			CHECK(i, got == 0 && str_eq(value, queries[i].value));
	}
}

static void
test_paths(void)
{
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		AUTO_FREE char *arg = NULL;
		bool got = path_match(paths[i].pattern, paths[i].path, &arg);

		CHECK(i, got == !str_eq(paths[i].arg, "!"));
		CHECK(i, !got || str_eq(arg, paths[i].arg));
	}
}

static void
test_ranges(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		uint64_t offset, len;
		enum range_kind kind = range_parse(
			ranges[i].text, ranges[i].size, &offset, &len);

		CHECK(i, kind == ranges[i].kind);
		CHECK(i, kind == RANGE_BAD || (offset == ranges[i].offset &&
					       len == ranges[i].len));
	}
}

static void
test_reply(void)
{
	AUTO_CLEAR(reply) r = REPLY_NONE;
	struct err e = { .kind = ERR_REFUSED, .text = "no\x1b[31m" };

	reply_header(&r, "X", "a\r\nSet-Cookie: b");
	CHECK(0, str_eq(reply_header_get(&r, "X"), "a??Set-Cookie: b"));
	reply_header(&r, "X", "c");
	CHECK(1, r.headers == 1 && str_eq(reply_header_get(&r, "X"), "c"));
	CHECK(2, reply_header_get(&r, "Y") == NULL);
	reply_err(&r, &e, 409);
	CHECK(3, r.status == 409 && str_eq(buf_text(&r.body), "no\\x1b[31m\n"));
	e.kind = ERR_INPUT;
	reply_err(&r, &e, 409);
	CHECK(4, r.status == 400);
	e.kind = ERR_SYS;
	reply_err(&r, &e, 409);
	CHECK(5, r.status == 500);
}

int
main(void)
{
	test_targets();
	test_caps();
	test_queries();
	test_paths();
	test_ranges();
	test_reply();
	return test_end();
}
