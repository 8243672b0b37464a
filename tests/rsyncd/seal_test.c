/* Seals and HEADs come back as they were written; nothing that was changed, cut
 * or spelled in another way is read, and nothing that was signed by others. */
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"

#include "rsyncd/seal.h"

#include "tests/test.h"

#define H0 "0000000000000000000000000000000000000000000000000000000000000000"
#define H1 "1111111111111111111111111111111111111111111111111111111111111111"

static struct sign_key key, stranger;
static struct sign_trust trust;

/* What a publisher would write. */
static const char body[] =
	"edeploy-seal 1\n"
	"hash blake2b-256-64k\n"
	"role mysql\n"
	"version D12-F.1.0.1\n"
	"serial 7\n"
	"revision 2\n"
	"date 2026-11-21T12:00:00Z\n"
	"root " H0 " 6 12\n"
	"manifest mysql/D12-F.1.0.1/manifest-0.zst 300 " H1 " 900\n"
	"full mysql/D12-F.1.0.1/full-0.pack 1000 900 " H1 " 300\n"
	"full base/D12-F.1.0.0/full-1.pack 5000 4900 " H1 " 301\n"
	"delta mysql/D12-F.1.0.1/from-D12-F.1.0.0-0.delta 90 80 " H1
	" 50 D12-F.1.0.0 " H1 "\n"
	"marks mysql/D12-F.1.0.1/marks-0.pack 70 60 " H0 " 40\n";

static const char head[] = "edeploy-head 1\n"
			   "role mysql\n"
			   "version D12-F.1.0.1\n"
			   "serial 7\n"
			   "revision 2\n"
			   "root " H0 "\n"
			   "seal " H1 "\n";

static void
make_keys(void)
{
	char dir[] = "/tmp/edeploy-seal.XXXXXX";
	struct err e;

	if (!mkdtemp(dir))
		exit(1);
	AUTO_FREE char *a = base_printf("%s/a", dir);
	AUTO_FREE char *b = base_printf("%s/b", dir);

	CHECK(0, sign_key_make(a, &e) == 0 && sign_key_make(b, &e) == 0);
	CHECK(0, sign_key_read(&key, a, &e) == 0);
	CHECK(0, sign_key_read(&stranger, b, &e) == 0);
	AUTO_FREE char *public_half = sign_public_text(&key);

	CHECK(0, sign_trust_parse(&trust, public_half, "a", &e) == 0);
	dir_remove(dir, &e);
}

static void
test_round(void)
{
	AUTO_FREE char *signed_text = seal_sign(body, &key);
	AUTO_FREE char *again = NULL;
	AUTO(seal) s = NULL;
	AUTO(seal) alone = NULL;
	AUTO(seal) peeked = NULL;
	struct err e = { 0 };
	char hash[HASH_HEX], id[SIGN_ID];
	struct head h;

	CHECK_SHOW(0,
		   seal_read(&s, signed_text, strlen(signed_text), &trust, "s",
			     &e) == 0,
		   "%s", e.text);
	if (!s)
		return;
	CHECK(1, str_eq(s->role, "mysql") && s->serial == 7);
	CHECK(1,
	      s->fulls == 2 && s->deltas == 1 && s->full[1].place.raw == 301);
	CHECK(1, str_eq(s->delta[0].from_version, "D12-F.1.0.0"));
	CHECK(1, s->marks.place.size == 70 && s->manifest.place.raw == 900);
	hash_hex(body, strlen(body), hash);
	CHECK(2, str_eq(s->hash, hash));
	again = seal_text(s);
	CHECK(2, str_eq(again, body));
	CHECK(3, seal_read(&alone, body, strlen(body), NULL, "s", &e) == 0);
	CHECK(3, seal_peek(&peeked, body, strlen(body), id, "s", &e) == 0 &&
			 id[0] == '\0');
	head_of(&h, s);
	CHECK(4, str_eq(h.seal, hash) && h.revision == 2);
}

/* A body alone is no seal where one is asked for, and the other way round. */
static void
test_kinds(void)
{
	AUTO_FREE char *good = seal_sign(body, &key);
	AUTO_FREE char *foreign = seal_sign(body, &stranger);
	AUTO(seal) s = NULL;
	struct err e = { 0 };
	char id[SIGN_ID];

	CHECK(0, seal_read(&s, body, strlen(body), &trust, "s", &e) < 0 &&
			 e.kind == ERR_INPUT);
	CHECK(1, seal_read(&s, good, strlen(good), NULL, "s", &e) < 0 &&
			 e.kind == ERR_INPUT);
	CHECK(2, seal_read(&s, foreign, strlen(foreign), &trust, "s", &e) < 0 &&
			 e.kind == ERR_REFUSED);
	CHECK(3, !s);
	CHECK(3, seal_peek(&s, foreign, strlen(foreign), id, "s", &e) == 0 &&
			 str_eq(id, stranger.id));
}

