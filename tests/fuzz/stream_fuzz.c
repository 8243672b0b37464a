/* What comes back to who fetches a file or a part of one, from a server, cache
 * or proxy that may be anybody: never more is taken than was asked for, nothing
 * but the answer's own bytes, and the tag can stand in a header. */
#include <assert.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/http_stream.h"

#include "tests/fuzz/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int
take(void *ctx, const void *bytes, size_t len, struct err *e)
{
	(void)e;
	buf_add(ctx, bytes, len);
	return 0;
}

static void
check_taken(const struct http_get *g, const struct buf *got, int status)
{
	if (status == 200 || status == 206)
		assert(g->len == 0 || got->len == g->len);
	else if (status != 416)
		assert(got->len == 0);
}

static void
fetch(const struct peer *p, uint64_t at, uint64_t len)
{
	const struct http_stream_opts o = { .connect_ms = 2000, .stall_s = 5 };
	AUTO(http_stream) s = http_stream_new(&o);
	AUTO_CLEAR(buf) got = { 0 };
	char tag[HTTP_TAG] = "";
	struct http_get g = { .url = p->url,
			      .at = at,
			      .len = len,
			      .known = "\"k\"",
			      .tag = tag,
			      .take = take,
			      .ctx = &got };
	struct err e = { 0 };
	int status = 0;

	if (http_stream_get(s, &g, &status, &e) == 0)
		check_taken(&g, &got, status);
	else
		assert(*e.text);
	assert(http_tag_is_safe(tag) && strlen(tag) < HTTP_TAG);
	assert(len == 0 || got.len <= len);
	/* chunks have words between them */
	assert(memmem(p->bytes, p->len, buf_text(&got), got.len) ||
	       memmem(p->bytes, p->len, "hunked", 6));
}

/* The first byte says what is asked for: a nibble of each. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct peer p = { .bytes = bytes + 1,
			  .len = len - 1,
			  .until = "\r\n\r\n" };

	if (len == 0)
		return 0;
	peer_start(&p);
	fetch(&p, bytes[0] >> 4, bytes[0] & 15);
	peer_end(&p);
	return 0;
}
