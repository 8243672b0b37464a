/* Marks. The check word is BLAKE2b over the identity and the random half: it
 * guards against accidents, not against somebody who knows the identity and
 * wants a disk to be overwritten. */
#include <stdio.h>

#include "lib/base.h"
#include "lib/hash.h"
#include "lib/text.h"

#include "agent/disk_mark.h"

#define RANDOM_BYTES 9 /* of a UUID; 7 are left for the check word */

/* `len` bytes of check word for `random`, in hex. */
static void
check_word(const char *identity, const char *random, char out[HASH_HEX])
{
	AUTO_FREE char *text = base_printf("edeploy mark\n%zu\n%s\n%s",
					   strlen(identity), identity, random);

	hash_hex(text, strlen(text), out);
}

static void
put_dashes(const char hex[32], char out[MARK_UUID_TEXT])
{
	snprintf(out, MARK_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
		 hex + 12, hex + 16, hex + 20);
}

static void
make_mark(const char *identity, char hex[TOKEN_HEX])
{
	char check[HASH_HEX], random[RANDOM_BYTES * 2 + 1];

	token_make(hex);
	hex[12] = '8'; /* version 8: "vendor's own", RFC 9562 */
	hex[16] = '9'; /* variant 10 */
	snprintf(random, sizeof(random), "%.*s", RANDOM_BYTES * 2, hex);
	check_word(identity, random, check);
	memcpy(hex + (size_t)2 * RANDOM_BYTES, check, 14);
}

void
mark_uuid(const char *identity, char out[MARK_UUID_TEXT])
{
	char hex[TOKEN_HEX];

	make_mark(identity, hex);
	put_dashes(hex, out);
}

void
mark_lvm(const char *identity, char out[MARK_LVM_TEXT])
{
	char hex[TOKEN_HEX];

	make_mark(identity, hex);
	snprintf(out, MARK_LVM_TEXT, "%.6s-%.4s-%.4s-%.4s-%.4s-%.4s-%.6s", hex,
		 hex + 6, hex + 10, hex + 14, hex + 18, hex + 22, hex + 26);
}

bool
mark_uuid_bytes(const char *text, uint8_t out[16])
{
	size_t i, n = 0;

	if (strlen(text) != MARK_UUID_TEXT - 1)
		return false;
	for (i = 0; i < MARK_UUID_TEXT - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return false;
			continue;
		}
		if (text_hex_digit(text[i]) < 0)
			return false;
		if (n % 2 == 0)
			out[n / 2] = 0;
		out[n / 2] =
			(uint8_t)(out[n / 2] << 4 | text_hex_digit(text[i]));
		n++;
	}
	return true;
}

/* The 32 digits of either form, in lower case. */
static bool
digits_of(const char *text, char hex[33])
{
	size_t len = strlen(text), n = 0;

	if (len != MARK_UUID_TEXT - 1 && len != MARK_LVM_TEXT - 1)
		return false;
	for (; *text; text++) {
		if (*text == '-')
			continue;
		if (n == 32 || text_hex_digit(*text) < 0)
			return false;
		hex[n++] = "0123456789abcdef"[text_hex_digit(*text)];
	}
	hex[n] = '\0';
	return n == 32;
}

bool
mark_uuid_ours(const char *identity, const char *text)
{
	char hex[33], random[RANDOM_BYTES * 2 + 1], check[HASH_HEX];

	if (!digits_of(text, hex))
		return false;
	snprintf(random, sizeof(random), "%.*s", RANDOM_BYTES * 2, hex);
	check_word(identity, random, check);
	return memcmp(hex + (size_t)2 * RANDOM_BYTES, check, 14) == 0;
}

static uint32_t
id_with(const char *identity, const char random[3])
{
	char check[HASH_HEX], id[9];

	check_word(identity, random, check);
	snprintf(id, sizeof(id), "%.2s%.6s", random, check);
	return (uint32_t)strtoul(id, NULL, 16);
}

uint32_t
mark_id(const char *identity)
{
	char token[TOKEN_HEX], random[3];
	uint32_t id;

	do {
		token_make(token);
		snprintf(random, sizeof(random), "%.2s", token);
		id = id_with(identity, random);
	} while (id == 0);
	return id;
}

bool
mark_id_ours(const char *identity, uint32_t id)
{
	char random[3];

	snprintf(random, sizeof(random), "%02x", id >> 24);
	return id == id_with(identity, random);
}
