/* Files of the machine: config(), template(), inject_facts(). They are written
 * below /post_rsync and come over the tree when it is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/num.h"

#include "agent/lua_env.h"

#define ID_MAX 4294967294LL

struct look {
	mode_t mode;
	lua_Integer uid, gid;
	bool append;
};

/* Mode as in chmod(1): '0640', and the number 640 or 0640, which Lua reads as
 * decimal 640: it has no octal numbers, so digits are taken as they look. */
static mode_t
take_mode(lua_State *L, int index)
{
	char *end;
	const char *text;
	unsigned long mode;

	if (lua_getfield(L, index, "mode") == LUA_TNIL)
		return 0644;
	text = lua_isstring(L, -1) ? lua_tostring(L, -1) : "";
	mode = strtoul(text, &end, 8);
	if (*text < '0' || *text > '7' || *end || mode > 07777)
		luaL_error(L, "config: mode is octal digits as in chmod, "
			      "'0644'");
	return (mode_t)mode;
}

static lua_Integer
take_id(lua_State *L, int index, const char *field)
{
	lua_Integer id;

	if (lua_getfield(L, index, field) == LUA_TNIL)
		return 0;
	id = luaL_checkinteger(L, -1);
	if (id < 0 || id > ID_MAX)
		luaL_error(L, "config: %s is a number from 0 on", field);
	return id;
}

static struct look
take_look(lua_State *L, int index)
{
	static const char *const known[] = { "mode", "uid", "gid", "append",
					     NULL };
	struct look look = { 0644, 0, 0, false };

	if (lua_isnoneornil(L, index))
		return look;
	script_opt_known(L, index, known, "config");
	look.mode = take_mode(L, index);
	look.uid = take_id(L, index, "uid");
	look.gid = take_id(L, index, "gid");
	look.append = script_opt_flag(L, index, "append");
	return look;
}

/* An absolute path without "..": what is below /post_rsync stays there. */
static int
check_path(const char *path, struct err *e)
{
	const char *at;

	if (path[0] != '/' || str_ends(path, "/"))
		return err_set(e, ERR_INPUT,
			       "config: \"%.100s\" is no absolute path of a "
			       "file",
			       path);
	for (at = path; (at = strstr(at, "..")); at += 2)
		if (at[-1] == '/' && (at[2] == '/' || !at[2]))
			return err_set(e, ERR_INPUT,
				       "config: \"%.100s\" has \"..\" in it",
				       path);
	return 0;
}

/* O_NOFOLLOW: a link that the script left there must not lead outside. */
static int
open_file(struct script *s, const char *path, const struct look *look,
	  struct err *e)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	char *slash;
	int fd;

	if (check_path(path, e) < 0)
		return -1;
	free(s->word);
	s->word = base_printf("%s%s", s->env->post_rsync, path);
	slash = strrchr(s->word, '/');
	*slash = '\0';
	if (dir_make(s->word, 0755, e) < 0)
		return -1;
	*slash = '/';
	fd = open(s->word, flags | (look->append ? O_APPEND : O_TRUNC), 0600);
	if (fd < 0)
		return err_sys(e, "config: %s", s->word);
	if (fchown(fd, (uid_t)look->uid, (gid_t)look->gid) < 0 ||
	    fchmod(fd, look->mode) < 0) {
		err_sys(e, "config: %s", s->word);
		close(fd);
		return -1;
	}
	return fd;
}

static int
close_file(lua_State *L)
{
	luaL_Stream *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);

	return luaL_fileresult(L, fclose(file->f) == 0, NULL);
}

/* config(path, nil, opts): a file as io.open gives it. */
static int
give_file(lua_State *L, struct script *s, const char *path,
	  const struct look *look)
{
	luaL_Stream *file = lua_newuserdata(L, sizeof(*file));
	struct err e = { 0 };
	int fd;

	file->closef = NULL; /* closed, for the collector, until it is open */
	luaL_setmetatable(L, LUA_FILEHANDLE);
	fd = open_file(s, path, look, &e);
	if (fd < 0)
		return script_raise(L, &e);
	file->f = fdopen(fd, look->append ? "a" : "w");
	if (!file->f) {
		close(fd);
		return luaL_error(L, "config: out of memory");
	}
	file->closef = close_file;
	return 1;
}

static int
write_file(struct script *s, const char *path, const struct look *look,
	   const char *text, size_t len, struct err *e)
{
	AUTO_CLOSE int fd = open_file(s, path, look, e);

	if (fd < 0)
		return -1;
	if (fd_write_all(fd, text, len, e) < 0)
		return err_add(e, "config: %s", path);
	return 0;
}

static int
l_config(lua_State *L)
{
	struct script *s = script_of(L);
	const char *path = luaL_checkstring(L, 1), *text;
	struct look look = take_look(L, 3);
	struct err e = { 0 };
	size_t len;

	script_say(s, "config %s", path);
	if (lua_isnoneornil(L, 2))
		return give_file(L, s, path, &look);
	text = luaL_checklstring(L, 2, &len);
	if (write_file(s, path, &look, text, len, &e) < 0)
		return script_raise(L, &e);
	return 0;
}

