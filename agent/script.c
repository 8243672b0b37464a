/* The fence of Lua: a state with the words of docs/lua.md and nothing that
 * leads around them, a cap on its memory, a hook that ends it, and one way
 * out for errors, with the operator's own line. The words are in lua_*.c. */
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/text.h"

#include "agent/lua_env.h"
#include "agent/script.h"

#define HOOK_EVERY 10000 /* instructions */
#define HEADER_LINES 3
#define HEADER_FIRST "-- EDEPLOY_PROFILE = "
#define HEADER_THIRD "-- EDEPLOY_CONFIGURE = "

/* ---- memory and time ---- */

static void *
give_memory(void *ctx, void *old, size_t old_size, size_t size)
{
	struct script *s = ctx;
	size_t had = old ? old_size : 0;

	if (size == 0) {
		free(old);
		s->used_bytes -= had;
		return NULL;
	}
	if (size > had && size - had > s->max_bytes - s->used_bytes) {
		/* getinfo takes no memory, and the stack is whole here */
		if (s->lua)
			s->starved_line = script_line(s->lua, s->chunk);
		return NULL;
	}
	s->used_bytes = s->used_bytes - had + size;
	return base_resize(old, size, 1);
}

static void
look_at_time(lua_State *L, lua_Debug *ar)
{
	struct script *s = script_of(L);
	struct err e = { 0 };

	(void)ar;
	if (script_alive(s) == 0)
		return;
	err_set(&e, ERR_REFUSED, "%s", s->stopped);
	script_raise(L, &e);
}

/* ---- errors ---- */

/* Message handler: where it happened, while the stack is still there. */
static int
note_place(lua_State *L)
{
	struct script *s = script_of(L);
	struct script_failure *f = &s->result->failure;
	const char *text;
	char *at, *line;

	f->line = script_line(L, s->chunk);
	text = luaL_tolstring(L, 1, NULL);
	if (s->raised && strcmp(s->raised, text) != 0) {
		free(s->raised);
		s->raised = NULL;
	}
	luaL_traceback(L, L, NULL, 1);
	s->text.len = 0;
	buf_str(&s->text, lua_tostring(L, -1));
	for (at = s->text.at; (line = strsep(&at, "\n"));) {
		while (*line == '\t')
			line++;
		/* only the operator's own lines help */
		if (str_starts(line, s->chunk + 1))
			script_say(s, "  at %s", line);
	}
	lua_pop(L, 1);
	return 1;
}

/* The report gets command, status and tail only of the command whose error
 * nobody caught. */
static void
note_command(struct script *s)
{
	struct script_failure *f = &s->result->failure;

	if (!s->failed_command || s->stopped)
		return;
	f->command = STEAL(s->failed_command);
	f->status = s->end.status;
	f->tail = base_strdup(buf_text(&s->end.tail));
}

/* A failed call's error value becomes `e`. */
static int
take_error(struct script *s, int status, struct err *e)
{
	struct script_failure *f = &s->result->failure;
	AUTO_CLEAR(buf) shown = { 0 };
	enum err_kind kind = ERR_INPUT;
	const char *text = lua_tostring(s->lua, -1);

	if (status == LUA_ERRMEM) {
		f->line = s->starved_line;
		text = "the script wants more memory than it may have";
	} else if (!text) {
		text = "an error without a text";
	} else if (s->raised && strcmp(s->raised, text) == 0) {
		kind = s->why.kind;
		note_command(s);
	}
	if (s->stopped)
		kind = ERR_REFUSED;
	f->file = base_strdup(s->chunk + 1);
	text_show(text, strlen(text), 1, &shown);
	if (f->line > 0 && !str_starts(buf_text(&shown), s->chunk + 1))
		return err_set(e, kind, "%s:%d: %s", s->chunk + 1, f->line,
			       buf_text(&shown));
	return err_set(e, kind, "%s", buf_text(&shown));
}

/* "vm.configure:7: …" of the compiler. */
static void
note_syntax_line(struct script *s)
{
	const char *text = lua_tostring(s->lua, -1);
	size_t len = strlen(s->chunk + 1);

	if (text && strncmp(text, s->chunk + 1, len) == 0 && text[len] == ':')
		s->result->failure.line = (int)strtol(text + len + 1, NULL, 10);
}

static int
run_chunk(struct script *s, const char *chunk, const char *text, size_t len,
	  struct err *e)
{
	int status;

	s->chunk = chunk;
	lua_pushcfunction(s->lua, note_place);
	status = luaL_loadbufferx(s->lua, text, len, chunk, "t");
	if (status != LUA_OK) {
		note_syntax_line(s);
		return take_error(s, status, e);
	}
	status = lua_pcall(s->lua, 0, 0, -2);
	if (status != LUA_OK)
		return take_error(s, status, e);
	lua_settop(s->lua, 0);
	return 0;
}

/* ---- the text that came ---- */

/* Length of the header's lines; 0 when the text has none. */
static size_t
header_len(const char *text, size_t len, const char **third)
{
	const char *at = text, *end = text + len, *line = text;
	int i;

	if (len < strlen(HEADER_FIRST) ||
	    memcmp(text, HEADER_FIRST, strlen(HEADER_FIRST)) != 0)
		return 0;
	for (i = 0; i < HEADER_LINES; i++) {
		line = at;
		at = memchr(at, '\n', (size_t)(end - at));
		if (!at)
			return 0;
		at++;
	}
	*third = line;
	return (size_t)(at - text);
}

