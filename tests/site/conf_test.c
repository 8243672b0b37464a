/* /etc/edeploy.conf: every key, its default, and what is refused, with its
 * place and what to do. */
#include <stdio.h>

#include "lib/file.h"
#include "site/conf.h"
#include "tests/test.h"

#define AT(name) offsetof(struct conf, name)

static const struct {
	const char *key;
	size_t at;
	const char *absent; /* the default, in section "S"; NULL: none */
} keys[] = {
	{ "CONFIGDIR", AT(configdir), "/etc/edeploy" },
	{ "HWDIR", AT(hwdir), NULL },
	{ "LOGDIR", AT(logdir), "/var/log/edeployd/S" },
	{ "LOCKFILE", AT(lockfile), "/run/edeploy/S.lock" },
	{ "METADATAURL", AT(metadataurl), NULL },
	{ "STOREDIR", AT(storedir), "/var/lib/edeployd/S" },
	{ "BOOTDIR", AT(bootdir), "/var/lib/edeployd/boot" },
	{ "TREES", AT(trees), NULL },
	{ "SOCKET", AT(socket), "/run/edeploy/S.sock" },
	{ "LISTEN", AT(listen), NULL },
	{ "FASTCGI", AT(fastcgi), NULL },
};

static const struct {
	const char *text, *place, *what; /* both are in the message */
} refused[] = {
	{ "", "", "no section; write at least \"[SERVER]\"" },
	{ "# nothing\n", "", "no section" },
	{ "[S]\n", "", "no section" },
	{ "CONFIGDIR=/x\n", ":1:", "in a [SECTION]" },
	{ "[a b]\nCONFIGDIR=/x\n", ":2:", "in a [SECTION]" },
	{ "[../x]\nCONFIGDIR=/x\n", ":2:", "in a [SECTION]" },
	{ "[.x]\nCONFIGDIR=/x\n", ":2:", "in a [SECTION]" },
	{ "[S]\nCONFIGDIR=\n", ":2:", "CONFIGDIR is empty" },
	{ "[S]\n\nCONFIGDIR=/x\nCONFIGDIR=/y\n",
	  ":4:", "CONFIGDIR is there twice" },
	{ "[S]\nLISTEN=a\n[T]\nLISTEN=b\n[S]\nLISTEN=c\n",
	  ":6:", "LISTEN is there twice" },
	{ "[S]\nCONFIGDIRS=/x\n", ":2:", "no key is called CONFIGDIRS" },
	{ "[S]\nconfigdir=/x\n", ":2:", "no key is called configdir" },
	{ "[S]\nUSEPXEMNGR=True\n", ":2:", "remove the key" },
	{ "[S]\nUSEPXEMNGR=False\n", ":2:", "/boot.ipxe" },
	{ "[S]\nPXEMNGRURL=http://x/\n", ":2:", "remove the key" },
	{ "[S]\nHEALTHDIR=/x\n", ":2:", "remove it" },
	{ "[S]\nCONFIGDIR /x\n", ":2:", "KEY = value" },
	{ "[S\nCONFIGDIR=/x\n", ":1:", "[SECTION]" },
	{ "[S]\n"
	  "METADATAURL=http://"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/\n",
	  ":2:", "at most 190 bytes" },
	{ "[S]\nCONFIGDIR=/a\001b\n", ":2:", "CONFIGDIR has a control" },
	{ "[S]\nLISTEN=a\tb\n", ":2:", "LISTEN has a control" },
	{ "[S]\nCONFIGDIR=etc/edeploy\n", ":2:", "begins with /" },
	{ "[S]\nHWDIR=hw\n", ":2:", "begins with /" },
	{ "[S]\nLOGDIR=./log\n", ":2:", "begins with /" },
	{ "[S]\nLOCKFILE=lock\n", ":2:", "begins with /" },
	{ "[S]\nSTOREDIR=store\n", ":2:", "begins with /" },
	{ "[S]\nBOOTDIR=boot\n", ":2:", "begins with /" },
	{ "[S]\nTREES=trees\n", ":2:", "begins with /" },
	{ "[S]\nSOCKET=sock\n", ":2:", "begins with /" },
	{ "[S]\nFASTCGI=sock\n", ":2:", "begins with /" },
};

static char path[] = "/tmp/edeploy-conf-XXXXXX";

static int
read_text(struct confs **c, const char *text, struct err *e)
{
	struct err ignored = { 0 };

	if (file_write(path, text, strlen(text), 0600, &ignored) < 0)
		abort();
	return confs_read(c, path, e);
}

static const char *
member(const struct conf *c, size_t at)
{
	const char *text;

	memcpy(&text, (const char *)c + at, sizeof(text));
	return text;
}

/* Each key alone: it is the only one that is not the default. */
static void
test_keys(void)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		AUTO_FREE char *text = base_printf(
			"[S]\n%s = /some/where ; remark\n", keys[i].key);
		AUTO(confs) c = NULL;
		struct err e = { 0 };

		CHECK_SHOW(i, read_text(&c, text, &e) == 0, "%s", e.text);
		for (size_t k = 0; c && k < ARRAY_LEN(keys); k++)
			CHECK(k,
			      str_eq(member(&c->at[0], keys[k].at),
				     k == i ? "/some/where" : keys[k].absent));
	}
}

static void
test_refused(void)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		AUTO(confs) c = NULL;
		struct err e = { 0 };

		CHECK_SHOW(i,
			   read_text(&c, refused[i].text, &e) < 0 && !c &&
				   e.kind == ERR_INPUT &&
				   str_starts(e.text, path) &&
				   strstr(e.text, refused[i].place) &&
				   strstr(e.text, refused[i].what),
			   "%s", e.text);
	}
}

static void
test_sections(void)
{
	AUTO(confs) c = NULL;
	struct err e = { 0 };

	CHECK(0, read_text(&c,
			   "[SERVER]\nCONFIGDIR=/a\n[lab-2]\nCONFIGDIR: /b\n"
			   "[SERVER]\nHWDIR=/hw\n",
			   &e) == 0);
	CHECK(1, c && c->len == 2);
	CHECK(2, c && str_eq(confs_find(c, "SERVER")->hwdir, "/hw"));
	CHECK(3, c && str_eq(confs_find(c, "lab-2")->configdir, "/b"));
	CHECK(4, c && str_eq(confs_find(c, "lab-2")->storedir,
			     "/var/lib/edeployd/lab-2"));
	CHECK(5, c && !confs_find(c, "lab") && !confs_find(c, ""));
	confs_free(NULL);
}

static void
test_site_dir(void)
{
	AUTO(confs) c = confs_of_site("my/site");

	CHECK(0, c->len == 1 && str_eq(c->at[0].configdir, "my/site"));
	CHECK(1, confs_find(c, "SERVER") == &c->at[0]);
}

static void
test_files(void)
{
	AUTO_FREE char *large = base_alloc(70000);
	AUTO(confs) c = NULL;
	struct err e = { 0 };

	memset(large, '\n', 69999);
	CHECK(0, read_text(&c, large, &e) < 0 && e.kind == ERR_INPUT &&
			 strstr(e.text, "larger than"));
	unlink(path);
	CHECK(1, confs_read(&c, path, &e) < 0 && e.kind == ERR_SYS &&
			 strstr(e.text, path));
	CHECK(2, confs_read(&c, "/tmp", &e) < 0 && e.kind == ERR_SYS);
}

int
main(void)
{
	close(mkstemp(path));
	test_keys();
	test_refused();
	test_sections();
	test_site_dir();
	test_files();
	return test_end();
}