/* ---- template ---- */

/* Push what `name` is in the table at 2: text or a number, or raise. */
static const char *
lookup(lua_State *L, const char *name, size_t len, size_t *value_len)
{
	lua_pushlstring(L, name, len);
	lua_pushvalue(L, -1);
	lua_gettable(L, 2);
	if (lua_isnil(L, -1))
		luaL_error(L, "template: nothing is called '%s'",
			   lua_tostring(L, -2));
	if (!lua_isstring(L, -1))
		luaL_error(L, "template: '%s' is a %s, not a text",
			   lua_tostring(L, -2), luaL_typename(L, -1));
	return lua_tolstring(L, -1, value_len);
}

/* template(text [, table]): ${name} is replaced; "$${" is a plain "${". */
static int
l_template(lua_State *L)
{
	struct script *s = script_of(L);
	const char *text = luaL_checkstring(L, 1), *at, *end;

	if (lua_isnoneornil(L, 2)) {
		lua_settop(L, 1);
		lua_getglobal(L, "var");
	}
	luaL_checktype(L, 2, LUA_TTABLE);
	s->text.len = 0;
	while ((at = strstr(text, "${"))) {
		const char *value;
		size_t len;

		buf_add(&s->text, text, (size_t)(at - text));
		if (at > text && at[-1] == '$') {
			buf_char(&s->text, '{');
			text = at + 2;
			continue;
		}
		end = strchr(at, '}');
		if (!end)
			luaL_error(L, "template: \"${\" without its \"}\"");
		value = lookup(L, at + 2, (size_t)(end - at - 2), &len);
		buf_add(&s->text, value, len);
		lua_pop(L, 2);
		text = end + 1;
	}
	buf_str(&s->text, text);
	lua_pushlstring(L, buf_text(&s->text), s->text.len);
	return 1;
}

/* ---- inject_facts ---- */

/* A text as YAML's double-quoted scalar, which any byte survives. */
static void
yaml_quote(const char *text, struct buf *out)
{
	const char *at;

	buf_char(out, '"');
	for (at = text; *at; at++) {
		unsigned char c = (unsigned char)*at;

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_char(out, *at);
	}
	buf_char(out, '"');
}

static void
yaml_value(lua_State *L, struct buf *out)
{
	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
		yaml_quote(lua_tostring(L, -1), out);
		break;
	case LUA_TNUMBER:
	case LUA_TBOOLEAN:
		buf_str(out, luaL_tolstring(L, -1, NULL));
		lua_pop(L, 1);
		break;
	default:
		luaL_error(L, "inject_facts: '%s' is a %s", lua_tostring(L, -2),
			   luaL_typename(L, -1));
	}
}

/* Push the table's names, sorted, so that the file is the same each time. */
static void
push_sorted_names(lua_State *L, int table)
{
	lua_Integer n = 0;

	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "inject_facts: a name is a %s",
				   luaL_typename(L, -2));
		lua_pushvalue(L, -2);
		lua_rawseti(L, -4, ++n);
	}
	lua_pushvalue(L, lua_upvalueindex(2)); /* table.sort */
	lua_pushvalue(L, -2);
	lua_call(L, 1, 0);
}

/* inject_facts(table [, {prefix=}]): facts for Facter, and so for Puppet. */
static int
l_inject_facts(lua_State *L)
{
	static const char *const known[] = { "prefix", NULL };
	static const struct look look = { 0644, 0, 0, false };
	struct script *s = script_of(L);
	struct err e = { 0 };
	const char *prefix;
	lua_Integer i, n;
	int names;

	luaL_checktype(L, 1, LUA_TTABLE);
	script_opt_known(L, 2, known, "inject_facts");
	prefix = script_opt_text(L, 2, "prefix");
	push_sorted_names(L, 1);
	names = lua_gettop(L);
	n = (lua_Integer)lua_rawlen(L, names);
	s->text.len = 0;
	buf_str(&s->text, "---\n");
	for (i = 1; i <= n; i++) {
		lua_rawgeti(L, names, i);
		s->line.len = 0;
		buf_printf(&s->line, "%s%s", prefix ? prefix : "hw_",
			   lua_tostring(L, -1));
		yaml_quote(buf_text(&s->line), &s->text);
		buf_str(&s->text, ": ");
		lua_pushvalue(L, -1);
		lua_gettable(L, 1);
		yaml_value(L, &s->text);
		buf_char(&s->text, '\n');
		lua_pop(L, 2);
	}
	if (write_file(s, "/etc/facter/facts.d/edeploy.yaml", &look,
		       buf_text(&s->text), s->text.len, &e) < 0)
		return script_raise(L, &e);
	return 0;
}

const luaL_Reg script_words_config[] = { { "config", l_config },
					 { "template", l_template },
					 { "inject_facts", l_inject_facts },
					 { NULL, NULL } };
