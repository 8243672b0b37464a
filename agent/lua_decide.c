/* Words by which a script says what the machine becomes; they only fill the
 * result. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"
#include "lib/text.h"

#include "roots/grub.h"

#include "agent/lua_env.h"
#include "agent/words.h"

static void
set_text(char **at, const char *text)
{
	free(*at);
	*at = base_strdup(text);
}

static int
take_role(struct script_result *r, const char *role, const char *version,
	  const char *disk, struct err *e)
{
	AUTO_FREE char *node = disk[0] == '/' ? base_strdup(disk)
					      : base_printf("/dev/%s", disk);
	struct stat st;

	if (!name_is_safe(role) || !name_is_safe(version))
		return err_set(e, ERR_INPUT,
			       "set_role: role and version are names of at "
			       "most 64 letters, digits and ._-, not \"%.60s\" "
			       "and \"%.60s\"",
			       role, version);
	if (!str_starts(node, "/dev/") || strstr(node, "/../"))
		return err_set(e, ERR_INPUT,
			       "set_role: the disk is a name or a node below "
			       "/dev, not \"%.100s\"",
			       disk);
	if (stat(node, &st) < 0)
		return err_sys(e, "set_role: the disk %.100s", node);
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_INPUT, "set_role: %.100s is no disk",
			       node);
	set_text(&r->role, role);
	set_text(&r->version, version);
	set_text(&r->disk, node);
	return 0;
}

/* set_role(role, version, disk): disk is a name, a node or what disk.find
 * gave: it gets the boot loader. */
static int
l_set_role(lua_State *L)
{
	struct script *s = script_of(L);
	const char *disk;
	struct err e = { 0 };

	if (lua_istable(L, 3)) {
		lua_getfield(L, 3, "path");
		lua_replace(L, 3);
	}
	disk = luaL_checkstring(L, 3);
	if (take_role(s->result, luaL_checkstring(L, 1), luaL_checkstring(L, 2),
		      disk, &e) < 0)
		return script_raise(L, &e);
	script_say(s, "role %s %s, boot loader on %s", s->result->role,
		   s->result->version, s->result->disk);
	return 0;
}

/* tree_from('rsync') or tree_from(url): where the role's tree comes from. */
static int
l_tree_from(lua_State *L)
{
	struct script *s = script_of(L);
	const char *from = luaL_checkstring(L, 1);
	struct err e = { 0 };

	if (!str_eq(from, "rsync") && words_tree_url_check(from, &e) < 0)
		return luaL_error(L, "tree_from: 'rsync' or %s", e.text);
	set_text(&s->result->tree_from, from);
	return 0;
}

/* layout('plain' | 'versioned'): how the tree lies on the disk. */
static int
l_layout(lua_State *L)
{
	struct script *s = script_of(L);
	const char *name = luaL_checkstring(L, 1);

	if (!words_layout_ok(name))
		return luaL_error(L, "layout: 'plain' or 'versioned' is "
				     "wanted");
	set_text(&s->result->layout, name);
	return 0;
}

/* grub_options(text): words for the installed kernel's command line. */
static int
l_grub_options(lua_State *L)
{
	struct script *s = script_of(L);
	const char *text = luaL_checkstring(L, 1);
	struct err e = { 0 };

	if (grub_args_check(text, "grub_options", &e) < 0)
		return luaL_error(L, "%s", e.text);
	set_text(&s->result->grub_options, text);
	return 0;
}

/* modules(name, …): kernel modules that the installed system loads. */
static int
l_modules(lua_State *L)
{
	struct script *s = script_of(L);
	int i, top = lua_gettop(L);

	for (i = 1; i <= top; i++)
		if (!name_is_safe(luaL_checkstring(L, i)))
			return luaL_argerror(L, i, "is no name of a module");
	s->text.len = 0;
	buf_str(&s->text, s->result->modules);
	for (i = 1; i <= top; i++)
		buf_printf(&s->text, "%s\n", lua_tostring(L, i));
	set_text(&s->result->modules, buf_text(&s->text));
	return 0;
}

/* A user's name and a hash of crypt(5): neither may hold what parts fields or
 * lines of /etc/shadow. */
static bool
fits_shadow(const char *text, size_t max)
{
	const char *at;

	for (at = text; *at; at++)
		if (*at <= ' ' || *at == ':' || *at == 0x7f)
			return false;
	return at > text && (size_t)(at - text) <= max;
}

/* password(user, hash): in the role's /etc/shadow, once its tree is there. */
static int
l_password(lua_State *L)
{
	struct script *s = script_of(L);
	const char *user = luaL_checkstring(L, 1);
	const char *hash = luaL_checkstring(L, 2);

	luaL_argcheck(L, fits_shadow(user, 32), 1, "is no name of a user");
	luaL_argcheck(L, fits_shadow(hash, 256) && *hash == '$', 2,
		      "is no hash as \"openssl passwd -6\" prints it");
	s->text.len = 0;
	buf_printf(&s->text, "%s%s:%s\n", s->result->passwords, user, hash);
	set_text(&s->result->passwords, buf_text(&s->text));
	script_say(s, "password of %s", user);
	return 0;
}

/* boot_local(): this machine is installed; it boots its own disk. */
static int
l_boot_local(lua_State *L)
{
	script_of(L)->result->boot_local = true;
	return 0;
}

/* One line of the log, whatever bytes it has. */
static void
say_text(struct script *s, const char *text, size_t len)
{
	s->text.len = 0;
	text_show(text, len, 1, &s->text);
	script_say(s, "%s", buf_text(&s->text));
}

/* log(text) and log(fmt, …) as string.format has it. */
static int
l_log(lua_State *L)
{
	struct script *s = script_of(L);
	size_t len;
	const char *text;

	script_format(L, 1);
	text = lua_tolstring(L, -1, &len);
	say_text(s, text, len);
	return 0;
}

/* print(…) is Lua's own, into the log. */
static int
l_print(lua_State *L)
{
	struct script *s = script_of(L);
	int i, top = lua_gettop(L);
	luaL_Buffer b;
	size_t len;
	const char *text;

	luaL_buffinit(L, &b);
	for (i = 1; i <= top; i++) {
		if (i > 1)
			luaL_addchar(&b, ' ');
		luaL_tolstring(L, i, NULL);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	text = lua_tolstring(L, -1, &len);
	say_text(s, text, len);
	return 0;
}

const luaL_Reg script_words_decide[] = {
	{ "set_role", l_set_role },     { "tree_from", l_tree_from },
	{ "layout", l_layout },         { "grub_options", l_grub_options },
	{ "modules", l_modules },       { "password", l_password },
	{ "boot_local", l_boot_local }, { "log", l_log },
	{ "print", l_print },           { NULL, NULL }
};
