/* Which disks there are, and which one is meant: disk.list, disk.find, and
 * the disk arguments of the other words. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/file.h"

#include "agent/guard_use.h"
#include "agent/lua_disk.h"

#define GB 1e9

/* A word of sysfs for a disk, in s->word; NULL when there is none. */
static const char *
sysfs_word(struct script *s, const char *name, const char *file)
{
	AUTO_FREE char *path = base_printf("/sys/block/%s/%s", name, file);

	free(s->word);
	s->word = file_line(s->env->sys_root, path);
	return s->word && *s->word ? s->word : NULL;
}

static int
look_at_disk(struct script *s, const char *name, struct err *e)
{
	hwid_disk_clear(&s->disk);
	return hwid_disk(s->env->sys_root, name, &s->disk, e);
}

void
lua_disk_describe(struct script *s, const char *node, struct buf *out)
{
	AUTO_FREE char *disk = guard_disk_of(node);
	AUTO_FREE char *real = realpath(disk ? disk : node, NULL);
	const char *name = real ? strrchr(real, '/') + 1 : node, *model;
	struct err ignored;

	buf_printf(out, "%s", node);
	if (look_at_disk(s, name, &ignored) < 0)
		return;
	model = sysfs_word(s, name, "device/model");
	buf_printf(out, " (%.40s%s%s%.40s%s%.1f GB)", model ? model : "",
		   model ? ", " : "", s->disk.serial ? "serial " : "",
		   s->disk.serial ? s->disk.serial : "",
		   s->disk.serial ? ", " : "", (double)s->disk.size_bytes / GB);
}

static void
set_field(lua_State *L, const char *name, const char *text)
{
	if (text)
		lua_pushstring(L, text);
	else
		lua_pushnil(L);
	lua_setfield(L, -2, name);
}

/* Push s->disk. */
static void
push_disk(lua_State *L, struct script *s)
{
	const struct hwid_disk *d = &s->disk;
	const char *flag;

	lua_newtable(L);
	set_field(L, "name", d->name);
	lua_pushfstring(L, "/dev/%s", d->name);
	lua_setfield(L, -2, "path");
	set_field(L, "serial", d->serial);
	set_field(L, "wwn", d->wwn);
	set_field(L, "by_path", d->by_path);
	set_field(L, "model", sysfs_word(s, d->name, "device/model"));
	lua_pushinteger(L, (lua_Integer)d->size_bytes);
	lua_setfield(L, -2, "size");
	/* whole GB, as the facts and so the profile have it */
	lua_pushinteger(L, (lua_Integer)(d->size_bytes / 1000000000));
	lua_setfield(L, -2, "size_gb");
	flag = sysfs_word(s, d->name, "ro");
	lua_pushboolean(L, flag && strcmp(flag, "0") != 0);
	lua_setfield(L, -2, "read_only");
}

static void
read_names(struct script *s)
{
	names_free(s->names);
	s->names = hwid_disks(s->env->sys_root);
}

