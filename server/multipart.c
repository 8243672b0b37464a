/* The form of the first eDeploy's agents. Written anew because
 * MHD_PostProcessor has a history of memory faults and forgives too much: here
 * the body must be exactly boundary, parts, closing boundary. */
#include <stdio.h>
#include <strings.h>

#include "server/multipart.h"
#include "lib/buf.h"

#define BOUNDARY_MAX 70 /* RFC 2046 */

/* "\r\n--BOUNDARY", what ends each part. */
static int
read_boundary(const char *type, char out[BOUNDARY_MAX + 5], struct err *e)
{
	static const char allowed[] = "0123456789'()+_,-./:=?"
				      "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *p;
	size_t len;
	bool quoted;

	if (!type || strncasecmp(type, "multipart/form-data", 19) != 0)
		return err_set(e, ERR_INPUT,
			       "Content-Type must be multipart/form-data");
	p = strcasestr(type + 19, "boundary=");
	if (!p)
		return err_set(e, ERR_INPUT, "Content-Type has no boundary");
	p += 9;
	quoted = *p == '"';
	p += quoted;
	len = strspn(p, allowed);
	if (len < 1 || len > BOUNDARY_MAX ||
	    (quoted ? p[len] != '"' : p[len] && !strchr("; ", p[len])))
		return err_set(e, ERR_INPUT,
			       "Content-Type has a malformed boundary");
	snprintf(out, BOUNDARY_MAX + 5, "\r\n--%.*s", (int)len, p);
	return 0;
}

/* The value of `; name="value"` in a header line, or NULL. */
static char *
read_parameter(const char *line, const char *name)
{
	AUTO_CLEAR(buf) b = { 0 };
	size_t n = strlen(name);
	const char *p = strchr(line, ';');

	while (p && *p == ';') {
		bool wanted;

		p += 1 + strspn(p + 1, " \t");
		wanted = strncasecmp(p, name, n) == 0 && p[n] == '=';
		p += strcspn(p, "=;");
		if (p[0] != '=' || p[1] != '"')
			return NULL;
		for (p += 2; *p && *p != '"'; p++) {
			if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
				p++;
			if (wanted)
				buf_char(&b, *p);
		}
		if (*p++ != '"')
			return NULL;
		if (wanted)
			return buf_take(&b);
		p += strspn(p, " \t");
	}
	return NULL;
}

static int
read_header(struct part *p, const char *line, struct err *e)
{
	if (strncasecmp(line, "Content-Disposition:", 20) == 0) {
		const char *value = line + 20 + strspn(line + 20, " \t");

		if (p->name)
			return err_set(e, ERR_INPUT,
				       "two Content-Disposition headers");
		if (strncasecmp(value, "form-data;", 10) != 0)
			return err_set(e, ERR_INPUT,
				       "Content-Disposition is not form-data");
		p->name = read_parameter(value, "name");
		if (!p->name || !p->name[0])
			return err_set(e, ERR_INPUT,
				       "Content-Disposition names no field");
		p->filename = read_parameter(value, "filename");
	} else if (strncasecmp(line, "Content-Transfer-Encoding:", 26) == 0) {
		const char *value = line + 26 + strspn(line + 26, " \t");

		if (strcasecmp(value, "binary") != 0 &&
		    strcasecmp(value, "8bit") != 0 &&
		    strcasecmp(value, "7bit") != 0)
			return err_set(
				e, ERR_INPUT,
				"an encoding that is not known: send binary");
	}
	return 0;
}

/* Headers up to the empty line; returns their length, or -1. */
static long
read_head(struct part *p, const char *at, size_t left, struct err *e)
{
	size_t max = left < PART_HEAD_MAX ? left : PART_HEAD_MAX;
	const char *end = memmem(at, max, "\r\n\r\n", 4);
	const char *from = at;

	if (!end)
		return err_set(e, ERR_INPUT,
			       "headers do not end within %d bytes",
			       PART_HEAD_MAX);
	while (from < end) {
		const char *eol =
			memmem(from, (size_t)(end - from) + 2, "\r\n", 2);
		AUTO_FREE char *line = base_strndup(from, (size_t)(eol - from));

		if (strlen(line) != (size_t)(eol - from))
			return err_set(e, ERR_INPUT, "a NUL byte in a header");
		if (read_header(p, line, e) < 0)
			return -1;
		from = eol + 2;
	}
	if (!p->name)
		return err_set(e, ERR_INPUT, "no Content-Disposition");
	return (long)(end + 4 - at);
}

/* One part at `at`, and the boundary behind it. Returns what was read, with
 * *last set behind the closing boundary, or -1. */
static long
read_part(struct parts *ps, const char *at, size_t left, const char *mark,
	  bool *last, struct err *e)
{
	struct part *p = &ps->at[ps->len];
	size_t mark_len = strlen(mark);
	const char *end;
	long head;

	ps->len++; /* from here parts_free sees what it owns */
	head = read_head(p, at, left, e);
	if (head < 0)
		return -1;
	end = memmem(at + head, left - (size_t)head, mark, mark_len);
	if (!end || left - (size_t)(end - at) < mark_len + 2)
		return err_set(e, ERR_INPUT, "cut before its closing boundary");
	p->at = at + head;
	p->len = (size_t)(end - p->at);
	*last = memcmp(end + mark_len, "--", 2) == 0;
	if (!*last && memcmp(end + mark_len, "\r\n", 2) != 0)
		return err_set(e, ERR_INPUT, "stray bytes behind a boundary");
	for (size_t i = 0; i + 1 < ps->len; i++)
		if (strcmp(ps->at[i].name, p->name) == 0)
			return err_set(e, ERR_INPUT,
				       "field \"%.40s\" is given twice",
				       p->name);
	return end - at + (long)mark_len + 2;
}

int
parts_parse(struct parts **out, const char *type, const char *body, size_t len,
	    struct err *e)
{
	AUTO(parts) ps = base_alloc(sizeof(*ps));
	char mark[BOUNDARY_MAX + 5];
	bool last = false;
	size_t at;

	if (read_boundary(type, mark, e) < 0)
		return -1;
	at = strlen(mark + 2);
	if (len < at + 2 || memcmp(body, mark + 2, at) != 0 ||
	    memcmp(body + at, "\r\n", 2) != 0)
		return err_set(e, ERR_INPUT,
			       "form: does not start with its boundary");
	for (at += 2; !last;) {
		long n;

		if (ps->len == PARTS_MAX)
			return err_set(e, ERR_INPUT, "form: more than %d parts",
				       PARTS_MAX);
		n = read_part(ps, body + at, len - at, mark, &last, e);
		if (n < 0)
			return err_add(e, "form: part %zu", ps->len);
		at += (size_t)n;
	}
	if (len != at && (len - at != 2 || memcmp(body + at, "\r\n", 2) != 0))
		return err_set(e, ERR_INPUT,
			       "form: stray bytes behind the closing boundary");
	*out = STEAL(ps);
	return 0;
}

const struct part *
parts_find(const struct parts *p, const char *name)
{
	for (size_t i = 0; i < p->len; i++)
		if (strcmp(p->at[i].name, name) == 0)
			return &p->at[i];
	return NULL;
}

void
parts_free(struct parts *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->len; i++) {
		free(p->at[i].name);
		free(p->at[i].filename);
	}
	free(p);
}
