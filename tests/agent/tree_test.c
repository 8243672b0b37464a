/* Where a tree comes from. */
#include "agent/tree.h"
#include "tests/test.h"

static const struct {
	const char *line, *asked;
	enum tree_way way;
	const char *trees, *other;
} rows[] = {
	{ "SERV=s", NULL, TREE_RSYNC_ELSE, "http://s:80/trees",
	  "rsync://s:873/install/V1/web/" },
	{ "SERV=s HTTP_PORT=8080", NULL, TREE_RSYNC_ELSE, "http://s:8080/trees",
	  "rsync://s:873/install/V1/web/" },
	{ "SERV=[fd00::1]", NULL, TREE_RSYNC_ELSE, "http://[fd00::1]:80/trees",
	  "rsync://[fd00::1]:873/install/V1/web/" },
	{ "SERV=s RSERV=r", NULL, TREE_RSYNC, NULL,
	  "rsync://r:873/install/V1/web/" },
	{ "SERV=s RSERV_PORT=1515", NULL, TREE_RSYNC, NULL,
	  "rsync://s:1515/install/V1/web/" },
	{ "SERV=s RPATH=/a/b", NULL, TREE_RSYNC, NULL,
	  "rsync://s:873/a/b/V1/web/" },
	{ "SERV=s RSERV=", NULL, TREE_RSYNC_ELSE, "http://s:80/trees",
	  "rsync://s:873/install/V1/web/" },
	{ "HSERV=h", NULL, TREE_ARCHIVE, "http://h:80/install",
	  "http://h:80/install/V1/web-V1.edeploy" },
	{ "HSERV=h HSERV_PORT=81 HPATH=/x/y RSERV=r", NULL, TREE_ARCHIVE,
	  "http://h:81/x/y", "http://h:81/x/y/V1/web-V1.edeploy" },
	{ "HPATH=x SERV=s", NULL, TREE_RSYNC_ELSE, "http://s:80/trees",
	  "rsync://s:873/install/V1/web/" },
	{ "TREE=https://t/x", NULL, TREE_PUBLISHED, "https://t/x", NULL },
	{ "TREE=http://t/x HSERV=h RSERV=r", NULL, TREE_PUBLISHED, "http://t/x",
	  NULL },
	{ "SERV=s", "rsync", TREE_RSYNC, NULL,
	  "rsync://s:873/install/V1/web/" },
	{ "SERV=s TREE=http://t/x HSERV=h", "rsync", TREE_RSYNC, NULL,
	  "rsync://s:873/install/V1/web/" },
	{ "SERV=s TREE=http://t/x RSERV=r", "http://q/trees", TREE_PUBLISHED,
	  "http://q/trees", NULL },
};

int
main(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tree_choice c;
		struct words w;
		struct err e = { 0 };

		CHECK(i, words_parse(&w, rows[i].line, &e) == 0);
		tree_choose(&w, rows[i].asked, "web", "V1", &c);
		CHECK(i, c.way == rows[i].way);
		CHECK_SHOW(i, str_eq(c.trees, rows[i].trees), "%s", c.trees);
		CHECK_SHOW(i, str_eq(c.other, rows[i].other), "%s", c.other);
		tree_choice_clear(&c);
		words_clear(&w);
	}
	return test_end();
}