int
l_disk_list(lua_State *L)
{
	struct script *s = script_of(L);
	struct err e = { 0 };
	lua_Integer n = 0;
	size_t i;

	read_names(s);
	lua_newtable(L);
	for (i = 0; s->names[i]; i++) {
		if (look_at_disk(s, s->names[i], &e) < 0)
			return script_raise(L, &e);
		push_disk(L, s);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* ---- disk.find ---- */

/* The word names the disk in s->disk: as hwid_find reads it. */
static bool
is_called(struct script *s, const char *word)
{
	AUTO_FREE char *name = NULL;
	struct err ignored;

	return !word ||
	       (hwid_find(s->env->sys_root, word, &name, &ignored) == 0 &&
		str_eq(name, s->disk.name));
}

struct wish {
	const char *name, *path, *wwn, *serial, *model;
	lua_Number min_gb, max_gb;
};

static bool
fits(struct script *s, const struct wish *w)
{
	double gb = (double)(s->disk.size_bytes / 1000000000);

	return (!w->name || str_eq(w->name, s->disk.name)) &&
	       is_called(s, w->path) && is_called(s, w->wwn) &&
	       (!w->serial || str_eq(w->serial, s->disk.serial)) &&
	       gb >= w->min_gb && gb <= w->max_gb &&
	       (!w->model ||
		str_eq(w->model, sysfs_word(s, s->disk.name, "device/model")));
}

static lua_Number
opt_number(lua_State *L, const char *field, lua_Number absent)
{
	return lua_getfield(L, 1, field) == LUA_TNIL ? absent
						     : luaL_checknumber(L, -1);
}

static struct wish
take_wish(lua_State *L)
{
	static const char *const known[] = { "name",   "path",  "wwn",
					     "serial", "model", "min_gb",
					     "max_gb", NULL };
	struct wish w;

	luaL_checktype(L, 1, LUA_TTABLE);
	script_opt_known(L, 1, known, "disk.find");
	w.name = script_opt_text(L, 1, "name");
	w.path = script_opt_text(L, 1, "path");
	w.wwn = script_opt_text(L, 1, "wwn");
	w.serial = script_opt_text(L, 1, "serial");
	w.model = script_opt_text(L, 1, "model");
	w.min_gb = opt_number(L, "min_gb", 0);
	w.max_gb = opt_number(L, "max_gb", 1e18);
	return w;
}

/* Exactly one, never the first of several: which one comes first is chance. */
int
l_disk_find(lua_State *L)
{
	struct script *s = script_of(L);
	struct wish w = take_wish(L);
	struct err e = { 0 };
	size_t i, hits = 0;

	read_names(s);
	s->text.len = 0;
	buf_str(&s->text, "");
	for (i = 0; s->names[i]; i++) {
		if (look_at_disk(s, s->names[i], &e) < 0)
			return script_raise(L, &e);
		if (!fits(s, &w))
			continue;
		buf_printf(&s->text, "%s%s", hits++ ? ", " : "", s->disk.name);
		if (hits == 1)
			push_disk(L, s);
	}
	if (hits == 1)
		return 1;
	if (hits == 0)
		err_set(&e, ERR_REFUSED,
			"disk.find: none of this machine's %zu disks fits", i);
	else
		err_set(&e, ERR_REFUSED,
			"disk.find: %zu disks fit (%.100s); say which by "
			"serial, wwn or path",
			hits, buf_text(&s->text));
	return script_raise(L, &e);
}

/* ---- disk arguments ---- */

const char *
lua_block_node(lua_State *L, int index)
{
	struct script *s = script_of(L);
	struct err e = { 0 };
	const char *word;
	struct stat st;

	if (lua_istable(L, index))
		lua_getfield(L, index, "path");
	else
		lua_pushvalue(L, index);
	word = luaL_checkstring(L, lua_gettop(L));
	if (word[0] != '/') {
		free(s->word);
		s->word = NULL;
		if (hwid_find(s->env->sys_root, word, &s->word, &e) < 0)
			script_raise(L, &e);
		word = lua_pushfstring(L, "/dev/%s", s->word);
	}
	if (stat(word, &st) < 0) {
		err_sys(&e, "%.120s", word);
		script_raise(L, &e);
	}
	if (!S_ISBLK(st.st_mode)) {
		err_set(&e, ERR_INPUT, "%.120s is no block device", word);
		script_raise(L, &e);
	}
	return word;
}

const char *
lua_disk_node(lua_State *L, int index)
{
	struct script *s = script_of(L);
	const char *node = lua_block_node(L, index);
	struct err e = { 0 };

	free(s->word);
	s->word = guard_disk_of(node);
	if (!s->word)
		return node;
	err_set(&e, ERR_INPUT,
		"%.100s is a partition of %.60s; a whole disk "
		"is wanted",
		node, s->word);
	script_raise(L, &e);
	return NULL;
}
