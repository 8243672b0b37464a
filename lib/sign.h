#ifndef LIB_SIGN_H
#define LIB_SIGN_H

#include <stddef.h>

#include "lib/err.h"

/* Ed25519 by libsodium, and the key files of docs/formats.md "Seal and HEAD".
 */
#define SIGN_ID 17     /* 16 hex digits of the public key's hash, and NUL */
#define SIGN_TEXT 89   /* a signature in base64, and NUL */
#define SIGN_PUBLIC 32 /* bytes of a public key */
#define SIGN_KEYS_MAX 16

struct sign_key {
	unsigned char secret[64];
	char id[SIGN_ID];
};

/* Those who are believed. */
struct sign_trust {
	struct {
		unsigned char public[SIGN_PUBLIC];
		char id[SIGN_ID];
	} key[SIGN_KEYS_MAX];
	size_t len;
};

/* Make a pair: `path` (mode 0600) and `path`.pub. ERR_REFUSED when either is
 * there already, ERR_INPUT when others may write to its folder, which is made
 * where it is missing, ERR_SYS. */
int sign_key_make(const char *path, struct err *e);

/* Read a secret key. ERR_INPUT when it is none, others may read the file or
 * could put another one in its place, ERR_SYS. */
int sign_key_read(struct sign_key *out, const char *path, struct err *e);

/* Read the public keys of a file. ERR_INPUT, ERR_SYS. */
int sign_trust_read(struct sign_trust *out, const char *path, struct err *e);

/* The same from text, `name` for messages. ERR_INPUT. */
int sign_trust_parse(struct sign_trust *out, const char *text, const char *name,
		     struct err *e);

/* The public half as the text of a key file, owned by the caller. */
char *sign_public_text(const struct sign_key *key);

void sign_bytes(const struct sign_key *key, const void *bytes, size_t len,
		char out[SIGN_TEXT]);

/* ERR_REFUSED: no key of that id is trusted, or the signature is not its. */
int sign_check(const struct sign_trust *trust, const char *id,
	       const char *signature, const void *bytes, size_t len,
	       struct err *e);

/* Forget a secret key. */
void sign_key_clear(struct sign_key *key);

#endif
