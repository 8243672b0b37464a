/* A request target (first line) and a Range header (the rest) from anywhere. */
#include <assert.h>

#include "server/handler.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
try_range(const char *text)
{
	static const uint64_t sizes[] = { 0, 1, 10, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t offset, n;

		if (range_parse(text, sizes[i], &offset, &n) != RANGE_BAD)
			assert(offset <= sizes[i] && n <= sizes[i] - offset);
	}
}

/* Any name below a folder that is not there: none is found, none is answered
 * in another way. */
static void
try_tree(const char *path)
{
	struct app a = { .trees = "/nonexistent" };
	const struct request r = { .method = "GET", .path = path };
	AUTO_CLEAR(reply) out = REPLY_NONE;

	trees_get(&a, &r, path, &out);
	assert(out.status == 404 && out.file < 0);
}

static void
try_target(const char *raw)
{
	AUTO_FREE char *path = NULL, *query = NULL, *value = NULL;
	AUTO_FREE char *arg = NULL;
	struct err e = { 0 };

	if (target_split(raw, &path, &query, &e) < 0) {
		assert(!path && !query && e.kind == ERR_INPUT);
		return;
	}
	assert(path[0] == '/' && !strstr(path, "//"));
	assert(!strstr(path, "/../") && !str_ends(path, "/.."));
	if (query_get(query, "a", 16, &value, &e) == 0)
		assert(!value || strlen(value) <= 16);
	if (path_match("/boot/*", path, &arg))
		assert(arg[0]);
	path_match("**/upload.py", path, &arg);
	if (path_match("/trees/**", path, &arg))
		assert(str_starts(path, "/trees/") && str_eq(path + 7, arg));
	try_tree(path + 1);
	if (str_starts(path, "/trees/"))
		try_tree(path + 7);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO_FREE char *text = base_strndup((const char *)bytes, len);
	size_t eol = strcspn(text, "\n");

	if (text[eol]) {
		try_range(text + eol + 1);
		text[eol] = '\0';
	}
	try_target(text);
	return 0;
}
