/* The fence of libblkid's probing. Each area (whole disk, each partition) is
 * probed through the disk's own descriptor at an offset, so what a table
 * names is seen also where the kernel has no node for it. */
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/text.h"

#include "agent/disk_mark.h"
#include "agent/guard.h"
#include "agent/guard_use.h"

#define PARTITIONS_MAX 256
#define SIGNATURES_MAX 64 /* in one area; more is a loop in a prober */

/* First partitions start here by the habits of three decades: a table that
 * was lost does not make what it named worthless. */
static const unsigned long long lost_starts[] = { 63 * 512ULL, 1ULL << 20,
						  2ULL << 20 };

struct area {
	unsigned long long start, size;
	const char *where; /* " on sda1", or "" */
};

struct look {
	int fd;
	const char *node, *identity;
	struct guard_found *found; /* NULL: wipe instead */
	struct err *e;
};

static const char *
word(blkid_probe pr, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(pr, name, &text, NULL) < 0 ? NULL
								   : text;
}

static bool
is_ours(const struct look *l, blkid_probe pr)
{
	const char *type = word(pr, "TYPE"), *id = word(pr, "UUID");
	char hex[9];

	if (!type) {
		type = word(pr, "PTTYPE");
		id = word(pr, "PTUUID");
	}
	if (!id || !type)
		return false;
	if (str_eq(type, "dos") && strlen(id) == 8)
		return mark_id_ours(l->identity,
				    (uint32_t)strtoul(id, NULL, 16));
	if (str_eq(type, "vfat") && strlen(id) == 9) {
		snprintf(hex, sizeof(hex), "%.4s%.4s", id, id + 5);
		return mark_id_ours(l->identity,
				    (uint32_t)strtoul(hex, NULL, 16));
	}
	return mark_uuid_ours(l->identity, id);
}

static const char *
what_usage(const char *usage)
{
	static const struct {
		const char *usage, *text;
	} known[] = { { "filesystem", "file system" },
		      { "raid", "RAID or LVM member" },
		      { "crypto", "encrypted volume" },
		      { "other", "area" } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(usage, known[i].usage))
			return known[i].text;
	return "signature";
}

static void
tell_strange(struct guard_found *f, blkid_probe pr, const char *where)
{
	const char *type = word(pr, "TYPE"), *label = word(pr, "LABEL");
	AUTO_CLEAR(buf) shown = { 0 };

	if (f->strange_len++)
		buf_char(&f->strange, '\n');
	if (!type) {
		buf_printf(&f->strange, "%s partition table%s",
			   word(pr, "PTTYPE") ? word(pr, "PTTYPE") : "unknown",
			   where);
		return;
	}
	buf_printf(&f->strange, "%s %s", type, what_usage(word(pr, "USAGE")));
	if (label && *label) {
		text_show(label, strlen(label), 1, &shown);
		buf_printf(&f->strange, " '%.40s'", buf_text(&shown));
	}
	buf_str(&f->strange, where);
}

static int
take_signature(const struct look *l, blkid_probe pr, const char *where)
{
	if (!l->found)
		return blkid_do_wipe(pr, 0) < 0
			       ? err_sys(l->e, "cannot erase what is%s on %s",
					 where, l->node)
			       : 0;
	/* a protective MBR is as much somebody's as the GPT behind it; alone it
	 * is what a lost GPT left, and gives nobody a right to what lies there
	 */
	if (str_eq(word(pr, "PTTYPE"), "PMBR") && !word(pr, "TYPE"))
		return 0;
	if (is_ours(l, pr))
		l->found->ours++;
	else
		tell_strange(l->found, pr, where);
	return 0;
}

static int
probe_all(const struct look *l, blkid_probe pr, const struct area *a)
{
	int i, rc = 0;

	if (blkid_probe_set_device(pr, l->fd, (blkid_loff_t)a->start,
				   (blkid_loff_t)a->size) < 0)
		return err_sys(l->e, "cannot look at %s%s", l->node, a->where);
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(
		pr, BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID |
			    BLKID_SUBLKS_LABEL | BLKID_SUBLKS_USAGE |
			    BLKID_SUBLKS_BADCSUM);
	blkid_probe_enable_partitions(pr, 1);
	blkid_probe_set_partitions_flags(pr, BLKID_PARTS_MAGIC |
						     BLKID_PARTS_FORCE_GPT);
	for (i = 0; i < SIGNATURES_MAX; i++) {
		rc = blkid_do_probe(pr);
		if (rc != 0)
			break;
		if (take_signature(l, pr, a->where) < 0)
			return -1;
	}
	if (rc < 0)
		return err_sys(l->e, "cannot read %s%s", l->node, a->where);
	return 0;
}

static int
look_area(const struct look *l, const struct area *a)
{
	blkid_probe pr;
	int bad;

	if (a->size < 4096)
		return 0;
	pr = blkid_new_probe();
	if (!pr)
		return err_sys(l->e, "blkid_new_probe");
	errno = EIO;
	bad = probe_all(l, pr, a);
	blkid_free_probe(pr);
	return bad;
}

static const char *
name_of(const char *node)
{
	const char *slash = strrchr(node, '/');

	return slash ? slash + 1 : node;
}

/* " on sda1", as the kernel would name it. */
static void
part_name(const char *node, int number, char *out, size_t size)
{
	const char *name = name_of(node);
	size_t len = strlen(name);
	bool digit = len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9';

	snprintf(out, size, " on %.64s%s%d", name, digit ? "p" : "", number);
}

