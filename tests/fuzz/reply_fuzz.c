/* What comes back to an agent that asks, byte for byte, from a peer that may be
 * anybody: a script is taken only when it came whole, with its own length and
 * hash, for this run. */
#include <assert.h>

#include "agent/ask.h"
#include "lib/base.h"

#include "tests/fuzz/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define RUN "0123456789abcdef0123456789abcdef"

/* The script stands in the reply as it is, whole, behind its own hash. */
static void
check_taken(const struct ask_answer *got, const uint8_t *bytes, size_t len)
{
	char hash[HASH_HEX];

	hash_hex(buf_text(&got->script), got->script.len, hash);
	assert(got->script.len > 0 && token_valid(got->token) && got->machine);
	assert(memmem(bytes, len, buf_text(&got->script), got->script.len) ||
	       memmem(bytes, len, "hunked", 6));
	assert(memmem(bytes, len, hash, strlen(hash)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct peer p = { .bytes = bytes, .len = len, .until = "[]" };
	struct ask a = { .section = "SERVER",
			 .run = RUN,
			 .facts = "[]",
			 .facts_len = 2,
			 .deadline_ms = 5000 };
	struct ask_answer got = { 0 };
	struct err e = { 0 };
	peer_start(&p);
	a.url = p.url;
	if (ask_once(&a, &got, &e) == 0)
		check_taken(&got, bytes, len);
	else
		assert(e.text[0] && !got.script.len);
	ask_answer_clear(&got);
	peer_end(&p);
	return 0;
}
