/* The fence of inih: its handler has no way to say why, so the first reason
 * is kept beside it and told with the line. It would take the rest of a line
 * that is too long for a line of its own, and cut the names of sections; so it
 * gets its lines from here, where such are refused. */
#include <ini.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/ini.h"

#define INI_FILE_MAX 65536
#define LINE_MAX_BYTES 190 /* inih as Debian builds it has room for 199 */
#define SECTION_MAX 49

struct reading {
	ini_key *each;
	void *ctx;
	struct err *e;
	const char *at; /* the next line */
	int line;       /* the number of the one before */
	int refused;    /* the number of the first one that was refused */
};

static int
refuse(struct reading *r)
{
	r->refused = r->line;
	return 0;
}

static int
take_key(void *ctx, const char *section, const char *key, const char *value)
{
	struct reading *r = ctx;

	if (!key || r->refused)
		return 1;
	if (r->each(r->ctx, section, key, value ? value : "", r->e) == 0)
		return 1;
	return refuse(r);
}

static void
check_line(struct reading *r, const char *line, size_t len)
{
	const char *end = *line == '[' ? memchr(line, ']', len) : NULL;

	if (r->refused)
		return;
	if (len > LINE_MAX_BYTES) {
		err_set(r->e, ERR_INPUT, "a line has at most %d bytes",
			LINE_MAX_BYTES);
		refuse(r);
	} else if (end && end - line - 1 > SECTION_MAX) {
		err_set(r->e, ERR_INPUT,
			"a section's name has at most %d bytes", SECTION_MAX);
		refuse(r);
	}
}

/* As fgets. Comments, which may be long, are not for inih; nor is a line that
 * was refused. */
static char *
next_line(char *to, int room, void *ctx)
{
	struct reading *r = ctx;
	const char *from = r->at + strspn(r->at, " \t\r");
	size_t len = strcspn(from, "\n");

	if (!*r->at || room <= LINE_MAX_BYTES + 1)
		return NULL;
	r->line++;
	r->at = from + len + (from[len] == '\n');
	if (*from == ';' || *from == '#')
		len = 0;
	check_line(r, from, len);
	if (r->refused)
		len = 0;
	memcpy(to, from, len);
	to[len] = '\n';
	to[len + 1] = '\0';
	return to;
}

int
ini_read(const char *path, ini_key *each, void *ctx, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct reading r = { .each = each, .ctx = ctx, .e = e };
	int line;

	if (file_read(path, INI_FILE_MAX, &text, NULL, e) < 0)
		return -1;
	r.at = str_starts(text, "\xef\xbb\xbf") ? text + 3 : text;
	line = ini_parse_stream(next_line, &r, take_key, &r);
	if (line == 0 && r.refused == 0)
		return 0;
	/* what is no line at all, and before what was refused */
	if (line > 0 && line != r.refused)
		err_set(e, ERR_INPUT,
			"not \"[SECTION]\", \"KEY = value\" or a comment");
	return err_add(e, "%s:%d", path, line > 0 ? line : r.refused);
}
