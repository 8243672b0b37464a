/* The values between the wire and the handlers, and strict readers for the
 * parts of a request line. All of it is pure, so that fuzzers and FastCGI can
 * use it without a socket. */
#include <stdarg.h>
#include <stdio.h>

#include "server/request.h"
#include "lib/num.h"
#include "lib/text.h"

void
reply_header(struct reply *r, const char *name, const char *fmt, ...)
{
	AUTO_CLEAR(buf) b = { 0 };
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	for (i = 0; i < b.len; i++)
		if ((unsigned char)b.at[i] < 0x20 ||
		    (unsigned char)b.at[i] > 0x7e)
			b.at[i] = '?';
	for (i = 0; i < r->headers; i++)
		if (strcmp(r->header[i].name, name) == 0)
			break;
	if (i == REPLY_HEADERS)
		abort(); /* a bug: no handler sets that many */
	if (i == r->headers)
		r->headers++;
	else
		free(r->header[i].value);
	r->header[i].name = name;
	r->header[i].value = buf_take(&b);
}

const char *
reply_header_get(const struct reply *r, const char *name)
{
	for (size_t i = 0; i < r->headers; i++)
		if (strcmp(r->header[i].name, name) == 0)
			return r->header[i].value;
	return NULL;
}

void
reply_error(struct reply *r, int status, const char *fmt, ...)
{
	AUTO_CLEAR(buf) text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	r->status = status;
	buf_reset(&r->body);
	text_show(buf_text(&text), text.len, 0, &r->body);
	buf_char(&r->body, '\n');
	reply_header(r, "Content-Type", "text/plain; charset=utf-8");
}

void
reply_err(struct reply *r, const struct err *e, int refused)
{
	int status = 500;

	if (e->kind == ERR_INPUT)
		status = 400;
	else if (e->kind == ERR_REFUSED)
		status = refused;
	reply_error(r, status, "%s", e->text);
}

void
reply_json(struct reply *r, const struct value *v)
{
	r->status = 200;
	value_json(v, 0, &r->body);
	buf_char(&r->body, '\n');
	reply_header(r, "Content-Type", "application/json");
}

void
reply_clear(struct reply *r)
{
	for (size_t i = 0; i < r->headers; i++)
		free(r->header[i].value);
	buf_clear(&r->body);
	if (r->file >= 0)
		close(r->file);
	*r = (struct reply)REPLY_NONE;
}

static int
path_clean(const char *raw, size_t len, char **out, struct err *e)
{
	AUTO_CLEAR(buf) b = { 0 };
	size_t i, start = 0;

	for (i = 0; i < len; i++) {
		if (raw[i] == '/' && b.len > 0 && b.at[b.len - 1] == '/')
			continue;
		buf_char(&b, raw[i]);
	}
	for (i = 1; i <= b.len; i++) {
		if (i < b.len && b.at[i] != '/')
			continue;
		if ((i - start == 2 && b.at[start + 1] == '.') ||
		    (i - start == 3 && b.at[start + 1] == '.' &&
		     b.at[start + 2] == '.'))
			return err_set(e, ERR_INPUT,
				       "path: \".\" and \"..\" are not served");
		start = i;
	}
	*out = buf_take(&b);
	return 0;
}

int
target_split(const char *raw, char **path, char **query, struct err *e)
{
	size_t len = strcspn(raw, "?");
	const char *rest = raw[len] ? raw + len + 1 : NULL;

	if (raw[0] != '/')
		return err_set(e, ERR_INPUT, "path: must start with \"/\"");
	if (len > PATH_MAX_BYTES)
		return err_set(e, ERR_INPUT, "path: longer than %d bytes",
			       PATH_MAX_BYTES);
	if (rest && strlen(rest) > QUERY_MAX_BYTES)
		return err_set(e, ERR_INPUT, "query: longer than %d bytes",
			       QUERY_MAX_BYTES);
	for (const char *p = raw; *p; p++)
		if (*p <= 0x20 || *p > 0x7e)
			return err_set(e, ERR_INPUT,
				       "byte %zu of the request target is not "
				       "printable ASCII; escape it as %%XX",
				       (size_t)(p - raw) + 1);
	if (path_clean(raw, len, path, e) < 0)
		return -1;
	*query = rest ? base_strdup(rest) : NULL;
	return 0;
}

int
query_get(const char *query, const char *key, size_t max, char **out,
	  struct err *e)
{
	AUTO_FREE char *value = NULL;
	size_t key_len = strlen(key), len;

	for (const char *p = query; p && *p; p += len + (p[len] == '&')) {
		len = strcspn(p, "&");
		if (strncmp(p, key, key_len) != 0 || len <= key_len ||
		    p[key_len] != '=')
			continue;
		if (value)
			return err_set(e, ERR_INPUT,
				       "query: \"%s\" is given twice", key);
		value = base_strndup(p + key_len + 1, len - key_len - 1);
		if (text_url_decode(value) < 0)
			return err_set(e, ERR_INPUT,
				       "query: \"%s\" has a malformed escape",
				       key);
		if (strlen(value) > max)
			return err_set(e, ERR_INPUT,
				       "query: \"%s\" is longer than %zu bytes",
				       key, max);
	}
	*out = STEAL(value);
	return 0;
}

bool
path_match(const char *pattern, const char *path, char **arg)
{
	const char *star = strchr(pattern, '*');
	AUTO_FREE char *part = NULL;
	size_t head, len;

	if (!star)
		return strcmp(pattern, path) == 0;
	if (str_starts(pattern, "**"))
		return str_ends(path, pattern + 2);
	head = (size_t)(star - pattern);
	if (strncmp(pattern, path, head) != 0)
		return false;
	if (str_ends(pattern, "/**")) {
		free(*arg);
		*arg = base_strdup(path + head);
		return true;
	}
	len = strcspn(path + head, "/");
	if (len == 0 || strcmp(path + head + len, star + 1) != 0)
		return false;
	part = base_strndup(path + head, len);
	if (text_url_decode(part) <= 0)
		return false;
	free(*arg);
	*arg = STEAL(part);
	return true;
}

static bool
read_bound(const char *from, const char *to, uint64_t *out)
{
	AUTO_FREE char *text = base_strndup(from, (size_t)(to - from));
	struct err e = { 0 };

	return num_u64(text, 0, UINT64_MAX, out, "range", &e) == 0;
}

enum range_kind
range_parse(const char *text, uint64_t size, uint64_t *offset, uint64_t *len)
{
	const char *dash, *end;
	uint64_t first = 0, last = size ? size - 1 : 0, n;

	*offset = 0;
	*len = size;
	if (!text || !str_starts(text, "bytes=") || strchr(text, ',') ||
	    !(dash = strchr(text += 6, '-')))
		return RANGE_ALL;
	end = text + strlen(text);
	if (dash == text) { /* the last n bytes */
		if (!read_bound(dash + 1, end, &n))
			return RANGE_ALL;
		if (n == 0 || size == 0)
			return RANGE_BAD;
		first = n < size ? size - n : 0;
	} else {
		if (!read_bound(text, dash, &first) ||
		    (dash[1] && !read_bound(dash + 1, end, &last)) ||
		    (dash[1] && last < first))
			return RANGE_ALL;
		if (first >= size)
			return RANGE_BAD;
		if (last >= size)
			last = size - 1;
	}
	*offset = first;
	*len = last - first + 1;
	return RANGE_PART;
}
