/* The fence of libsodium for signatures: Ed25519, and key files as texts of
 * one spelling, so that a damaged one is refused and never half believed. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/sign.h"

#define KEY_HEAD "edeploy-key 1\n"
#define KEY_FILE_MAX 4096
#define BASE64 sodium_base64_VARIANT_ORIGINAL
#define SECRET_TEXT 88 /* characters of 64 bytes in base64 */
#define PUBLIC_TEXT 44

_Static_assert(sizeof(((struct sign_key *)0)->secret) ==
		       crypto_sign_SECRETKEYBYTES,
	       "a secret key fits");
_Static_assert(SIGN_PUBLIC == crypto_sign_PUBLICKEYBYTES, "a public key fits");

static void
start(void)
{
	/* never fails but where the kernel has no random numbers */
	if (sodium_init() < 0)
		abort();
}

static void
id_of(const unsigned char *public, char out[SIGN_ID])
{
	char hex[HASH_HEX];

	hash_hex(public, SIGN_PUBLIC, hex);
	memcpy(out, hex, SIGN_ID - 1);
	out[SIGN_ID - 1] = '\0';
}

/* libsodium keeps the public half behind the seed. */
static const unsigned char *
public_of(const unsigned char *secret)
{
	return secret + crypto_sign_SEEDBYTES;
}

/* ---- texts ---- */

/* Exactly `len` bytes from the one spelling that they have: libsodium 1.0.18
 * also takes a byte 0xaf for a '/'. */
static int
read_base64(const char *text, size_t text_len, unsigned char *out, size_t len)
{
	char again[SIGN_TEXT];
	size_t got;
	int bad;

	if (text_len != sodium_base64_ENCODED_LEN(len, BASE64) - 1 ||
	    text_len >= sizeof(again) ||
	    sodium_base642bin(out, len, text, text_len, NULL, &got, NULL,
			      BASE64) != 0 ||
	    got != len)
		return -1;
	sodium_bin2base64(again, sizeof(again), out, len, BASE64);
	bad = memcmp(again, text, text_len) != 0;
	sodium_memzero(again, sizeof(again));
	return bad ? -1 : 0;
}

/* The line `word BASE64` at *at, which moves behind it. */
static int
take_line(const char **at, const char *word, unsigned char *out, size_t len)
{
	const char *p = *at;
	size_t text;

	if (!str_starts(p, word) || p[strlen(word)] != ' ')
		return -1;
	p += strlen(word) + 1;
	text = strcspn(p, "\n");
	if (p[text] != '\n' || read_base64(p, text, out, len) < 0)
		return -1;
	*at = p + text + 1;
	return 0;
}

char *
sign_public_text(const struct sign_key *key)
{
	char text[PUBLIC_TEXT + 1];

	sodium_bin2base64(text, sizeof(text), public_of(key->secret),
			  SIGN_PUBLIC, BASE64);
	return base_printf(KEY_HEAD "public %s\n", text);
}

static char *
secret_text(const struct sign_key *key)
{
	char text[SECRET_TEXT + 1];
	char *out;

	sodium_bin2base64(text, sizeof(text), key->secret, sizeof(key->secret),
			  BASE64);
	out = base_printf(KEY_HEAD "secret %s\n", text);
	sodium_memzero(text, sizeof(text));
	return out;
}

/* ---- key files ---- */

/* A file that was not there before. */
static int
put_new(const char *path, const char *text, mode_t mode, struct err *e)
{
	AUTO_CLOSE int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0 && errno == EEXIST)
		return err_set(e, ERR_REFUSED,
			       "%s is there already; a key is never replaced",
			       path);
	if (fd < 0)
		return err_sys(e, "create %s", path);
	if (fchmod(fd, mode) == 0 &&
	    fd_write_all(fd, text, strlen(text), e) == 0 && fsync(fd) == 0)
		return 0;
	err_sys(e, "write %s", path);
	unlink(path);
	return -1;
}

/* Who may write the folder could put a key of his own there, and people would
 * hand out its public half. The key's owner has it anyhow. */
static int
folder_is_safe(const char *path, uid_t owner, struct err *e)
{
	AUTO_FREE char *copy = base_strdup(path);
	const char *folder = dirname(copy);
	struct stat st;

	if (stat(folder, &st) < 0)
		return err_sys(e, "stat %s", folder);
	if ((st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == owner) &&
	    ((st.st_mode & 022) == 0 || st.st_mode & S_ISVTX))
		return 0;
	return err_set(e, ERR_INPUT,
		       "%s: others may write to %s, and so put another key "
		       "there; keep keys in a folder of your own, of mode 755",
		       path, folder);
}

/* The folder of a new key, when its own folder is there. */
static int
make_folder(const char *path, struct err *e)
{
	AUTO_FREE char *copy = base_strdup(path);
	const char *folder = dirname(copy);

	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make the folder %s", folder);
	return folder_is_safe(path, geteuid(), e);
}

