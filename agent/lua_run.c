/* run(): the one way from a script to other programs. */
#include <stdio.h>

#include "lib/text.h"

#include "agent/lua_env.h"

#define ARGS_MAX 256
#define OK_MAX 32

/* ---- run(fmt, …): one text for the shell ---- */

/* The whole directive at `at`, which points behind the "%": flags, width,
 * precision, then one letter. Its length, 0 when it is none. */
static size_t
directive_len(const char *at)
{
	size_t n = strspn(at, "-+ #0123456789.");

	return n < 16 && at[n] ? n + 1 : 0;
}

static const char *
text_arg(lua_State *L, int arg)
{
	size_t len;
	const char *text = luaL_checklstring(L, arg, &len);

	if (strlen(text) != len)
		luaL_argerror(L, arg, "has a NUL byte");
	return text;
}

/* %s becomes one word of the shell, whatever is in it. A width would pad
 * outside the quotes, so there is none. */
static void
add_text(lua_State *L, struct buf *out, int arg, size_t len)
{
	if (len != 1)
		luaL_error(L, "run: %%s takes no width");
	text_shell_quote(text_arg(L, arg), out);
}

/* As string.format writes it, which checks the directive too. */
static void
add_number(lua_State *L, struct buf *out, int arg, const char *at, size_t len)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushlstring(L, at - 1, len + 1);
	luaL_checknumber(L, arg);
	lua_pushvalue(L, arg);
	lua_call(L, 2, 1);
	buf_str(out, lua_tostring(L, -1));
	lua_pop(L, 1);
}

static size_t
add_directive(lua_State *L, struct buf *out, const char *at, int *arg, int top)
{
	size_t len = directive_len(at);

	if (*at == '%') {
		buf_char(out, '%');
		return 1;
	}
	if (len == 0 || !strchr("sdixXofgGeE", at[len - 1]))
		luaL_error(L,
			   "run: \"%%%c\" is no directive; %%s quotes a "
			   "text, %%d and %%g write numbers, %%%% is a "
			   "percent sign",
			   *at ? *at : ' ');
	if (*arg > top)
		luaL_error(L, "run: there is no argument for \"%%%c\"",
			   at[len - 1]);
	if (at[len - 1] == 's')
		add_text(L, out, (*arg)++, len);
	else
		add_number(L, out, (*arg)++, at, len);
	return len;
}

/* Into s->text. One argument is taken as it is: run('date +%s') works. */
static void
format_shell(lua_State *L, struct script *s)
{
	const char *at = text_arg(L, 1);
	int top = lua_gettop(L), arg = 2;

	s->text.len = 0;
	if (top == 1) {
		buf_str(&s->text, at);
		return;
	}
	while (*at) {
		size_t plain = strcspn(at, "%");

		buf_add(&s->text, at, plain);
		at += plain;
		if (*at == '%')
			at += 1 + add_directive(L, &s->text, at + 1, &arg, top);
	}
	if (arg <= top)
		luaL_error(L,
			   "run: %d arguments for the %d directives of "
			   "\"%s\"",
			   top - 1, arg - 2, lua_tostring(L, 1));
}

static int
finish(lua_State *L, struct script *s, struct command *c)
{
	struct err e = { 0 };
	size_t len;

	if (script_command(s, c, &e) < 0)
		return script_raise(L, &e);
	for (len = s->end.text.len; len > 0; len--)
		if (s->end.text.at[len - 1] != '\n')
			break;
	lua_pushlstring(L, buf_text(&s->end.text), len);
	lua_pushinteger(L, s->end.status);
	return 2;
}

static int
run_shell(lua_State *L, struct script *s)
{
	const char *argv[] = { "/bin/sh", "-c", NULL, NULL };
	struct command c = { .argv = argv };

	format_shell(L, s);
	argv[2] = c.shown = buf_text(&s->text);
	return finish(L, s, &c);
}

/* ---- run{…}: a program and its arguments ---- */

static size_t
take_ok(lua_State *L, int ok[OK_MAX])
{
	size_t n, i;

	if (lua_getfield(L, 1, "ok") == LUA_TNIL)
		return 0;
	luaL_checktype(L, -1, LUA_TTABLE);
	n = lua_rawlen(L, -1);
	if (n < 1 || n > OK_MAX)
		luaL_error(L, "run: ok is a list of 1 to %d exit codes",
			   OK_MAX);
	for (i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		ok[i] = (int)luaL_checkinteger(L, -1);
		lua_pop(L, 1);
	}
	return n;
}

/* A word as one would type it: quoted where the shell needs it. */
static void
add_shown(const char *word, struct buf *shown)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789_-+=./:,@%^";

	if (shown->len > 0)
		buf_char(shown, ' ');
	if (*word && word[strspn(word, plain)] == '\0')
		buf_str(shown, word);
	else
		text_shell_quote(word, shown);
}

/* The arguments stay on the Lua stack, which keeps them alive. */
static void
take_argv(lua_State *L, const char *argv[ARGS_MAX + 1], struct buf *shown)
{
	size_t n = lua_rawlen(L, 1), i;

	if (n < 1 || n > ARGS_MAX)
		luaL_error(L,
			   "run{}: a program and at most %d arguments are "
			   "wanted",
			   ARGS_MAX - 1);
	luaL_checkstack(L, (int)n + 8, NULL);
	shown->len = 0;
	for (i = 0; i < n; i++) {
		size_t len;

		lua_rawgeti(L, 1, (lua_Integer)i + 1);
		if (!lua_isstring(L, -1))
			luaL_error(L, "run{}: argument %d is a %s", (int)i,
				   luaL_typename(L, -1));
		argv[i] = lua_tolstring(L, -1, &len);
		if (strlen(argv[i]) != len)
			luaL_error(L, "run{}: argument %d has a NUL byte",
				   (int)i);
		add_shown(argv[i], shown);
	}
	argv[n] = NULL;
}

static int
run_program(lua_State *L, struct script *s)
{
	static const char *const known[] = { "ok", "input", "seconds", NULL };
	const char *argv[ARGS_MAX + 1];
	int ok[OK_MAX];
	struct command c = { .argv = argv, .ok = NULL };

	script_opt_known(L, 1, known, "run{}");
	c.ok_len = take_ok(L, ok);
	if (c.ok_len)
		c.ok = ok;
	c.input = script_opt_text(L, 1, "input");
	if (lua_getfield(L, 1, "seconds") != LUA_TNIL) {
		lua_Integer seconds = luaL_checkinteger(L, -1);

		if (seconds < 1 || seconds > 1000000)
			luaL_error(L, "run{}: seconds is 1 to 1000000");
		c.deadline_ms = (int)seconds * 1000;
	}
	take_argv(L, argv, &s->text);
	c.shown = buf_text(&s->text);
	return finish(L, s, &c);
}

static int
l_run(lua_State *L)
{
	struct script *s = script_of(L);

	if (lua_istable(L, 1))
		return run_program(L, s);
	return run_shell(L, s);
}

const luaL_Reg script_words_run[] = { { "run", l_run }, { NULL, NULL } };
