/* disk.label, partition, format, mount, swap. What writes looks first: a disk
 * holds either nothing, or what this machine's earlier runs left (their ids
 * carry its mark), or something that only wipe='any' may destroy. */
#include <stdio.h>

#include "agent/boot.h"
#include "agent/disk.h"
#include "agent/guard_use.h"
#include "agent/lua_disk.h"

#define NODE_WAIT_MS 10000

/* ---- may it be written? ---- */

static bool
take_wipe(lua_State *L, int index, const char *what)
{
	const char *wipe = script_opt_text(L, index, "wipe");

	if (wipe && !str_eq(wipe, "any"))
		luaL_error(L, "%s: wipe is 'any' or absent, not '%s'", what,
			   wipe);
	return wipe != NULL;
}

/* One line of the log for each finding, then one sentence for the error. */
static int
refuse(struct script *s, const char *node, struct err *e)
{
	AUTO_FREE char *lines = base_strdup(buf_text(&s->found.strange));
	AUTO_CLEAR(buf) disk = { 0 };
	char *at = lines, *line;

	lua_disk_describe(s, node, &disk);
	while ((line = strsep(&at, "\n")))
		script_say(s, "%s holds %s", buf_text(&disk), line);
	s->found.strange.at[strcspn(s->found.strange.at, "\n")] = '\0';
	s->text.len = 0;
	if (s->found.strange_len > 1)
		buf_printf(&s->text, " and %zu more", s->found.strange_len - 1);
	return err_set(e, ERR_REFUSED,
		       "%.90s holds %.60s%s, not left by eDeploy on this "
		       "machine; wipe='any' would destroy it",
		       buf_text(&disk), s->found.strange.at,
		       s->text.len ? buf_text(&s->text) : "");
}

static int
may_write(struct script *s, const char *node, bool any, struct err *e)
{
	guard_found_clear(&s->found);
	if (guard_idle(node, e) < 0 ||
	    guard_look(node, s->identity, &s->found, e) < 0)
		return -1;
	if (s->found.strange_len && !any)
		return refuse(s, node, e);
	if (s->found.strange_len)
		script_say(s, "wipe='any': %s held %s", node,
			   buf_text(&s->found.strange));
	return 0;
}

static void
say_disks(struct script *s)
{
	if (!s->disks_said && s->env->phase)
		s->env->phase(s->env->ctx, "disks");
	s->disks_said = true;
}

/* ---- disk.label ---- */

/* What lies in the places of new partitions may go when the disk was this
 * machine's or wipe='any' gave it; on a disk that looked empty, nobody gave
 * what only shows there. A second label of the same run tells nothing new. */
static void
remember_label(struct script *s, const char *node, bool any, bool was_ours)
{
	size_t i;

	for (i = 0; i < s->labelled_len; i++) {
		if (str_eq(s->labelled[i].node, node)) {
			s->labelled[i].given |= any;
			return;
		}
	}
	s->labelled = base_resize(s->labelled, s->labelled_len + 1,
				  sizeof(*s->labelled));
	s->labelled[s->labelled_len++] =
		(struct labelled){ base_strdup(node), any || was_ours };
}

static int
label(struct script *s, const char *node, const char *table, bool any,
      struct err *e)
{
	if (may_write(s, node, any, e) < 0)
		return -1;
	say_disks(s);
	script_say(s, "disk.label %s: %s", node, table);
	if (guard_wipe(node, e) < 0 ||
	    disk_label(node, table, s->identity, e) < 0)
		return -1;
	remember_label(s, node, any, s->found.ours > 0);
	return 0;
}

