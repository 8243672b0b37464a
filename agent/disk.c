/* The fence of libparted. It reports by an exception handler that may ask
 * questions; ours never answers "go on" to anything that is more than a
 * remark, and keeps the text for the error value.
 *
 * libparted 3.5 cannot set the id of a table, so that is written behind its
 * back right after the table (disk_id.c); later commits read it back. */
#include <parted/parted.h>
#include <stdio.h>

#include "lib/base.h"

#include "agent/disk.h"
#include "agent/disk_id.h"

#define GRAIN_BYTES (1024 * 1024)

static char last_said[160]; /* by libparted; one thread, one disk at a time */

static PedExceptionOption
hear(PedException *ex)
{
	snprintf(last_said, sizeof(last_said), "%s", ex->message);
	if (ex->type == PED_EXCEPTION_INFORMATION &&
	    (ex->options & PED_EXCEPTION_IGNORE))
		return PED_EXCEPTION_IGNORE;
	return ex->options & PED_EXCEPTION_CANCEL ? PED_EXCEPTION_CANCEL
						  : PED_EXCEPTION_UNHANDLED;
}

static int
fail(struct err *e, const char *what, const char *node)
{
	return err_set(e, ERR_SYS, "%s %s: %s", what, node,
		       *last_said ? last_said : "libparted gave no reason");
}

static PedDevice *
open_device(const char *node, struct err *e)
{
	PedDevice *dev;

	ped_exception_set_handler(hear);
	last_said[0] = '\0';
	dev = ped_device_get(node);
	if (!dev)
		fail(e, "cannot open", node);
	return dev;
}

static int
write_label(PedDevice *dev, const char *table, const char *identity,
	    struct err *e)
{
	const PedDiskType *type = ped_disk_type_get(table);
	PedDisk *disk = type ? ped_disk_new_fresh(dev, type) : NULL;
	int bad = 0;

	if (!disk || !ped_disk_commit_to_dev(disk))
		bad = fail(e, "cannot write a partition table to", dev->path);
	if (!bad)
		bad = disk_id_mark(dev->path, (unsigned)dev->sector_size, table,
				   identity, e);
	if (!bad && dev->type != PED_DEVICE_FILE &&
	    !ped_disk_commit_to_os(disk))
		bad = fail(e, "the kernel did not take the new table of",
			   dev->path);
	if (disk)
		ped_disk_destroy(disk);
	return bad;
}

int
disk_label(const char *node, const char *table, const char *identity,
	   struct err *e)
{
	PedDevice *dev;
	int bad;

	if (!str_eq(table, "gpt") && !str_eq(table, "msdos"))
		return err_set(e, ERR_INPUT,
			       "a partition table is 'gpt' or 'msdos', not "
			       "'%.40s'",
			       table);
	dev = open_device(node, e);
	if (!dev)
		return -1;
	bad = write_label(dev, table, identity, e);
	ped_device_destroy(dev);
	return bad;
}

/* ---- partitions ---- */

struct kind {
	const char *type, *fs;
	PedPartitionFlag flag; /* 0: none */
	bool gpt_only;
};

static const struct kind kinds[] = {
	{ "linux", "ext4", 0, false },
	{ "swap", "linux-swap(v1)", PED_PARTITION_SWAP, false },
	{ "bios", NULL, PED_PARTITION_BIOS_GRUB, true },
	{ "esp", "fat32", PED_PARTITION_ESP, false },
	{ "raid", NULL, PED_PARTITION_RAID, false },
	{ "lvm", NULL, PED_PARTITION_LVM, false },
	{ "prep", NULL, PED_PARTITION_PREP, false },
};

static const struct kind *
find_kind(const char *type, const PedDisk *disk, struct err *e)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!str_eq(kinds[i].type, type))
			continue;
		if (!kinds[i].gpt_only || str_eq(disk->type->name, "gpt"))
			return &kinds[i];
		err_set(e, ERR_INPUT,
			"type '%s' is for gpt; an msdos table does without",
			type);
		return NULL;
	}
	err_set(e, ERR_INPUT,
		"partition type '%.40s' is none of linux, swap, bios, esp, "
		"raid, lvm, prep",
		type);
	return NULL;
}

/* A free part, cut to whole grains, in sectors; end is past the last. */
struct room {
	PedSector start, end;
};

static struct room
whole_grains(const PedPartition *free_part, PedSector grain)
{
	struct room r = { free_part->geom.start, free_part->geom.end + 1 };

	r.start = (r.start + grain - 1) / grain * grain;
	r.end = r.end / grain * grain;
	/* the first grain is for the table and the boot loader */
	if (r.start < grain)
		r.start = grain;
	return r;
}

