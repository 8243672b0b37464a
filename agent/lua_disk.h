#ifndef AGENT_LUA_DISK_H
#define AGENT_LUA_DISK_H

#include "agent/lua_env.h"

/* What the two files of disk words share. */

/* The node of the whole disk that argument `index` means: what disk.find gave,
 * "vda", "/dev/vda", a serial, WWN or name of /dev/disk. Raises. The text is
 * on the Lua stack. */
const char *lua_disk_node(lua_State *L, int index);

/* The node of a block device, of a text or a disk. Raises. */
const char *lua_block_node(lua_State *L, int index);

/* "sda (QEMU HARDDISK, serial X, 8.6 GB)" into s->line's place: `out`. */
void lua_disk_describe(struct script *s, const char *node, struct buf *out);

/* Push a disk as a table: name, path, size, size_gb, model, serial, wwn,
 * by_path, read_only. The names of s->names are looked at. */
int l_disk_list(lua_State *L);
int l_disk_find(lua_State *L);

#endif
