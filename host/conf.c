/* The original sourced this file as shell text. Here it is KEY=value lines,
 * with the quotes that people write. */
#include "lib/base.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/num.h"
#include "lib/text.h"

#include "host/conf.h"

#define CONF_MAX 65536

/* The value part of a line for `key`, NULL when it is another line. */
static const char *
value_part(const char *line, const char *key)
{
	size_t len = strlen(key);

	while (*line == ' ' || *line == '\t')
		line++;
	if (strncmp(line, "export ", 7) == 0)
		line += 7;
	return strncmp(line, key, len) == 0 && line[len] == '=' ? line + len + 1
								: NULL;
}

static char *
unquote(const char *value)
{
	AUTO_FREE char *copy = base_strdup(value);
	char *text = text_trim(copy);
	size_t len = strlen(text);

	if (len >= 2 && (*text == '"' || *text == '\'') &&
	    text[len - 1] == *text)
		return base_strndup(text + 1, len - 2);
	return base_strdup(text);
}

char *
conf_value(const char *text, const char *key)
{
	AUTO_FREE char *copy = base_strdup(text);
	char *at = copy, *line, *found = NULL;

	while ((line = strsep(&at, "\n"))) {
		const char *value = value_part(line, key);

		if (!value)
			continue;
		free(found);
		found = unquote(value);
	}
	return found;
}

static size_t
count_lines_of(const char *text, const char *key)
{
	AUTO_FREE char *copy = base_strdup(text);
	char *at = copy, *line;
	size_t n = 0;

	while ((line = strsep(&at, "\n")))
		n += value_part(line, key) != NULL;
	return n;
}

char *
conf_with(const char *text, const char *key, const char *value)
{
	size_t left = count_lines_of(text, key);
	bool put = left == 0;
	AUTO_FREE char *copy = base_strdup(text);
	AUTO_CLEAR(buf) out = { 0 };
	size_t len = strlen(copy);
	char *at = len ? copy : NULL, *line;

	/* the newline that ends the text opens no line of its own */
	if (len && copy[len - 1] == '\n')
		copy[len - 1] = '\0';
	while ((line = strsep(&at, "\n"))) {
		bool its = value_part(line, key) != NULL;

		if (its && --left > 0)
			continue;
		if (its)
			buf_printf(&out, "%s=%s\n", key, value);
		else
			buf_printf(&out, "%s\n", line);
	}
	if (put)
		buf_printf(&out, "%s=%s\n", key, value);
	return buf_take(&out);
}

static int
refuse(const char *key, const char *value, const char *wanted, struct err *e)
{
	if (!value)
		return err_set(e, ERR_INPUT,
			       "%s has no line %s=...: this host was not "
			       "installed by eDeploy, or the file was edited",
			       CONF_PATH, key);
	return err_set(e, ERR_INPUT, "%s: %s=%.80s: %s", CONF_PATH, key, value,
		       wanted);
}

static bool
host_ok(const char *text)
{
	return *text && *text != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
			    "WXYZ0123456789.-_:[]") == strlen(text);
}

static bool
path_ok(const char *text)
{
	return *text && *text != '-' && !strstr(text, "..") &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
			    "WXYZ0123456789.-_/+") == strlen(text);
}

static int
check(const struct conf *c, struct err *e)
{
	struct err ignored;
	uint64_t port;

	if (!c->version || !name_is_safe(c->version))
		return refuse("VERS", c->version, "not a version", e);
	if (!c->role || !name_is_safe(c->role))
		return refuse("ROLE", c->role, "not a role", e);
	if (!c->rserv || !host_ok(c->rserv))
		return refuse("RSERV", c->rserv, "not a host or address", e);
	if (!c->rserv_port ||
	    num_u64(c->rserv_port, 1, 65535, &port, "", &ignored) < 0)
		return refuse("RSERV_PORT", c->rserv_port,
			      "a number from 1 to 65535 is wanted", e);
	if (!path_ok(c->rpath))
		return refuse("RPATH", c->rpath, "not a module and path", e);
	return 0;
}

int
conf_read(struct conf *out, const char *root, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s%s", root, CONF_PATH);
	AUTO_FREE char *text = NULL;

	*out = (struct conf){ 0 };
	if (file_read(path, CONF_MAX, &text, NULL, e) < 0)
		return err_add(e, "this host's description");
	out->version = conf_value(text, "VERS");
	out->role = conf_value(text, "ROLE");
	out->rserv = conf_value(text, "RSERV");
	out->rserv_port = conf_value(text, "RSERV_PORT");
	out->rpath = conf_value(text, "RPATH");
	out->tree = conf_value(text, "TREE");
	if (!out->rserv)
		out->rserv = conf_value(text, "SERV");
	if (!out->rpath || !*out->rpath) {
		free(out->rpath);
		out->rpath = base_strdup("install");
	}
	return check(out, e);
}

void
conf_clear(struct conf *c)
{
	free(c->version);
	free(c->role);
	free(c->rserv);
	free(c->rserv_port);
	free(c->rpath);
	free(c->tree);
	*c = (struct conf){ 0 };
}

int
conf_set_version(const char *root, const char *version, struct err *e)
{
	AUTO_FREE char *path = base_printf("%s%s", root, CONF_PATH);
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *changed = NULL;

	if (file_read(path, CONF_MAX, &text, NULL, e) < 0)
		return -1;
	changed = conf_with(text, "VERS", version);
	return file_replace(path, changed, strlen(changed), 0644, e);
}