static PedSector
sectors_wanted(const PedDisk *disk, const struct disk_size *size,
	       PedSector grain)
{
	PedSector n = 0;

	if (size->percent)
		n = disk->dev->length / 100 * size->percent / grain * grain;
	else if (size->bytes)
		n = (PedSector)(size->bytes /
				(uint64_t)(disk->dev->sector_size * grain)) *
			    grain +
		    (size->bytes % (uint64_t)(disk->dev->sector_size * grain)
			     ? grain
			     : 0);
	return n > 0 ? n : grain;
}

static int
find_room(PedDisk *disk, const struct disk_size *size, struct room *out,
	  struct err *e)
{
	PedSector grain = GRAIN_BYTES / disk->dev->sector_size;
	PedSector want = sectors_wanted(disk, size, grain);
	PedPartition *p = NULL;
	struct room best = { 0, 0 };

	while ((p = ped_disk_next_partition(disk, p))) {
		struct room r = whole_grains(p, grain);

		if (!(p->type & PED_PARTITION_FREESPACE) ||
		    (p->type & PED_PARTITION_LOGICAL) || r.end <= r.start)
			continue;
		if (r.end - r.start > best.end - best.start)
			best = r;
		if (!size->rest && r.end - r.start >= want) {
			*out = (struct room){ r.start, r.start + want };
			return 0;
		}
	}
	*out = best;
	if (size->rest && best.end > best.start)
		return 0;
	return err_set(e, ERR_INPUT,
		       "no room on %s for %llu MiB: the largest free part has "
		       "%llu MiB",
		       disk->dev->path, (unsigned long long)(want / grain),
		       (unsigned long long)((best.end - best.start) / grain));
}

static int
describe(PedPartition *part, const struct disk_want *want,
	 const struct kind *kind, struct err *e)
{
	bool gpt = str_eq(part->disk->type->name, "gpt");
	PedPartitionFlag boot =
		gpt ? PED_PARTITION_LEGACY_BOOT : PED_PARTITION_BOOT;

	if (want->name && !gpt)
		return err_set(e, ERR_INPUT,
			       "a partition of an msdos table has no name");
	if ((want->name && !ped_partition_set_name(part, want->name)) ||
	    (kind->flag && !ped_partition_set_flag(part, kind->flag, 1)) ||
	    (want->boot && !ped_partition_set_flag(part, boot, 1)))
		return fail(e, "cannot describe a partition of",
			    part->disk->dev->path);
	return 0;
}

static int
place(PedDisk *disk, PedPartition *part, struct err *e)
{
	PedConstraint *exact = ped_constraint_exact(&part->geom);
	int good = exact && ped_disk_add_partition(disk, part, exact);

	if (exact)
		ped_constraint_destroy(exact);
	return good ? 0 : fail(e, "cannot add a partition to", disk->dev->path);
}

static int
commit(PedDisk *disk, struct err *e)
{
	if (!ped_disk_commit_to_dev(disk))
		return fail(e, "cannot write the table of", disk->dev->path);
	if (disk->dev->type != PED_DEVICE_FILE && !ped_disk_commit_to_os(disk))
		return fail(e, "the kernel did not take the partitions of",
			    disk->dev->path);
	return 0;
}

static int
add(PedDisk *disk, const struct disk_want *want, struct disk_part *out,
    struct err *e)
{
	const struct kind *kind = find_kind(want->type, disk, e);
	const PedFileSystemType *fs;
	PedPartition *part;
	struct room r;

	if (!kind || find_room(disk, &want->size, &r, e) < 0)
		return -1;
	fs = kind->fs ? ped_file_system_type_get(kind->fs) : NULL;
	part = ped_partition_new(disk, PED_PARTITION_NORMAL, fs, r.start,
				 r.end - 1);
	if (!part)
		return fail(e, "cannot add a partition to", disk->dev->path);
	if (place(disk, part, e) < 0) {
		ped_partition_destroy(part);
		return -1;
	}
	/* from here on the partition is the disk's */
	if (describe(part, want, kind, e) < 0 || commit(disk, e) < 0)
		return -1;
	out->number = part->num;
	out->start = (uint64_t)(part->geom.start * disk->dev->sector_size);
	out->size = (uint64_t)(part->geom.length * disk->dev->sector_size);
	return 0;
}

int
disk_partition(const char *node, const struct disk_want *want,
	       struct disk_part *out, struct err *e)
{
	PedDevice *dev = open_device(node, e);
	PedDisk *disk = dev ? ped_disk_new(dev) : NULL;
	int bad;

	if (!dev)
		return -1;
	bad = disk ? add(disk, want, out, e)
		   : fail(e, "cannot read the partition table of", node);
	if (disk)
		ped_disk_destroy(disk);
	ped_device_destroy(dev);
	return bad;
}