/* Each bit of each byte, each length, each byte put in or taken out. */
static void
test_tampered(const char *text, bool is_seal)
{
	size_t len = strlen(text), i, k, read = 0;
	AUTO_FREE char *copy = base_alloc(len + 2);
	struct err e = { 0 };
	struct head h;

	for (i = 0; i < len; i++)
		for (k = 0; k < 10; k++) {
			AUTO(seal) s = NULL;
			size_t n = len;

			memcpy(copy, text, len);
			if (k < 8)
				copy[i] ^= (char)(1 << k);
			else if (k == 8)
				n = i;
			else
				memmove(copy + i, text + i + 1, --n - i);
			read += (is_seal ? seal_read(&s, copy, n, &trust, "s",
						     &e)
					 : head_read(&h, copy, n, &trust, "h",
						     &e)) == 0;
		}
	CHECK_SHOW(is_seal, read == 0, "%zu of the changed texts read", read);
	memcpy(copy, text, len);
	copy[len] = '\n';
	CHECK(is_seal, head_read(&h, copy, len + 1, &trust, "h", &e) < 0);
}

static const struct {
	const char *was, *is, *want;
} bad[] = {
	{ "edeploy-seal 1\n", "edeploy-seal 2\n", "another spelling" },
	{ "blake2b-256-64k", "sha256", "does not know" },
	{ "role mysql", "role ../x", "not a name" },
	{ "role mysql", "role .x", "not a name" },
	{ "role mysql\n", "", "'role' with 1 words" },
	{ "version D12-F.1.0.1", "version ", "not a name" },
	{ "serial 7", "serial 07", "another spelling" },
	{ "serial 7", "serial 0", "s:5: " },
	{ "serial 7", "serial -7", "s:5: " },
	{ "serial 7", "serial 9223372036854775808", "s:5: " },
	{ "serial 7", "serial  7", "'serial' with 1 words" },
	{ "revision 2", "revision 2 ", "'revision' with 1 words" },
	{ "12:00:00Z", "12:00:00", "not a date" },
	{ "2026-11", "2026/11", "not a date" },
	{ "root " H0, "root 0", "not a hash" },
	{ H0 " 6 12", H0 " 4000001 12", "s:8: " },
	{ H0 " 6 12", H0 " 0 12", "s:8: " },
	{ "manifest mysql/", "manifest base/", "another version" },
	{ "manifest mysql/", "manifest /", "not a path" },
	{ "manifest-0.zst", ".manifest", "not a path" },
	{ "manifest-0.zst", "a/b", "not a path" },
	{ "manifest-0.zst", "", "not a path" },
	{ H1 " 900", H1 " 1073741825", "s:9: " },
	{ "1000 900", "900 900", "s:10: " },
	{ "1000 900", "1000 1000", "s:10: " },
	{ "full base/D12-F.1.0.0/", "full base/../", "not a path" },
	{ "delta mysql/", "delta base/", "another version" },
	{ " 50 D12-F.1.0.0", " 50 D12-F.1.0.1", "from itself" },
	{ " 50 D12-F.1.0.0", " 536870913 D12-F.1.0.0", "s:12: " },
	{ "marks", "marks marks", "'marks' with 5 words" },
	{ "marks mysql", "what mysql", "more than belongs" },
	{ "40\n", "40\n\n", "more than belongs" },
	{ "40\n", "40", "ends where 'marks' should stand" },
};

static void
test_bad(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		const char *at = strstr(body, bad[i].was);
		AUTO_CLEAR(buf) b = { 0 };
		AUTO(seal) s = NULL;
		struct err e = { 0 };

		if (!at)
			exit(1);
		buf_add(&b, body, (size_t)(at - body));
		buf_str(&b, bad[i].is);
		buf_str(&b, at + strlen(bad[i].was));
		CHECK(i, seal_read(&s, b.at, b.len, NULL, "s", &e) < 0);
		CHECK(i, e.kind == ERR_INPUT && str_starts(e.text, "s:"));
		CHECK_SHOW(i, strstr(e.text, bad[i].want), "%s", e.text);
	}
}

/* The longest names there are make texts that are within their caps. */
static void
test_longest(void)
{
	struct head h = { .serial = INT64_MAX, .revision = INT64_MAX };
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	struct head back;

	memset(h.role, 'r', sizeof(h.role) - 1);
	memset(h.version, 'v', sizeof(h.version) - 1);
	memset(h.root, '0', sizeof(h.root) - 1);
	memset(h.seal, '1', sizeof(h.seal) - 1);
	text = head_sign(&h, &key);
	CHECK_SHOW(0, strlen(text) <= HEAD_TEXT_MAX, "%zu bytes", strlen(text));
	CHECK(0, head_read(&back, text, strlen(text), &trust, "h", &e) == 0);
	CHECK(0, memcmp(&h, &back, sizeof(h)) == 0);
}

int
main(void)
{
	make_keys();
	AUTO_FREE char *seal = seal_sign(body, &key);
	AUTO_CLEAR(buf) signed_head = { 0 };
	char sign[SIGN_TEXT];

	buf_printf(&signed_head, "%skey %s\n", head, key.id);
	sign_bytes(&key, signed_head.at, signed_head.len, sign);
	buf_printf(&signed_head, "sign %s\n", sign);
	test_round();
	test_kinds();
	test_tampered(seal, true);
	test_tampered(signed_head.at, false);
	test_bad();
	test_longest();
	return test_end();
}