static int
look_parts(const struct look *l, blkid_partlist list, struct area whole,
	   bool *starts_taken)
{
	int i, n = blkid_partlist_numof_partitions(list);
	char where[96];
	size_t k;

	for (i = 0; i < n && i < PARTITIONS_MAX; i++) {
		blkid_partition p = blkid_partlist_get_partition(list, i);
		struct area a = {
			(unsigned long long)blkid_partition_get_start(p) << 9,
			(unsigned long long)blkid_partition_get_size(p) << 9,
			where
		};

		for (k = 0; k < ARRAY_LEN(lost_starts); k++)
			if (lost_starts[k] >= a.start &&
			    lost_starts[k] - a.start < a.size)
				starts_taken[k] = true; /* not lost */
		if (blkid_partition_is_extended(p) || a.start >= whole.size)
			continue;
		if (a.size > whole.size - a.start)
			a.size = whole.size - a.start;
		part_name(l->node, blkid_partition_get_partno(p), where,
			  sizeof(where));
		if (look_area(l, &a) < 0)
			return -1;
	}
	return 0;
}

/* Partitions first: once the table is wiped nothing names them any more. */
static int
look_inside(const struct look *l, struct area whole)
{
	bool taken[ARRAY_LEN(lost_starts)] = { false };
	blkid_probe pr = blkid_new_probe();
	blkid_partlist list = NULL;
	int bad = 0;
	size_t k;

	if (!pr || blkid_probe_set_device(pr, l->fd, 0, 0) < 0)
		bad = err_sys(l->e, "cannot look at %s", l->node);
	if (!bad) {
		blkid_probe_enable_partitions(pr, 1);
		blkid_probe_set_partitions_flags(pr, BLKID_PARTS_FORCE_GPT);
		list = blkid_probe_get_partitions(pr);
	}
	if (list)
		bad = look_parts(l, list, whole, taken);
	if (pr)
		blkid_free_probe(pr);
	for (k = 0; !bad && k < ARRAY_LEN(lost_starts); k++) {
		struct area a = { lost_starts[k], 0,
				  " where a first partition began" };

		/* who wipes may wipe inside partitions too */
		if ((taken[k] && l->found) || whole.size <= a.start)
			continue;
		a.size = whole.size - a.start;
		bad = look_area(l, &a);
	}
	return bad;
}

static int
size_of(int fd, const char *node, unsigned long long *out, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", node);
	if (S_ISREG(st.st_mode)) {
		*out = (unsigned long long)st.st_size;
		return 0;
	}
	if (!S_ISBLK(st.st_mode))
		return err_set(e, ERR_REFUSED, "%s is no disk", node);
	if (ioctl(fd, BLKGETSIZE64, out) < 0)
		return err_sys(e, "size of %s", node);
	return 0;
}

static int
look_all(const struct look *l)
{
	struct area whole = { 0, 0, "" };

	if (size_of(l->fd, l->node, &whole.size, l->e) < 0)
		return -1;
	/* the table names partitions: look at them before it may be wiped */
	if (look_inside(l, whole) < 0)
		return -1;
	return look_area(l, &whole);
}

/* A partition is as foreign as the table it is in. */
static int
look_at_table(const char *node, const char *identity, struct guard_found *out,
	      struct err *e)
{
	AUTO_FREE char *disk = guard_disk_of(node);
	AUTO_CLOSE int fd = -1;
	struct guard_found table = { 0 };
	struct look l = { -1, disk, identity, &table, e };
	struct area whole = { 0, 0, "" };
	int bad;

	if (!disk)
		return 0;
	l.fd = fd = open(disk, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", disk);
	if (size_of(fd, disk, &whole.size, e) < 0)
		return -1;
	bad = look_area(&l, &whole);
	if (!bad && table.strange_len) {
		buf_printf(&out->strange, "%s%s around it",
			   out->strange_len ? "\n" : "",
			   buf_text(&table.strange));
		out->strange_len += table.strange_len;
	}
	guard_found_clear(&table);
	return bad;
}

int
guard_look(const char *node, const char *identity, struct guard_found *out,
	   struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDONLY | O_CLOEXEC);
	const struct look l = { fd, node, identity, out, e };

	*out = (struct guard_found){ 0 };
	if (fd < 0)
		return err_sys(e, "open %s", node);
	if (look_all(&l) < 0)
		return -1;
	return look_at_table(node, identity, out, e);
}

int
guard_look_area(const char *node, unsigned long long start,
		unsigned long long size, const char *identity,
		struct guard_found *out, struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDONLY | O_CLOEXEC);
	const struct look l = { fd, node, identity, out, e };
	const struct area a = { start, size, "" };

	*out = (struct guard_found){ 0 };
	if (fd < 0)
		return err_sys(e, "open %s", node);
	return look_area(&l, &a);
}

void
guard_found_clear(struct guard_found *f)
{
	buf_clear(&f->strange);
}

int
guard_wipe(const char *node, struct err *e)
{
	AUTO_CLOSE int fd = open(node, O_RDWR | O_CLOEXEC);
	const struct look l = { fd, node, "", NULL, e };

	if (fd < 0)
		return err_sys(e, "open %s", node);
	if (look_all(&l) < 0)
		return -1;
	if (fsync(fd) < 0)
		return err_sys(e, "fsync %s", node);
	return 0;
}
