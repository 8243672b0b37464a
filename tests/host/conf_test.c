#include "host/conf.h"
#include "lib/base.h"
#include "lib/file.h"
#include "lib/proc.h"
#include "tests/test.h"

static const struct {
	const char *text, *key, *want; /* NULL: absent */
} values[] = {
	{ "VERS=D12\nROLE=x\n", "VERS", "D12" },
	{ "VERS=1\nVERS=2\n", "VERS", "2" },
	{ "VERS=\"D12\"", "VERS", "D12" },
	{ "VERS='D 12' ", "VERS", "D 12" },
	{ "export VERS=1", "VERS", "1" },
	{ "RVERS=1", "VERS", NULL },
	{ "VERS1=1", "VERS", NULL },
	{ "#VERS=1", "VERS", NULL },
	{ "VERS=$(reboot)", "VERS", "$(reboot)" },
	{ "", "VERS", NULL },
};

static const struct {
	const char *text, *want; /* with VERS=2 */
} changed[] = {
	{ "", "VERS=2\n" },
	{ "A=1\n", "A=1\nVERS=2\n" },
	{ "VERS=1\nSERV=s\n", "VERS=2\nSERV=s\n" },
	{ "VERS=0\nA=1\n# c\n\nVERS=1\nB=2", "A=1\n# c\n\nVERS=2\nB=2\n" },
};

/* A whole file; `why` NULL: it is good. */
#define GOOD "VERS=D1\nROLE=r\nRSERV=h\nRSERV_PORT=873\n"
static const struct {
	const char *text, *why;
} files[] = {
	{ GOOD, NULL },
	{ GOOD "RPATH=a/b\n", NULL },
	{ "VERS=D1\nROLE=r\nSERV=h\nRSERV_PORT=873\n", NULL },
	{ "ROLE=r\nRSERV=h\nRSERV_PORT=873\n", "VERS" },
	{ GOOD "VERS=../x\n", "VERS" },
	{ GOOD "VERS=a b\n", "VERS" },
	{ GOOD "ROLE=\n", "ROLE" },
	{ GOOD "ROLE=$(id)\n", "ROLE" },
	{ GOOD "RSERV=-e\n", "RSERV" },
	{ GOOD "RSERV=a b\n", "RSERV" },
	{ GOOD "RSERV_PORT=0\n", "RSERV_PORT" },
	{ GOOD "RSERV_PORT=x\n", "RSERV_PORT" },
	{ GOOD "RPATH=../x\n", "RPATH" },
};

static void
check_files(const char *root)
{
	AUTO_FREE char *path = base_printf("%s%s", root, CONF_PATH);
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++) {
		struct conf c;
		int bad;

		e = (struct err){ 0 };
		file_write(path, files[i].text, strlen(files[i].text), 0644,
			   &e);
		bad = conf_read(&c, root, &e);
		CHECK_SHOW(i,
			   files[i].why ? bad && strstr(e.text, files[i].why)
					: !bad,
			   "%s", e.text);
		conf_clear(&c);
	}
}

int
main(void)
{
	char root[] = "/tmp/conf_test.XXXXXX";
	const char *const rm[] = { "rm", "-rf", root, NULL };
	struct err e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(values); i++) {
		AUTO_FREE char *got = conf_value(values[i].text, values[i].key);

		CHECK(i, str_eq(got, values[i].want));
	}
	for (i = 0; i < ARRAY_LEN(changed); i++) {
		AUTO_FREE char *got = conf_with(changed[i].text, "VERS", "2");

		CHECK_SHOW(i, str_eq(got, changed[i].want), "%s", got);
	}
	if (!mkdtemp(root))
		return 1;
	check_files(root);
	proc_ok(rm, NULL, &e);
	return test_end();
}
