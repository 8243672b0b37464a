/* Whose a path is, and what is mounted so. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/classes.h"

#include "tests/test.h"

#define HEADER "edeploy-classes 1\n"

static const struct {
	const char *text; /* a role's own, or NULL */
	const char *path;
	enum path_class want;
} paths[] = {
	{ NULL, "usr/bin/su", CLASS_VERSIONED },
	{ NULL, "etc", CLASS_MERGED },
	{ NULL, "etc/passwd", CLASS_MERGED },
	{ NULL, "etcetera", CLASS_VERSIONED },
	{ NULL, "var", CLASS_STATE },
	{ NULL, "var/log/syslog", CLASS_STATE },
	{ NULL, "var/lib/dpkg", CLASS_VERSIONED },
	{ NULL, "var/lib/dpkg/status", CLASS_VERSIONED },
	{ NULL, "var/lib/dpkgx", CLASS_STATE },
	{ NULL, "usr/local/bin/x", CLASS_STATE },
	{ NULL, "usr/locale", CLASS_VERSIONED },
	{ HEADER "state data\n", "data/x", CLASS_STATE },
	{ HEADER "versioned opt\n", "opt/x", CLASS_VERSIONED },
	{ HEADER "state opt/app/data\nversioned opt\n", "opt/app/data/1",
	  CLASS_STATE },
	{ HEADER "merged var/named\n", "var/named/x", CLASS_MERGED },
	{ HEADER, "var", CLASS_STATE },
};

static const struct {
	const char *what, *text, *want;
} bad[] = {
	{ "empty", "", "line 1" },
	{ "cut", HEADER "state data", "line 2" },
	{ "no class", HEADER "data\n", "line 2" },
	{ "class", HEADER "static data\n", "line 2" },
	{ "absolute", HEADER "state a\nstate /data\n", "line 3" },
	{ "up", HEADER "state ../data\n", "line 2" },
	{ "the root", HEADER "state .\n", "line 2" },
	{ "two blanks", HEADER "state  a\n", "line 2" },
};

static void
test_rows(void)
{
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(paths); i++) {
		AUTO_CLEAR(classes) c = { 0 };

		classes_default(&c);
		if (paths[i].text)
			CHECK_SHOW(i,
				   classes_parse(&c, paths[i].text, "t", &e) ==
					   0,
				   "%s", e.text);
		CHECK_SHOW(i, classes_of(&c, paths[i].path) == paths[i].want,
			   "%s", paths[i].path);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_CLEAR(classes) c = { 0 };

		CHECK(i, classes_parse(&c, bad[i].text, "t", &e) < 0);
		CHECK_SHOW(i, strstr(e.text, bad[i].want), "%s: %s",
			   bad[i].what, e.text);
	}
}

static void
make(const char *root, const char *path)
{
	AUTO_FREE char *whole = base_printf("%s/%s", root, path);
	struct err e = { 0 };

	if (dir_make(whole, 0755, &e) < 0)
		printf("# %s\n", e.text);
}

static void
test_places(void)
{
	char root[] = "/tmp/edeploy-classes-XXXXXX";
	AUTO_CLEAR(classes) c = { 0 };
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_CLEAR(enter_places) none = { 0 };
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *own = NULL;
	AUTO_FREE char *home = NULL;
	static const char rows[] = HEADER "versioned var/lib/app/bin\n"
					  "state var/lib/app/bin/cache\n"
					  "state usr/local/lib/app\n";
	struct err e = { 0 };

	if (!mkdtemp(root))
		return;
	own = base_printf("%s/" CLASSES_FILE, root);
	home = base_printf("%s/home", root);
	make(root, "var/lib/dpkg");
	make(root, "var/lib/app/bin/cache");
	make(root, "usr/local/lib/app");
	CHECK(0, file_write(own, rows, strlen(rows), 0644, &e) == 0);
	CHECK_SHOW(1, classes_of_root(&c, root, &e) == 0, "%s", e.text);
	CHECK_SHOW(2, classes_places(&c, root, &places, &e) == 0, "%s", e.text);
	text = enter_places_text(&places);
	/* state in state is no mount of its own, and neither is what the tree
	 * has not */
	CHECK_SHOW(3,
		   str_eq(text, "# edeploy mounts 1\nstate usr/local\n"
				"state var\nversion var/lib/app/bin\n"
				"state var/lib/app/bin/cache\n"
				"version var/lib/dpkg\n"),
		   "%s", text);
	CHECK(4, symlink("/var/home", home) == 0);
	CHECK(5, classes_places(&c, root, &none, &e) < 0 &&
			 strstr(e.text, "/home is"));
	CHECK(6, file_write(own, "x", 1, 0644, &e) == 0);
	classes_clear(&c);
	CHECK(7, classes_of_root(&c, root, &e) < 0 &&
			 strstr(e.text, "classes, line 1"));
	dir_remove(root, &e);
}

int
main(void)
{
	test_rows();
	test_places();
	return test_end();
}
