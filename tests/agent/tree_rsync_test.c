#include "agent/tree_rsync.h"
#include "lib/base.h"
#include "tests/test.h"

static const struct {
	const char *line;
	int want;
	double percent;
	int64_t bytes, rate, eta;
} rows[] = {
	{ "        1048576  12%   10.50MB/s    0:00:12 (xfr#3, to-chk=9/15)", 0,
	  12, 1048576, 11010048, 0 },
	{ "              0   0%    0.00kB/s    0:00:00 ", 0, 0, 0, 0, -1 },
	{ "104857600  20%    1.00MB/s    0:01:40", 0, 20, 104857600, 1048576,
	  400 },
	{ "  3000000000 100%    1.00GB/s    1:02:03 (xfr#1, to-chk=0/1)", 0,
	  100, 3000000000, 1073741824, 0 },
	{ "1048576 12% 10.5MB/s", -1, 0, 0, 0, 0 },
	{ "1,048,576  12%   10.50MB/s    0:00:12", -1, 0, 0, 0, 0 },
	{ "1048576 101%   10.50MB/s    0:00:12", -1, 0, 0, 0, 0 },
	{ "1048576  12%   10.50XB/s    0:00:12", -1, 0, 0, 0, 0 },
	{ "1048576  12%   10.50MB/s    0:99:12", -1, 0, 0, 0, 0 },
	{ "-5  12%   10.50MB/s    0:00:12", -1, 0, 0, 0, 0 },
	{ "rsync error: some files", -1, 0, 0, 0, 0 },
	{ "", -1, 0, 0, 0, 0 },
};

int
main(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tree_progress p = { 0 };

		CHECK(i, tree_progress_parse(rows[i].line, &p) == rows[i].want);
		if (rows[i].want == 0)
			CHECK(i, p.percent == rows[i].percent &&
					 p.bytes == rows[i].bytes &&
					 p.bytes_per_s == rows[i].rate &&
					 p.eta_s == rows[i].eta);
	}
	CHECK(0, strstr(tree_exit_text(10), "RSERV_PORT"));
	CHECK(0, strstr(tree_exit_text(11), "full"));
	CHECK(0, strstr(tree_exit_text(137), "signal"));
	CHECK(0, *tree_exit_text(99));
	return test_end();
}
