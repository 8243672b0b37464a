/* Keys are made and read back; what was signed is believed, and nothing else
 * is: no other byte, no other key, no other spelling. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/sign.h"

#include "tests/test.h"

static char dir[] = "/tmp/edeploy-sign.XXXXXX";

static char *
in_dir(const char *name)
{
	return base_printf("%s/%s", dir, name);
}

static void
test_pair(void)
{
	AUTO_FREE char *path = in_dir("a");
	AUTO_FREE char *public_path = in_dir("a.pub");
	struct sign_trust trust;
	struct sign_key key;
	struct err e = { 0 };
	char text[SIGN_TEXT];
	struct stat st;

	CHECK(0, sign_key_make(path, &e) == 0);
	CHECK(0, stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CHECK(0, stat(public_path, &st) == 0 && (st.st_mode & 0777) == 0644);
	CHECK(1, sign_key_make(path, &e) < 0 && e.kind == ERR_REFUSED);
	unlink(public_path);
	CHECK(2, sign_key_make(path, &e) < 0 && e.kind == ERR_REFUSED);
	CHECK(2, !file_exists(public_path));
	CHECK(3, sign_key_read(&key, path, &e) == 0);
	AUTO_FREE char *public_text = sign_public_text(&key);

	CHECK(3, sign_trust_parse(&trust, public_text, "pub", &e) == 0);
	CHECK(3, trust.len == 1 && str_eq(trust.key[0].id, key.id));
	CHECK(3, strspn(key.id, "0123456789abcdef") == 16);
	sign_bytes(&key, "tree", 4, text);
	CHECK(4, sign_check(&trust, key.id, text, "tree", 4, &e) == 0);
	CHECK(5, sign_check(&trust, key.id, text, "tre", 3, &e) < 0 &&
			 e.kind == ERR_REFUSED);
	CHECK(6,
	      sign_check(&trust, "0123456789abcdef", text, "tree", 4, &e) < 0 &&
		      strstr(e.text, "not trusted"));
	sign_key_clear(&key);
	CHECK(7, key.id[0] == '\0' && key.secret[0] == 0);
}

/* Each byte of what was signed and of the signature, changed. */
static void
test_tampered(void)
{
	AUTO_FREE char *path = in_dir("t");
	AUTO_FREE char *public_path = in_dir("t.pub");
	char bytes[] = "a tree that is right", text[SIGN_TEXT];
	struct sign_trust trust;
	struct sign_key key;
	struct err e = { 0 };
	size_t i, believed = 0;

	CHECK(0, sign_key_make(path, &e) == 0);
	CHECK(0, sign_key_read(&key, path, &e) == 0);
	CHECK(0, sign_trust_read(&trust, public_path, &e) == 0);
	sign_bytes(&key, bytes, sizeof(bytes), text);
	for (i = 0; i < sizeof(bytes) * 8; i++) {
		bytes[i / 8] ^= (char)(1 << i % 8);
		believed += sign_check(&trust, key.id, text, bytes,
				       sizeof(bytes), &e) == 0;
		bytes[i / 8] ^= (char)(1 << i % 8);
	}
	for (i = 0; i < (SIGN_TEXT - 1) * 8; i++) {
		text[i / 8] ^= (char)(1 << i % 8);
		believed += sign_check(&trust, key.id, text, bytes,
				       sizeof(bytes), &e) == 0;
		text[i / 8] ^= (char)(1 << i % 8);
	}
	CHECK_SHOW(1, believed == 0, "%zu changes believed", believed);
	CHECK(2,
	      sign_check(&trust, key.id, text, bytes, sizeof(bytes), &e) == 0);
}

#define K32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct {
	const char *text;
	int keys; /* 0: refused */
} trusts[] = {
	{ "edeploy-key 1\npublic " K32 "\n", 1 },
	{ "edeploy-key 1\npublic " K32 "\npublic " K32 "\n", 2 },
	{ "", 0 },
	{ "edeploy-key 1\n", 0 },
	{ "edeploy-key 2\npublic " K32 "\n", 0 },
	{ "edeploy-key 1\npublic " K32, 0 },
	{ "edeploy-key 1\npublic  " K32 "\n", 0 },
	{ "edeploy-key 1\npublic " K32 " \n", 0 },
	{ "edeploy-key 1\npublic " K32 "\n\n", 0 },
	{ "edeploy-key 1\npublic AAEC\n", 0 },
	{ "edeploy-key 1\npublic "
	  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
	  0 }, /* bits that are no byte */
	{ "edeploy-key 1\npublic "
	  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	  0 },
	{ "edeploy-key 1\nsecret " K32 "\n", 0 },
};