int
sign_key_make(const char *path, struct err *e)
{
	AUTO_FREE char *public_path = base_printf("%s.pub", path);
	AUTO_FREE char *public_half = NULL;
	struct sign_key key = { 0 };
	unsigned char public[SIGN_PUBLIC];
	char *secret;
	int bad;

	start();
	if (make_folder(path, e) < 0)
		return -1;
	if (file_exists(public_path))
		return err_set(e, ERR_REFUSED,
			       "%s is there already; a key is never replaced",
			       public_path);
	crypto_sign_keypair(public, key.secret);
	secret = secret_text(&key);
	public_half = sign_public_text(&key);
	sign_key_clear(&key);
	bad = put_new(path, secret, 0600, e);
	sodium_memzero(secret, strlen(secret));
	free(secret);
	if (bad == 0 && put_new(public_path, public_half, 0644, e) < 0) {
		unlink(path);
		bad = -1;
	}
	return bad;
}

/* The public half is derived again: a file that was patched together would
 * make signatures that nobody can check. */
static int
parse_secret(struct sign_key *out, const char *text)
{
	unsigned char public[SIGN_PUBLIC], again[64];
	const char *at = text + strlen(KEY_HEAD);
	int bad;

	if (!str_starts(text, KEY_HEAD) ||
	    take_line(&at, "secret", out->secret, sizeof(out->secret)) < 0 ||
	    *at)
		return -1;
	crypto_sign_seed_keypair(public, again, out->secret);
	bad = sodium_memcmp(again, out->secret, sizeof(again)) != 0;
	sodium_memzero(again, sizeof(again));
	id_of(public, out->id);
	return bad ? -1 : 0;
}

int
sign_key_read(struct sign_key *out, const char *path, struct err *e)
{
	struct sign_key key = { 0 };
	struct stat st;
	char *text = NULL;
	int bad;

	start();
	if (stat(path, &st) < 0)
		return err_sys(e, "secret key %s", path);
	if (file_read(path, KEY_FILE_MAX, &text, NULL, e) < 0)
		return -1;
	bad = parse_secret(&key, text);
	sodium_memzero(text, strlen(text));
	free(text);
	if (bad == 0 && folder_is_safe(path, st.st_uid, e) < 0) {
		sign_key_clear(&key);
		return -1;
	}
	/* only of a key, not of /etc/passwd: people do as they are told */
	if (bad == 0 && (st.st_mode & 077) == 0)
		*out = key;
	else if (bad == 0)
		bad = err_set(e, ERR_INPUT,
			      "%s: others may read this secret key; chmod 600 "
			      "it",
			      path);
	else
		err_set(e, ERR_INPUT,
			"%s: not a secret key (edeployctl key makes one)",
			path);
	sign_key_clear(&key);
	return bad;
}

int
sign_trust_parse(struct sign_trust *out, const char *text, const char *name,
		 struct err *e)
{
	struct sign_trust t = { 0 };
	const char *at = text + strlen(KEY_HEAD);

	if (!str_starts(text, KEY_HEAD))
		return err_set(e, ERR_INPUT, "%s:1: not a key file", name);
	do {
		if (t.len == SIGN_KEYS_MAX)
			return err_set(e, ERR_INPUT, "%s: more than %d keys",
				       name, SIGN_KEYS_MAX);
		if (take_line(&at, "public", t.key[t.len].public, SIGN_PUBLIC) <
		    0)
			return err_set(e, ERR_INPUT, "%s:%zu: not a public key",
				       name, t.len + 2);
		id_of(t.key[t.len].public, t.key[t.len].id);
		t.len++;
	} while (*at);
	*out = t;
	return 0;
}

int
sign_trust_read(struct sign_trust *out, const char *path, struct err *e)
{
	AUTO_FREE char *text = NULL;

	if (file_read(path, KEY_FILE_MAX, &text, NULL, e) < 0)
		return -1;
	return sign_trust_parse(out, text, path, e);
}

/* ---- signatures ---- */

void
sign_bytes(const struct sign_key *key, const void *bytes, size_t len,
	   char out[SIGN_TEXT])
{
	unsigned char s[crypto_sign_BYTES];

	start();
	crypto_sign_detached(s, NULL, bytes, len, key->secret);
	sodium_bin2base64(out, SIGN_TEXT, s, sizeof(s), BASE64);
}

static const unsigned char *
find_key(const struct sign_trust *trust, const char *id)
{
	size_t i;

	for (i = 0; i < trust->len; i++)
		if (str_eq(trust->key[i].id, id))
			return trust->key[i].public;
	return NULL;
}

int
sign_check(const struct sign_trust *trust, const char *id,
	   const char *signature, const void *bytes, size_t len, struct err *e)
{
	const unsigned char *public = find_key(trust, id);
	unsigned char s[crypto_sign_BYTES];

	start();
	if (!public)
		return err_set(e, ERR_REFUSED,
			       "signed with key %s, which is not trusted here",
			       id);
	if (read_base64(signature, strlen(signature), s, sizeof(s)) < 0 ||
	    crypto_sign_verify_detached(s, bytes, len, public) != 0)
		return err_set(e, ERR_REFUSED,
			       "not what key %s signed: it was changed since",
			       id);
	return 0;
}

void
sign_key_clear(struct sign_key *key)
{
	sodium_memzero(key, sizeof(*key));
}
