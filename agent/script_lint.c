/* Checking a configure script without running it: Lua's own compiler for the
 * syntax, and a reader of its tokens for the names of `var`. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "lib/cmd.h"
#include "lib/file.h"

#include "agent/script.h"
#include "agent/script_lint.h"

#define NAMES_MAX 10000

/* ---- tokens ---- */

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_TEXT, TOKEN_SIGN };

/* A name or a text's inside, escapes as written; a sign is one byte,
 * or a run of dots. */
struct token {
	enum token_kind kind;
	const char *at;
	size_t len;
};

struct reader {
	const char *at, *end;
};

static int
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/* Level of a long bracket "[[", "[=[" at `at`, -1 when it is none. */
static int
long_level(const char *at, const char *end)
{
	const char *from = at + 1;

	if (at >= end || *at != '[')
		return -1;
	while (from < end && *from == '=')
		from++;
	return from < end && *from == '[' ? (int)(from - at - 1) : -1;
}

/* Past a long bracket; its inside into `t`. */
static void
read_long(struct reader *r, int level, struct token *t)
{
	const char *from = r->at + level + 2, *at;

	for (at = from; at < r->end; at++) {
		const char *close = at + 1;

		if (*at != ']')
			continue;
		while (close < r->end && *close == '=')
			close++;
		if (close < r->end && *close == ']' &&
		    close - at - 1 == level) {
			*t = (struct token){ TOKEN_TEXT, from,
					     (size_t)(at - from) };
			r->at = close + 1;
			return;
		}
	}
	*t = (struct token){ TOKEN_END, r->end, 0 };
	r->at = r->end;
}

static void
skip_comment(struct reader *r)
{
	struct token ignored;
	int level;

	r->at += 2;
	level = long_level(r->at, r->end);
	if (level >= 0) {
		read_long(r, level, &ignored);
		return;
	}
	while (r->at < r->end && *r->at != '\n')
		r->at++;
}

static void
skip_blanks(struct reader *r)
{
	while (r->at < r->end) {
		if (strchr(" \t\r\n\f\v", *r->at) && *r->at)
			r->at++;
		else if (r->end - r->at >= 2 && r->at[0] == '-' &&
			 r->at[1] == '-')
			skip_comment(r);
		else
			return;
	}
}

static void
read_quoted(struct reader *r, struct token *t)
{
	char quote = *r->at++;
	const char *from = r->at;

	while (r->at < r->end && *r->at != quote && *r->at != '\n')
		r->at += *r->at == '\\' && r->end - r->at > 1 ? 2 : 1;
	*t = (struct token){ TOKEN_TEXT, from, (size_t)(r->at - from) };
	if (r->at < r->end)
		r->at++;
}

static struct token
next_token(struct reader *r)
{
	struct token t = { TOKEN_END, r->end, 0 };
	int level;

	skip_blanks(r);
	if (r->at >= r->end)
		return t;
	level = long_level(r->at, r->end);
	if (level >= 0) {
		read_long(r, level, &t);
	} else if (*r->at == '"' || *r->at == '\'') {
		read_quoted(r, &t);
	} else if (is_name_char(*r->at)) {
		t = (struct token){ TOKEN_NAME, r->at, 0 };
		while (r->at < r->end && is_name_char(*r->at))
			r->at++;
		t.len = (size_t)(r->at - t.at);
	} else {
		/* ".." joins texts, "." names a member */
		t = (struct token){ TOKEN_SIGN, r->at++, 1 };
		while (*t.at == '.' && r->at < r->end && *r->at == '.')
			r->at++, t.len++;
	}
	return t;
}

static int
is_sign(const struct token *t, char c)
{
	return t->kind == TOKEN_SIGN && t->len == 1 && *t->at == c;
}

/* ---- names of var ---- */

static void
add_name(struct value *names, const struct token *t)
{
	AUTO_FREE char *name = base_strndup(t->at, t->len);
	size_t i;

	for (i = 0; i < names->list.len; i++)
		if (str_eq(names->list.at[i]->str.at, name))
			return;
	if (names->list.len < NAMES_MAX)
		value_push(names, value_str(name));
}

static int
by_text(const void *a, const void *b)
{
	const struct value *const *x = a, *const *y = b;

	return strcmp((*x)->str.at, (*y)->str.at);
}

