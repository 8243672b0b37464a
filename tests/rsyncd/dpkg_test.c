/* What dpkg says is installed, and which package a path belongs to. */
#include "rsyncd/dpkg.h"

#include "tests/test.h"

static const char status[] = "Package: zsh\n"
			     "Status: install ok installed\n"
			     "Version: 5.9\n"
			     "Description: a shell\n"
			     " Version: 7\n"
			     "\n"
			     "Package: libc6\n"
			     "Status: hold ok installed\n"
			     "Architecture: amd64\n"
			     "Multi-Arch: same\n"
			     "Installed-Size: 12986\n"
			     "Version: 2.36-9\n"
			     "\n\n"
			     "Package: gone\n"
			     "Status: deinstall ok config-files\n"
			     "Version: 1\n"
			     "\n"
			     "Status: install ok installed\n"
			     "Version: 1\n"
			     "\n"
			     "Package: bash\n"
			     "Status: install ok installed\n"
			     "Installed-Size: many\n"
			     "Version: 5.2";

static const struct {
	const char *name, *version; /* NULL: not installed */
	uint64_t size_kib;
} packages[] = {
	{ "zsh", "5.9", 0 },  { "libc6:amd64", "2.36-9", 12986 },
	{ "libc6", NULL, 0 }, { "gone", NULL, 0 },
	{ "bash", "5.2", 0 }, { "", NULL, 0 },
};

static const struct {
	const char *list, *path;
	bool has;
} lists[] = {
	{ "/.\n/bin\n/bin/ls\n", "bin/ls", true },
	{ "/.\n/bin\n/bin/ls\n", "usr/bin/ls", true },
	{ "/.\n/bin\n/bin/ls", "bin/ls", true },
	{ "/.\n/bin\n/bin/lsblk\n", "bin/ls", false },
	{ "/.\n/sbin/bin/ls\n", "bin/ls", false },
	{ "bin/ls\n", "bin/ls", false },
	{ "/usr/bin/ls\n", "bin/ls", false },
	{ "/usr/bin/ls\n/bin/ls\n", "bin/ls", true },
	{ "", "bin/ls", false },
	{ "/\n", "", false },
	{ "/\n", "usr/", false },
};

static const struct {
	const char *path, *name;
} names[] = {
	{ "var/lib/dpkg/info/bash.list", "bash" },
	{ "var/lib/dpkg/info/libc6:amd64.list", "libc6:amd64" },
	{ "var/lib/dpkg/info/bash.md5sums", NULL },
	{ "var/lib/dpkg/info/.list", NULL },
	{ "usr/lib/dpkg/info/bash.list", NULL },
};

int
main(void)
{
	AUTO(dpkg) d = dpkg_parse(base_strdup(status));
	size_t i;

	CHECK(0, d->len == 3);
	for (i = 0; i < ARRAY_LEN(packages); i++) {
		const struct dpkg_package *p = dpkg_find(d, packages[i].name);

		CHECK(i, !p == !packages[i].version);
		CHECK(i, !p || (str_eq(p->version, packages[i].version) &&
				p->size_kib == packages[i].size_kib));
	}
	for (i = 0; i < ARRAY_LEN(lists); i++)
		CHECK(i, dpkg_list_has(lists[i].list, lists[i].path) ==
				 lists[i].has);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		AUTO_FREE char *name = dpkg_list_name(names[i].path);

		CHECK(i, str_eq(name, names[i].name));
	}
	return test_end();
}
