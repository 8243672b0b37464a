/* Prints every name that a configure script finds: "run", "disk.label". */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "agent/lua_env.h"
#include "lib/base.h"

/* Of the table on top of the stack. */
static void
print_names(lua_State *L, const char *before)
{
	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
		AUTO_FREE char *inside = NULL;

		if (lua_type(L, -2) != LUA_TSTRING ||
		    str_eq(lua_tostring(L, -2), "_G"))
			continue;
		printf("%s%s\n", before, lua_tostring(L, -2));
		if (!lua_istable(L, -1) || *before)
			continue;
		inside = base_printf("%s.", lua_tostring(L, -2));
		print_names(L, inside);
	}
}

int
main(void)
{
	lua_State *L = luaL_newstate();

	if (!L || lua_sandbox(L) != 0)
		return 1;
	lua_pushglobaltable(L);
	print_names(L, "");
	lua_close(L);
	return 0;
}