/* disk.label(disk [, 'gpt' | 'msdos' [, {wipe='any'}]]): an empty table. */
static int
l_label(lua_State *L)
{
	static const char *const known[] = { "wipe", NULL };
	const char *table = luaL_optstring(L, 2, "gpt");
	struct err e = { 0 };
	const char *node;
	bool any;

	lua_settop(L, 3);
	script_opt_known(L, 3, known, "disk.label");
	any = take_wipe(L, 3, "disk.label");
	if (!str_eq(table, "gpt") && !str_eq(table, "msdos"))
		return luaL_error(L,
				  "disk.label: a table is 'gpt' or "
				  "'msdos', not '%s'",
				  table);
	node = lua_disk_node(L, 1);
	if (label(script_of(L), node, table, any, &e) < 0)
		return script_raise(L, &e);
	return 0;
}

/* ---- disk.partition ---- */

static const struct labelled *
find_label(const struct script *s, const char *node)
{
	size_t i;

	for (i = 0; i < s->labelled_len; i++)
		if (str_eq(s->labelled[i].node, node))
			return &s->labelled[i];
	return NULL;
}

/* The place of the new partition may hold what an older table named: nothing
 * there was written yet. */
static int
look_at_place(struct script *s, const char *node, const struct disk_part *part,
	      bool given, struct err *e)
{
	guard_found_clear(&s->found);
	if (guard_look_area(node, part->start, part->size, s->identity,
			    &s->found, e) < 0)
		return -1;
	if (s->found.strange_len && !given)
		return refuse(s, node, e);
	return 0;
}

/* Its node into s->word. */
static int
partition(struct script *s, const char *node, const struct disk_want *want,
	  struct err *e)
{
	const struct labelled *known = find_label(s, node);
	struct disk_part part;

	if (!known)
		return err_set(e, ERR_REFUSED,
			       "disk.partition: disk.label(%.60s) comes first, "
			       "in the same script",
			       node);
	if (disk_partition(node, want, &part, e) < 0)
		return -1;
	free(s->word);
	s->word = NULL;
	if (look_at_place(s, node, &part, known->given, e) < 0 ||
	    disk_part_node(node, &part, NODE_WAIT_MS, &s->word, e) < 0)
		return -1;
	if (known->given && guard_wipe(s->word, e) < 0)
		return -1;
	script_say(s, "disk.partition %s: %s, %.1f MiB", s->word, want->type,
		   (double)part.size / 1048576);
	return 0;
}

/* disk.partition(disk, {size=, type=, name=, boot=}): the new one's node. */
static int
l_partition(lua_State *L)
{
	static const char *const known[] = { "size", "type", "name", "boot",
					     NULL };
	struct disk_want want = { .type = "linux" };
	const char *size, *type, *node;
	struct err e = { 0 };

	lua_settop(L, 2);
	luaL_checktype(L, 2, LUA_TTABLE);
	script_opt_known(L, 2, known, "disk.partition");
	size = script_opt_text(L, 2, "size");
	type = script_opt_text(L, 2, "type");
	want.name = script_opt_text(L, 2, "name");
	want.boot = script_opt_flag(L, 2, "boot");
	if (type)
		want.type = type;
	if (disk_size_parse(size ? size : "rest", &want.size, &e) < 0)
		return script_raise(L, &e);
	node = lua_disk_node(L, 1);
	if (partition(script_of(L), node, &want, &e) < 0)
		return script_raise(L, &e);
	lua_pushstring(L, script_of(L)->word);
	return 1;
}

/* ---- disk.format ---- */

static int
make_swap(struct script *s, const struct fs_want *w, struct err *e)
{
	if (w->options)
		return err_set(e, ERR_INPUT,
			       "disk.format: swap takes no options");
	if (w->uuid)
		snprintf(s->mkfs.id, sizeof(s->mkfs.id), "%s", w->uuid);
	else
		mark_uuid(s->identity, s->mkfs.id);
	return fs_make_swap(w->node, w->label, s->mkfs.id, e);
}

