/* A frame from anywhere, of which somebody promises a size: decoded into as
 * many bytes and no more, with a prefix and without, or refused with a reason.
 * What was decoded once is the same when it is packed and decoded again. */
#include <assert.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "rsyncd/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char prefix[] = "what stood here before, and stands here again";

static void
again(const char *text, size_t len)
{
	AUTO_CLEAR(buf) frame = { 0 };
	AUTO_FREE char *back = NULL;
	struct err e = { 0 };

	frame_store_text(text, len, &frame);
	assert(frame_unpack_text(frame.at, frame.len, len, &back, &e) == 0);
	assert(memcmp(back, text, len + 1) == 0);
}

/* The first two bytes are the size that is promised. */
int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(frame_decoder) d = frame_decoder_new();
	AUTO_FREE char *text = NULL, *raw = NULL;
	struct err e = { 0 };
	size_t promised;

	if (len < 2)
		return 0;
	promised = (size_t)bytes[0] << 8 | bytes[1];
	if (frame_unpack_text(bytes + 2, len - 2, promised, &text, &e) == 0)
		again(text, promised);
	else
		assert(e.kind == ERR_INPUT && *e.text);
	raw = base_alloc(promised);
	e = (struct err){ 0 };
	if (frame_unpack(d, bytes + 2, len - 2, prefix, sizeof(prefix) - 1, raw,
			 promised, &e) < 0)
		assert(e.kind == ERR_INPUT && *e.text);
	return 0;
}