/* The operator's file name out of line 3; NULL when it is not that line. */
static char *
chunk_name(const char *third)
{
	AUTO_FREE char *name = NULL;

	if (!str_starts(third, HEADER_THIRD))
		return NULL;
	third += strlen(HEADER_THIRD);
	name = base_strndup(third, strcspn(third, "\r\n"));
	return name_is_safe(name) ? base_printf("@%s", name) : NULL;
}

static int
run_text(struct script *s, const char *name, const char *text, size_t len,
	 struct err *e)
{
	AUTO_FREE char *chunk = NULL;
	const char *third = NULL;
	size_t head = header_len(text, len, &third);
	int bad;

	if (head > 0) {
		chunk = chunk_name(third);
		if (!chunk)
			return err_set(e, ERR_INPUT,
				       "%s: line 3 does not name the "
				       "configure script",
				       name);
		if (run_chunk(s, "@header", text, head, e) < 0)
			return -1;
	} else {
		chunk = base_printf("@%s", name);
	}
	bad = run_chunk(s, chunk, text + head, len - head, e);
	s->chunk = "@script";
	return bad;
}

/* ---- the end ---- */

static char *
var_text(lua_State *L, const char *name)
{
	char *text = NULL;

	if (lua_getglobal(L, "var") == LUA_TTABLE) {
		lua_pushstring(L, name);
		if (lua_rawget(L, -2) == LUA_TSTRING)
			text = base_strdup(lua_tostring(L, -1));
	}
	lua_settop(L, 0);
	return text;
}

static int
check_end(struct script *s, const char *name, struct err *e)
{
	struct script_result *r = s->result;

	/* pushing two short names can fail only when memory is at its cap */
	s->max_bytes += 65536;
	r->profile = var_text(s->lua, "edeploy-profile");
	r->metadata_url = var_text(s->lua, "metadata_url");
	if (r->boot_local)
		return 0;
	if (!r->role)
		return err_set(e, ERR_INPUT,
			       "%s: the script ended without "
			       "set_role(role, version, disk)",
			       name);
	if (guard_boot(r->disk, s->env->chroot, s->identity, e) < 0)
		return err_add(e, "%s", name);
	return 0;
}

/* What disk.mount mounted, the last first. */
static void
leave_mounts(struct script *s)
{
	const struct script_result *r = s->result;
	struct err e = { 0 };
	size_t i;

	for (i = r->mounts_len; i-- > 0;) {
		const char *where = r->mounts[i].where;
		AUTO_FREE char *dir = script_place(s, where);

		if (where[0] == '/' && fs_umount(dir, &e) < 0)
			script_say(s, "%s", e.text);
	}
}

static void
clear(struct script *s)
{
	size_t i;

	if (s->lua)
		lua_close(s->lua);
	buf_clear(&s->text);
	buf_clear(&s->line);
	command_end_clear(&s->end);
	guard_found_clear(&s->found);
	fs_seen_clear(&s->seen);
	hwid_disk_clear(&s->disk);
	names_free(s->names);
	free(s->word);
	for (i = 0; i < s->labelled_len; i++)
		free(s->labelled[i].node);
	free(s->labelled);
	free(s->raised);
	free(s->failed_command);
}

static int
open_state(struct script *s, struct err *e)
{
	s->lua = lua_newstate(give_memory, s);
	if (!s->lua)
		return err_set(e, ERR_SYS, "no memory for the script");
	memcpy(lua_getextraspace(s->lua), &s, sizeof(s));
	lua_pushcfunction(s->lua, lua_sandbox);
	if (lua_pcall(s->lua, 0, 0, 0) != LUA_OK)
		return take_error(s, LUA_ERRRUN, e);
	lua_sethook(s->lua, look_at_time, LUA_MASKCOUNT, HOOK_EVERY);
	return 0;
}

static void
prepare(struct script *s)
{
	const struct script_env *env = s->env;

	s->max_bytes =
		env->memory_bytes ? env->memory_bytes : SCRIPT_MEMORY_BYTES;
	if (env->deadline_ms > 0)
		s->end_ms = clock_boot_ms() + env->deadline_ms;
	s->identity = env->identity;
	if (!s->identity || !*s->identity) {
		/* what this run itself leaves is still known to it */
		token_make(s->run_identity);
		s->identity = s->run_identity;
	}
	s->result->grub_options = base_strdup("");
	s->result->modules = base_strdup("");
	s->result->passwords = base_strdup("");
}

int
script_run(const struct script_env *env, const char *name, const char *text,
	   size_t len, struct script_result *out, struct err *e)
{
	struct script s = { .env = env, .result = out, .chunk = "@script" };
	int bad;

	*out = (struct script_result){ 0 };
	if (len > SCRIPT_MAX_BYTES)
		return err_set(e, ERR_INPUT, "%s: larger than %u bytes", name,
			       SCRIPT_MAX_BYTES);
	prepare(&s);
	bad = open_state(&s, e) < 0 || run_text(&s, name, text, len, e) < 0 ||
	      check_end(&s, name, e) < 0;
	if (bad)
		leave_mounts(&s);
	clear(&s);
	return bad ? -1 : 0;
}

void
script_result_clear(struct script_result *r)
{
	size_t i;

	for (i = 0; i < r->mounts_len; i++) {
		free(r->mounts[i].node);
		free(r->mounts[i].where);
		free(r->mounts[i].fstype);
		free(r->mounts[i].options);
		free(r->mounts[i].uuid);
	}
	free(r->mounts);
	free(r->role);
	free(r->version);
	free(r->disk);
	free(r->profile);
	free(r->metadata_url);
	free(r->tree_from);
	free(r->layout);
	free(r->grub_options);
	free(r->modules);
	free(r->passwords);
	free(r->failure.command);
	free(r->failure.tail);
	free(r->failure.file);
	*r = (struct script_result){ 0 };
}