static int
format(struct script *s, const struct fs_want *w, bool any, struct err *e)
{
	struct command c = { .argv = s->mkfs.argv };
	bool swap = str_eq(w->fstype, "swap");
	size_t i;

	if (!swap && (fs_command(w, &s->mkfs, e) < 0 ||
		      fs_program_here(&s->mkfs, e) < 0))
		return -1;
	if (may_write(s, w->node, any, e) < 0)
		return -1;
	say_disks(s);
	script_say(s, "disk.format %s: %s", w->node, w->fstype);
	if (guard_wipe(w->node, e) < 0)
		return -1;
	if (swap)
		return make_swap(s, w, e);
	s->text.len = 0;
	for (i = 0; s->mkfs.argv[i]; i++)
		buf_printf(&s->text, "%s%s", i ? " " : "", s->mkfs.argv[i]);
	c.shown = buf_text(&s->text);
	return script_command(s, &c, e);
}

/* The list at options=, whose texts stay on the Lua stack. */
static void
take_options(lua_State *L, int index, const char *options[FS_ARGS_MAX])
{
	size_t n, i;

	options[0] = NULL;
	if (lua_isnoneornil(L, index) ||
	    lua_getfield(L, index, "options") == LUA_TNIL)
		return;
	luaL_checktype(L, -1, LUA_TTABLE);
	index = lua_gettop(L);
	n = lua_rawlen(L, index);
	if (n >= FS_ARGS_MAX)
		luaL_error(L, "disk.format: %d options are too many", (int)n);
	luaL_checkstack(L, (int)n + 8, NULL);
	for (i = 0; i < n; i++) {
		lua_rawgeti(L, index, (lua_Integer)i + 1);
		options[i] = luaL_checkstring(L, lua_gettop(L));
	}
	options[n] = NULL;
}

/* disk.format(node, type [, {label=, uuid=, wipe='any', options={…}}]): the
 * UUID. */
static int
l_format(lua_State *L)
{
	static const char *const known[] = { "label", "uuid", "wipe", "options",
					     NULL };
	struct script *s = script_of(L);
	const char *options[FS_ARGS_MAX];
	struct fs_want want = { .fstype = luaL_checkstring(L, 2),
				.identity = s->identity };
	struct err e = { 0 };
	bool any;

	lua_settop(L, 3);
	script_opt_known(L, 3, known, "disk.format");
	want.label = script_opt_text(L, 3, "label");
	want.uuid = script_opt_text(L, 3, "uuid");
	any = take_wipe(L, 3, "disk.format");
	take_options(L, 3, options);
	want.options = options[0] ? options : NULL;
	want.node = lua_block_node(L, 1);
	if (format(s, &want, any, &e) < 0)
		return script_raise(L, &e);
	lua_pushstring(L, s->mkfs.id);
	return 1;
}

/* ---- disk.mount, disk.swap ---- */

static void
remember_mount(struct script *s, const char *node, const char *where,
	       const char *options)
{
	struct script_result *r = s->result;

	r->mounts =
		base_resize(r->mounts, r->mounts_len + 1, sizeof(*r->mounts));
	r->mounts[r->mounts_len++] = (struct script_mount){
		base_strdup(node), base_strdup(where), STEAL(s->seen.type),
		base_strdup(options), STEAL(s->seen.uuid)
	};
}

static int
check_place(const struct script *s, const char *where, struct err *e)
{
	const struct script_result *r = s->result;
	size_t i;

	if (where[0] != '/' || strstr(where, "..") || strpbrk(where, " \t\n\\"))
		return err_set(e, ERR_INPUT,
			       "disk.mount: \"%.80s\" is no absolute path",
			       where);
	if (r->mounts_len == 0 && !str_eq(where, "/"))
		return err_set(e, ERR_INPUT,
			       "disk.mount: \"/\" comes first, then %.80s",
			       where);
	for (i = 0; i < r->mounts_len; i++)
		if (str_eq(r->mounts[i].where, where))
			return err_set(e, ERR_INPUT,
				       "disk.mount: %.80s is already %.60s",
				       where, r->mounts[i].node);
	return 0;
}

