/* What the bindings share: the way from a Lua state to its script, errors
 * with the operator's line, options in tables. */
#include <stdarg.h>
#include <stdio.h>

#include "lib/clock.h"
#include "lib/text.h"

#include "agent/lua_env.h"

struct script *
script_of(lua_State *L)
{
	struct script *s;

	memcpy(&s, lua_getextraspace(L), sizeof(s));
	return s;
}

int
script_line(lua_State *L, const char *chunk)
{
	lua_Debug ar;
	int level;

	for (level = 0; lua_getstack(L, level, &ar); level++)
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0 &&
		    strcmp(ar.source, chunk) == 0)
			return ar.currentline;
	return 0;
}

int
script_raise(lua_State *L, const struct err *e)
{
	struct script *s = script_of(L);
	int line = script_line(L, s->chunk);

	if (line > 0)
		lua_pushfstring(L, "%s:%d: %s", s->chunk + 1, line, e->text);
	else
		lua_pushstring(L, e->text);
	free(s->raised);
	s->raised = base_strdup(lua_tostring(L, -1));
	s->why = *e;
	/* once it must stop, every instruction raises: a script cannot go on
	 * by catching the error */
	if (s->stopped)
		lua_sethook(L, lua_gethook(L), LUA_MASKCOUNT, 1);
	return lua_error(L);
}

void
script_say(struct script *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->env->say)
		return;
	s->line.len = 0;
	va_start(ap, fmt);
	buf_vprintf(&s->line, fmt, ap);
	va_end(ap);
	s->env->say(s->env->ctx, buf_text(&s->line));
}

int
script_alive(struct script *s)
{
	if (!s->stopped && s->env->tick && s->env->tick(s->env->ctx) != 0)
		s->stopped = "the run was cancelled";
	if (!s->stopped && s->end_ms && clock_boot_ms() >= s->end_ms)
		s->stopped = "the script took longer than its deadline";
	return s->stopped ? -1 : 0;
}

static int
tick(void *ctx)
{
	return script_alive(ctx);
}

static void
hear_output(void *ctx, const char *bytes, size_t len)
{
	const struct script *s = ctx;

	if (s->env->output)
		s->env->output(s->env->ctx, bytes, len);
}

static void
hear_line(void *ctx, const char *line)
{
	script_say(ctx, "%s", line);
}

int
script_command(struct script *s, struct command *c, struct err *e)
{
	int bad;

	if (script_alive(s) < 0)
		return err_set(e, ERR_REFUSED, "%s", s->stopped);
	c->say = hear_line;
	c->output = hear_output;
	c->tick = tick;
	c->ctx = s;
	command_end_clear(&s->end);
	bad = command_run(c, &s->end, e);
	free(s->failed_command);
	s->failed_command = bad ? base_strdup(c->shown) : NULL;
	if (bad && s->stopped)
		return err_set(e, ERR_REFUSED, "%s", s->stopped);
	return bad;
}

char *
script_place(const struct script *s, const char *where)
{
	return base_printf("%s%s", s->env->chroot,
			   strcmp(where, "/") == 0 ? "" : where);
}

const char *
script_format(lua_State *L, int first)
{
	int top = lua_gettop(L), i;

	luaL_checkstring(L, first);
	if (top == first)
		return lua_tostring(L, first);
	lua_pushvalue(L, lua_upvalueindex(1)); /* string.format */
	for (i = first; i <= top; i++)
		lua_pushvalue(L, i);
	lua_call(L, top - first + 1, 1);
	return lua_tostring(L, -1);
}

const char *
script_opt_text(lua_State *L, int index, const char *field)
{
	if (lua_isnoneornil(L, index))
		return NULL;
	luaL_checktype(L, index, LUA_TTABLE);
	if (lua_getfield(L, index, field) == LUA_TNIL)
		return NULL;
	if (!lua_isstring(L, -1))
		luaL_error(L, "%s: text is wanted, not a %s", field,
			   luaL_typename(L, -1));
	return lua_tostring(L, -1);
}

bool
script_opt_flag(lua_State *L, int index, const char *field)
{
	bool flag;

	if (lua_isnoneornil(L, index))
		return false;
	luaL_checktype(L, index, LUA_TTABLE);
	if (lua_getfield(L, index, field) != LUA_TNIL && !lua_isboolean(L, -1))
		luaL_error(L, "%s: true or false is wanted, not a %s", field,
			   luaL_typename(L, -1));
	flag = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return flag;
}

void
script_opt_known(lua_State *L, int index, const char *const known[],
		 const char *what)
{
	size_t i;

	if (lua_isnoneornil(L, index))
		return;
	luaL_checktype(L, index, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		for (i = 0; known[i]; i++)
			if (strcmp(known[i], lua_tostring(L, -2)) == 0)
				break;
		if (!known[i])
			luaL_error(L, "%s has no option '%s'", what,
				   lua_tostring(L, -2));
	}
}
