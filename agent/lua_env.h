#ifndef AGENT_LUA_ENV_H
#define AGENT_LUA_ENV_H

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

#include "lib/base.h"
#include "lib/buf.h"

#include "agent/command.h"
#include "agent/fs.h"
#include "agent/guard.h"
#include "agent/hwid.h"
#include "agent/script.h"

/* One script while it runs. Lua errors longjmp over `cleanup`, so whatever a
 * binding needs beyond the call of one C function lives here. */
struct script {
	const struct script_env *env;
	struct script_result *result;
	const char *identity; /* the machine's, or this run's own */
	char run_identity[40];
	const char *chunk; /* "@vm.configure" */
	lua_State *lua;
	size_t used_bytes, max_bytes;
	int starved_line;    /* where memory ran out */
	int64_t end_ms;      /* 0: none */
	const char *stopped; /* why the script must end, or NULL */
	bool disks_said;

	/* Scratch of the bindings; freed with the script. */
	struct buf text, line;
	struct command_end end;
	struct guard_found found;
	struct fs_seen seen;
	struct fs_command mkfs;
	struct hwid_disk disk;
	char **names; /* of disks */
	char *word;   /* freed before it is set again */

	/* Disks that disk.label wrote in this run. */
	struct labelled {
		char *node;
		bool given; /* all that was on it may go */
	} * labelled;
	size_t labelled_len;

	/* The last error that a binding raised: kept apart from its text, for
	 * the report, as long as nothing catches it. */
	struct err why;
	char *raised;
	char *failed_command; /* NULL: no command failed */
};

struct script *script_of(lua_State *L);

/* Raise `e` at the operator's line; never returns. */
int script_raise(lua_State *L, const struct err *e);

/* Line of the configure script that is running now, 0 when none is. */
int script_line(lua_State *L, const char *chunk);

/* A formatted line for the log. */
void script_say(struct script *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Run a command for a binding: on failure the report's command, status and
 * tail are kept, and -1. s->end holds how it ended. */
int script_command(struct script *s, struct command *c, struct err *e);

/* Tick and deadline: -1 and `e` when the script must stop. */
int script_alive(struct script *s);

/* Where a place of the installed system is now: below /chroot. Owned. */
char *script_place(const struct script *s, const char *where);

/* string.format(arguments from `first` on) is pushed; raises. */
const char *script_format(lua_State *L, int first);

/* Field of the table at `index`: its text, or NULL when nil; raises when it
 * is something else. Pushed, so that it lives as long as the call. */
const char *script_opt_text(lua_State *L, int index, const char *field);
bool script_opt_flag(lua_State *L, int index, const char *field);

/* Refuse fields that no one reads: a typo in an option must not pass. */
void script_opt_known(lua_State *L, int index, const char *const known[],
		      const char *what);

/* Called as a Lua function: fills the globals of a fresh state. */
int lua_sandbox(lua_State *L);

/* The tables of words. */
extern const luaL_Reg script_words_run[], script_words_config[],
	script_words_decide[], script_words_disk[];

#endif