static int
look_at_fs(struct script *s, const char *node, struct err *e)
{
	fs_seen_clear(&s->seen);
	if (fs_look(node, &s->seen, e) < 0)
		return -1;
	if (!s->seen.type)
		return err_set(e, ERR_REFUSED,
			       "%.100s holds nothing: disk.format comes first",
			       node);
	return 0;
}

static int
do_mount(struct script *s, const char *node, const char *where,
	 const char *options, struct err *e)
{
	AUTO_FREE char *dir = script_place(s, where);

	if (check_place(s, where, e) < 0 || look_at_fs(s, node, e) < 0)
		return -1;
	if (str_eq(s->seen.type, "swap"))
		return err_set(e, ERR_INPUT,
			       "%.100s is swap: disk.swap(node) takes it",
			       node);
	if (fs_mount(node, dir, s->seen.type, options, e) < 0)
		return -1;
	script_say(s, "disk.mount %s on %s", node, where);
	remember_mount(s, node, where, options);
	return 0;
}

static const char *
take_fstab_options(lua_State *L, int index, const char *what)
{
	static const char *const known[] = { "options", NULL };
	const char *options;

	script_opt_known(L, index, known, what);
	options = script_opt_text(L, index, "options");
	if (options && (!*options || strpbrk(options, " \t\n#\\")))
		luaL_error(L, "%s: options are words joined by commas", what);
	return options ? options : "defaults";
}

/* disk.mount(node, where [, {options='noatime'}]): below /chroot now, and in
 * the installed system's fstab. */
static int
l_mount(lua_State *L)
{
	const char *where = luaL_checkstring(L, 2), *options, *node;
	struct err e = { 0 };

	lua_settop(L, 3);
	options = take_fstab_options(L, 3, "disk.mount");
	node = lua_block_node(L, 1);
	if (do_mount(script_of(L), node, where, options, &e) < 0)
		return script_raise(L, &e);
	return 0;
}

static int
add_swap(struct script *s, const char *node, const char *options, struct err *e)
{
	if (look_at_fs(s, node, e) < 0)
		return -1;
	if (!str_eq(s->seen.type, "swap"))
		return err_set(e, ERR_INPUT, "disk.swap: %.80s is %.40s", node,
			       s->seen.type);
	remember_mount(s, node, "none", options);
	return 0;
}

/* disk.swap(node [, {options=}]): swap of the installed system. */
static int
l_swap(lua_State *L)
{
	const char *options, *node;
	struct err e = { 0 };

	lua_settop(L, 2);
	options = take_fstab_options(L, 2, "disk.swap");
	node = lua_block_node(L, 1);
	if (add_swap(script_of(L), node, options, &e) < 0)
		return script_raise(L, &e);
	return 0;
}

/* disk.uuid(['lvm']): an id for what commands make, by which a later run of
 * this machine knows it again. */
static int
l_uuid(lua_State *L)
{
	static const char *const forms[] = { "uuid", "lvm", NULL };
	const char *identity = script_of(L)->identity;
	char plain[MARK_UUID_TEXT], lvm[MARK_LVM_TEXT];

	if (luaL_checkoption(L, 1, "uuid", forms) == 0) {
		mark_uuid(identity, plain);
		lua_pushstring(L, plain);
	} else {
		mark_lvm(identity, lvm);
		lua_pushstring(L, lvm);
	}
	return 1;
}

/* disk.firmware(): 'uefi' or 'bios', as this machine was started. */
static int
l_firmware(lua_State *L)
{
	const char *root = script_of(L)->env->sys_root;

	lua_pushstring(L, boot_is_uefi(root ? root : "") ? "uefi" : "bios");
	return 1;
}

const luaL_Reg script_words_disk[] = {
	{ "list", l_disk_list },    { "find", l_disk_find },
	{ "label", l_label },       { "partition", l_partition },
	{ "format", l_format },     { "mount", l_mount },
	{ "swap", l_swap },         { "uuid", l_uuid },
	{ "firmware", l_firmware }, { NULL, NULL }
};
