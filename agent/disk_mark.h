#ifndef AGENT_DISK_MARK_H
#define AGENT_DISK_MARK_H

#include <stdbool.h>
#include <stdint.h>

/* How a machine knows again what an earlier run of its own left on a disk:
 * the ids of partition tables and file systems carry a check word that only
 * its identity gives. A mark is half random, so no two are alike, and needs
 * no record anywhere. docs/lua.md tells operators. */
#define MARK_UUID_TEXT 37

/* A new UUID (version 8) that carries the mark of `identity`. */
void mark_uuid(const char *identity, char out[MARK_UUID_TEXT]);

/* The same as LVM writes ids: 32 digits, and dashes at places of its own. */
#define MARK_LVM_TEXT 39
void mark_lvm(const char *identity, char out[MARK_LVM_TEXT]);

/* `text` is such a UUID of this identity (either form, any case; a stranger's
 * passes once in 2^56). */
bool mark_uuid_ours(const char *identity, const char *text);

/* The same in 32 bits, for MBR and FAT, which have no more room (a stranger's
 * passes once in 2^24). Never 0. */
uint32_t mark_id(const char *identity);
bool mark_id_ours(const char *identity, uint32_t id);

/* The 16 bytes of a UUID's text, in its order. False when it is none. */
bool mark_uuid_bytes(const char *text, uint8_t out[16]);

#endif