/* Behind `var`: ".NAME" or "['NAME']". */
static void
take_member(struct reader *r, struct value *names)
{
	struct reader back = *r;
	struct token t = next_token(r), name;

	if (is_sign(&t, '.')) {
		name = next_token(r);
		if (name.kind == TOKEN_NAME) {
			add_name(names, &name);
			return;
		}
	} else if (is_sign(&t, '[')) {
		name = next_token(r);
		t = next_token(r);
		if (name.kind == TOKEN_TEXT && is_sign(&t, ']')) {
			add_name(names, &name);
			return;
		}
	}
	*r = back;
}

struct value *
script_vars(const char *text, size_t len)
{
	struct reader r = { text, text + len };
	struct value *names = value_list();
	struct token t, before = { TOKEN_SIGN, ";", 1 };

	for (t = next_token(&r); t.kind != TOKEN_END; t = next_token(&r)) {
		if (t.kind == TOKEN_NAME && t.len == 3 &&
		    memcmp(t.at, "var", 3) == 0 && !is_sign(&before, '.') &&
		    !is_sign(&before, ':'))
			take_member(&r, names);
		before = t;
	}
	if (names->list.len > 1)
		qsort(names->list.at, names->list.len, sizeof(*names->list.at),
		      by_text);
	return names;
}

/* ---- compile ---- */

int
script_compile(const char *name, const char *text, size_t len, int *line,
	       struct err *e)
{
	AUTO_FREE char *chunk = base_printf("@%s", name);
	lua_State *L = luaL_newstate();
	const char *said;
	int bad;

	*line = 0;
	if (!L)
		return err_set(e, ERR_SYS, "no memory for Lua");
	bad = luaL_loadbufferx(L, text, len, chunk, "t") != LUA_OK;
	if (bad) {
		said = lua_tostring(L, -1);
		err_set(e, ERR_INPUT, "%s", said);
		if (str_starts(said, name) && said[strlen(name)] == ':')
			*line = (int)strtol(said + strlen(name) + 1, NULL, 10);
	}
	lua_close(L);
	return bad ? -1 : 0;
}

/* ---- the subcommand ---- */

static void
print_json(const char *path, struct value *vars, int bad, int line,
	   const struct err *e)
{
	struct value *all = value_dict();
	AUTO_CLEAR(buf) out = { 0 };

	value_set_str(all, "file", path);
	value_set(all, "ok", value_bool(!bad));
	if (bad) {
		value_set_str(all, "error", e->text);
		value_set_int(all, "line", line);
	}
	value_set(all, "vars", value_copy(vars));
	value_json(all, 2, &out);
	printf("%s\n", buf_text(&out));
	value_free(all);
}

static void
print_plain(const char *path, const struct value *vars, int bad,
	    const struct err *e)
{
	size_t i;

	if (bad) {
		fprintf(stderr, "%s\n", e->text);
		return;
	}
	printf("%s: good Lua\n", path);
	for (i = 0; i < vars->list.len; i++)
		printf("uses var.%s\n", vars->list.at[i]->str.at);
}

static int
lint(const char *path, int json)
{
	__attribute__((cleanup(value_freep))) struct value *vars = NULL;
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *text = NULL;
	struct err e = { 0 };
	int line = 0, bad;
	size_t len = 0;

	if (file_read(path, SCRIPT_MAX_BYTES, &text, &len, &e) < 0) {
		fprintf(stderr, "edeploy-agent: %s\n", e.text);
		return CMD_FAILED;
	}
	bad = script_compile(slash ? slash + 1 : path, text, len, &line, &e);
	vars = script_vars(text, len);
	if (json)
		print_json(path, vars, bad, line, &e);
	else
		print_plain(path, vars, bad, &e);
	return bad ? CMD_FAILED : CMD_DONE;
}

int
lint_main(int argc, char **argv)
{
	const char *path = NULL;
	int json = 0, i;

	for (i = 1; i < argc; i++) {
		if (str_eq(argv[i], "--json"))
			json = 1;
		else if (!path && argv[i][0] != '-')
			path = argv[i];
		else
			path = NULL, i = argc;
	}
	if (path)
		return lint(path, json);
	fprintf(stderr, "usage: edeploy-agent lint FILE [--json]\n");
	return CMD_USAGE;
}