static void
test_trusts(void)
{
	AUTO_CLEAR(buf) many = { 0 };
	struct sign_trust trust;
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(trusts); i++) {
		e = (struct err){ 0 };
		trust.len = 0;
		CHECK(i, sign_trust_parse(&trust, trusts[i].text, "pub", &e) ==
				 (trusts[i].keys ? 0 : -1));
		CHECK(i, trust.len == (size_t)trusts[i].keys);
		CHECK(i, trusts[i].keys || (e.kind == ERR_INPUT &&
					    str_starts(e.text, "pub:")));
	}
	buf_str(&many, "edeploy-key 1\n");
	for (i = 0; i <= SIGN_KEYS_MAX; i++)
		buf_str(&many, "public " K32 "\n");
	CHECK(0, sign_trust_parse(&trust, buf_text(&many), "pub", &e) < 0);
}

/* A secret key of which one thing is changed. */
static void
test_secrets(void)
{
	AUTO_FREE char *path = in_dir("s");
	AUTO_FREE char *other = in_dir("other");
	AUTO_FREE char *text = NULL;
	struct sign_key key;
	struct err e = { 0 };
	size_t i, len, believed = 0;

	CHECK(0, sign_key_make(path, &e) == 0);
	CHECK(0, file_read(path, 4096, &text, &len, &e) == 0);
	for (i = 0; i < len; i++) {
		text[i] ^= 1;
		CHECK(i, file_write(other, text, len, 0600, &e) == 0);
		believed += sign_key_read(&key, other, &e) == 0;
		text[i] ^= 1;
	}
	CHECK_SHOW(0, believed == 0, "%zu changed keys read", believed);
	CHECK(1, chmod(path, 0640) == 0);
	CHECK(1, sign_key_read(&key, path, &e) < 0 && e.kind == ERR_INPUT &&
			 strstr(e.text, "chmod 600"));
	CHECK(2, sign_key_read(&key, "/nonexistent/key", &e) < 0 &&
			 e.kind == ERR_SYS);
	/* nobody is told to chmod what is no key */
	CHECK(3, sign_key_read(&key, "/etc/passwd", &e) < 0 &&
			 strstr(e.text, "not a secret key"));
}

/* The folder of a key, of some mode and owner: is one made there, is one used
 * that was there before? */
static const struct {
	mode_t mode;
	uid_t owner;
	bool good;
} folders[] = {
	{ 0755, 0, true },      { 0700, 0, true },
	{ 02770, 0, false },    { 0775, 0, false },
	{ 0707, 0, false },     { 01777, 0, true }, /* sticky */
	{ 0700, 12345, false }, { 0755, 12345, false },
};

static void
test_folders(void)
{
	AUTO_FREE char *folder = in_dir("keys");
	AUTO_FREE char *path = in_dir("keys/k");
	AUTO_FREE char *other = in_dir("keys/other");
	AUTO_FREE char *other_public = in_dir("keys/other.pub");
	AUTO_FREE char *deep = in_dir("none/keys/k");
	struct sign_key key;
	struct err e;
	struct stat st;
	size_t i;

	CHECK(100, sign_key_make(path, &e) == 0);
	CHECK(100, stat(folder, &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(101, sign_key_make(deep, &e) < 0 && e.kind == ERR_SYS &&
			   strstr(e.text, "make the folder"));
	for (i = 0; i < ARRAY_LEN(folders); i++) {
		bool good = folders[i].good;

		if (folders[i].owner && geteuid() != 0)
			continue; /* only root can give it away */
		CHECK(i, !folders[i].owner ||
				 chown(folder, folders[i].owner, 0) == 0);
		CHECK(i, chmod(folder, folders[i].mode) == 0);
		CHECK(i, (sign_key_make(other, &e) == 0) == good);
		CHECK_SHOW(i,
			   good || (e.kind == ERR_INPUT &&
				    strstr(e.text, "others may write to")),
			   "%s", e.text);
		CHECK(i, file_exists(other) == good);
		CHECK(i, (sign_key_read(&key, path, &e) == 0) == good);
		unlink(other);
		unlink(other_public);
	}
}

int
main(void)
{
	struct err e;

	if (!mkdtemp(dir))
		return 1;
	test_pair();
	test_tampered();
	test_trusts();
	test_secrets();
	test_folders();
	dir_remove(dir, &e);
	return test_end();
}
