/* The fence of inih: its handler has no way to say why, so the first reason
 * is kept beside it and told with the line. */
#include <ini.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/ini.h"

#define INI_FILE_MAX 65536

struct reading {
	ini_key *each;
	void *ctx;
	struct err *e;
	bool refused;
};

static int
take_key(void *ctx, const char *section, const char *key, const char *value)
{
	struct reading *r = ctx;

	if (!key || r->refused)
		return 1;
	if (r->each(r->ctx, section, key, value ? value : "", r->e) == 0)
		return 1;
	r->refused = true;
	return 0;
}

int
ini_read(const char *path, ini_key *each, void *ctx, struct err *e)
{
	struct reading r = { each, ctx, e, false };
	AUTO_FREE char *text = NULL;
	int line;

	if (file_read(path, INI_FILE_MAX, &text, NULL, e) < 0)
		return -1;
	line = ini_parse_string(text, take_key, &r);
	if (line == 0)
		return 0;
	if (!r.refused)
		err_set(e, ERR_INPUT,
			"not \"[SECTION]\", \"KEY = value\" or a comment");
	return err_add(e, "%s:%d", path, line);
}
