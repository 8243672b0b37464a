/* Ids of partition tables, as the UEFI specification (5.3.2) and the MBR have
 * them on the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>

#include "lib/base.h"

#include "agent/disk_id.h"
#include "agent/disk_mark.h"

#define SECTOR_MAX 4096
#define MBR_ID_AT 440

enum { GPT_SIZE_AT = 12, GPT_CRC_AT = 16, GPT_OTHER_AT = 32, GPT_ID_AT = 56 };

static uint32_t
crc32_of(const uint8_t *bytes, size_t len)
{
	uint32_t crc = ~0U;
	size_t i;
	int bit;

	for (i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static void
put_u32(uint8_t *at, uint32_t v)
{
	int i;

	for (i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t
get_le(const uint8_t *at, int bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | at[bytes];
	return v;
}

/* A GUID's first three fields are little-endian on the disk. */
static void
put_guid(uint8_t *at, const uint8_t text[16])
{
	static const int order[16] = { 3, 2, 1,  0,  5,  4,  7,  6,
				       8, 9, 10, 11, 12, 13, 14, 15 };
	int i;

	for (i = 0; i < 16; i++)
		at[i] = text[order[i]];
}

static int
change_header(int fd, unsigned sector_size, uint64_t lba,
	      const uint8_t guid[16], uint64_t *other_lba, struct err *e)
{
	uint8_t sector[SECTOR_MAX];
	off_t at = (off_t)(lba * sector_size);
	uint64_t size;

	if (pread(fd, sector, sector_size, at) != (ssize_t)sector_size)
		return err_sys(e, "read the GPT header at sector %llu",
			       (unsigned long long)lba);
	size = get_le(sector + GPT_SIZE_AT, 4);
	if (memcmp(sector, "EFI PART", 8) != 0 || size < 92 ||
	    size > sector_size)
		return err_set(e, ERR_SYS, "no GPT header at sector %llu",
			       (unsigned long long)lba);
	*other_lba = get_le(sector + GPT_OTHER_AT, 8);
	put_guid(sector + GPT_ID_AT, guid);
	put_u32(sector + GPT_CRC_AT, 0);
	put_u32(sector + GPT_CRC_AT, crc32_of(sector, (size_t)size));
	if (pwrite(fd, sector, sector_size, at) != (ssize_t)sector_size)
		return err_sys(e, "write the GPT header at sector %llu",
			       (unsigned long long)lba);
	return 0;
}

static int
mark_gpt(int fd, unsigned sector_size, const char *identity, struct err *e)
{
	char uuid[MARK_UUID_TEXT];
	uint8_t guid[16];
	uint64_t backup, first;

	if (sector_size < 512 || sector_size > SECTOR_MAX)
		return err_set(e, ERR_SYS, "sectors of %u bytes are unknown",
			       sector_size);
	mark_uuid(identity, uuid);
	mark_uuid_bytes(uuid, guid);
	if (change_header(fd, sector_size, 1, guid, &backup, e) < 0)
		return -1;
	return change_header(fd, sector_size, backup, guid, &first, e);
}

static int
mark_mbr(int fd, const char *identity, struct err *e)
{
	uint8_t id[4];

	put_u32(id, mark_id(identity));
	if (pwrite(fd, id, sizeof(id), MBR_ID_AT) != (ssize_t)sizeof(id))
		return err_sys(e, "write the disk's id");
	return 0;
}

int
disk_id_mark(const char *node, unsigned sector_size, const char *table,
	     const char *identity, struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDWR | O_CLOEXEC);
	int bad;

	if (fd < 0)
		return err_sys(e, "open %s", node);
	bad = str_eq(table, "gpt") ? mark_gpt(fd, sector_size, identity, e)
				   : mark_mbr(fd, identity, e);
	if (!bad && fsync(fd) < 0)
		bad = err_sys(e, "fsync");
	return bad ? err_add(e, "%s", node) : 0;
}
