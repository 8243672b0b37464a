/* What a script sees: the parts of Lua that cannot lead around the words of
 * docs/lua.md, and those words. It is no wall against an operator, who may run
 * any command: it keeps a script from what would hang or end the agent. */
#include <lualib.h>

#include "agent/lua_env.h"

static void
keep_only(lua_State *L, const char *library, const char *const names[])
{
	size_t i;

	lua_getglobal(L, library);
	lua_newtable(L);
	for (i = 0; names[i]; i++) {
		lua_getfield(L, -2, names[i]);
		lua_setfield(L, -2, names[i]);
	}
	lua_setglobal(L, library);
	lua_pop(L, 1);
}

static void
drop(lua_State *L, const char *library, const char *name)
{
	lua_getglobal(L, library);
	lua_pushnil(L);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* load(chunk [, name [, mode [, env]]]), text only: bytecode that is not the
 * compiler's own can break the interpreter. */
static int
l_load(lua_State *L)
{
	int top = lua_gettop(L), i;

	if (top < 2) {
		lua_settop(L, 2);
		top = 2;
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	for (i = 1; i <= top; i++) {
		if (i == 3)
			lua_pushliteral(L, "t");
		else
			lua_pushvalue(L, i);
	}
	if (top == 2)
		lua_pushliteral(L, "t");
	lua_call(L, top == 2 ? 3 : top, LUA_MULTRET);
	return lua_gettop(L) - top;
}

/* setmetatable() without __gc: finalizers run where no hook can end them. */
static int
l_setmetatable(lua_State *L)
{
	if (lua_istable(L, 2)) {
		lua_pushliteral(L, "__gc");
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "setmetatable: __gc is not "
					     "available here");
		lua_pop(L, 1);
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 1);
	return 1;
}

static void
wrap(lua_State *L, const char *name, lua_CFunction by)
{
	lua_getglobal(L, name);
	lua_pushcclosure(L, by, 1);
	lua_setglobal(L, name);
}

static void
open_libraries(lua_State *L)
{
	static const luaL_Reg libraries[] = {
		{ LUA_GNAME, luaopen_base },
		{ LUA_STRLIBNAME, luaopen_string },
		{ LUA_TABLIBNAME, luaopen_table },
		{ LUA_MATHLIBNAME, luaopen_math },
		{ LUA_UTF8LIBNAME, luaopen_utf8 },
		{ LUA_IOLIBNAME, luaopen_io },
		{ LUA_OSLIBNAME, luaopen_os },
	};
	static const char *const io[] = { "open", "lines", NULL };
	static const char *const os[] = { "time", "date", "getenv", NULL };
	size_t i;

	for (i = 0; i < ARRAY_LEN(libraries); i++) {
		luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
		lua_pop(L, 1);
	}
	/* io.lines() without a name reads the default input: not a console */
	lua_getglobal(L, LUA_IOLIBNAME);
	lua_getfield(L, -1, "input");
	lua_pushliteral(L, "/dev/null");
	lua_call(L, 1, 0);
	lua_pop(L, 1);
	keep_only(L, LUA_IOLIBNAME, io);
	keep_only(L, LUA_OSLIBNAME, os);
	drop(L, LUA_GNAME, "dofile");
	drop(L, LUA_GNAME, "loadfile");
	drop(L, LUA_GNAME, "warn");
	drop(L, LUA_STRLIBNAME, "dump");
	wrap(L, "load", l_load);
	wrap(L, "setmetatable", l_setmetatable);
}

/* Every word gets string.format and table.sort as upvalues: a script may
 * change the tables they come from. */
static void
add_words(lua_State *L, const luaL_Reg *words)
{
	lua_getglobal(L, LUA_STRLIBNAME);
	lua_getfield(L, -1, "format");
	lua_remove(L, -2);
	lua_getglobal(L, LUA_TABLIBNAME);
	lua_getfield(L, -1, "sort");
	lua_remove(L, -2);
	luaL_setfuncs(L, words, 2);
}

int
lua_sandbox(lua_State *L)
{
	open_libraries(L);
	lua_pushglobaltable(L);
	add_words(L, script_words_run);
	add_words(L, script_words_config);
	add_words(L, script_words_decide);
	lua_newtable(L);
	add_words(L, script_words_disk);
	lua_setfield(L, -2, "disk");
	lua_newtable(L);
	lua_setfield(L, -2, "var");
	return 0;
}
