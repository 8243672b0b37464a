/* The guard on disk images: what it finds, what it takes for this machine's
 * own, and that looking changes no byte. Signatures are made by the programs
 * that own them where Debian has them here, else written by hand. */
#include <fcntl.h>
#include <stdio.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/hash.h"
#include "lib/proc.h"

#include "agent/disk.h"
#include "agent/disk_mark.h"
#include "agent/guard.h"
#include "tests/test.h"

#define MINE "m1 4c4c4544-0042 SER1"
#define THEIRS "m1 4c4c4544-0043 SER2"
#define IMAGE_BYTES (64ULL << 20)
#define MIB (1ULL << 20)

static char path[] = "/tmp/edeploy-guard-XXXXXX";

/* ---- marks ---- */

static void
test_marks(void)
{
	char a[MARK_UUID_TEXT], b[MARK_UUID_TEXT], upper[MARK_UUID_TEXT];
	char lvm[MARK_LVM_TEXT];
	uint32_t id = mark_id(MINE);
	size_t i;

	mark_uuid(MINE, a);
	mark_uuid(MINE, b);
	CHECK_SHOW(0, a[14] == '8' && a[19] == '9' && strlen(a) == 36, "%s", a);
	CHECK(0, strcmp(a, b) != 0);
	CHECK(0, mark_uuid_ours(MINE, a) && mark_uuid_ours(MINE, b));
	CHECK(0, !mark_uuid_ours(THEIRS, a) && !mark_uuid_ours("", a));
	CHECK(0, mark_id_ours(MINE, id) && !mark_id_ours(THEIRS, id));
	CHECK(0, !mark_id_ours(MINE, id ^ 1) && !mark_id_ours(MINE, 0));
	for (i = 0; i < sizeof(a); i++)
		upper[i] =
			a[i] >= 'a' && a[i] <= 'f' ? (char)(a[i] - 32) : a[i];
	CHECK(0, mark_uuid_ours(MINE, upper));
	/* a digit anywhere makes it another's */
	for (i = 0; i < 36; i++) {
		char changed[MARK_UUID_TEXT];

		memcpy(changed, a, sizeof(a));
		if (changed[i] == '-')
			continue;
		changed[i] = changed[i] == '0' ? '1' : '0';
		CHECK(i, !mark_uuid_ours(MINE, changed));
	}
	mark_lvm(MINE, lvm);
	CHECK_SHOW(0,
		   strlen(lvm) == 38 && lvm[6] == '-' && lvm[31] == '-' &&
			   strspn(lvm, "0123456789abcdef-") == 38,
		   "%s", lvm);
	CHECK(0, mark_uuid_ours(MINE, lvm) && !mark_uuid_ours(THEIRS, lvm));
	lvm[0] = lvm[0] == '0' ? '1' : '0';
	CHECK(0, !mark_uuid_ours(MINE, lvm));
	CHECK(0, !mark_uuid_ours(MINE, "") && !mark_uuid_ours(MINE, "x"));
	CHECK(0,
	      !mark_uuid_ours(MINE, "Vw3iVv-5Zzd-hc4D-3Wbn-xUyN-zzRw-8zlR5t"));
	CHECK(0, !mark_uuid_ours(MINE, "00000000-0000-0000-0000-00000000000g"));
}

/* ---- images ---- */

/* `make` is a command with $f, $mine and $theirs, or NULL. */
struct image {
	const char *make;
	const char *label;   /* our own table first: "gpt", "msdos" or NULL */
	const char *labeler; /* whose */
	const char *inside;  /* command for the first partition, as $f at $at */
	const char *strange; /* in the findings; NULL: none */
	int ours;            /* at least; 0: none */
};

static const struct image images[] = {
	{ NULL, NULL, NULL, NULL, NULL, 0 },
	{ "mkfs.ext4 -q -F -L data $f", NULL, NULL, NULL,
	  "ext4 file system 'data'", 0 },
	{ "mkfs.ext4 -q -F -U $mine $f", NULL, NULL, NULL, NULL, 1 },
	{ "mkfs.ext4 -q -F -U $theirs $f", NULL, NULL, NULL, "ext4 file system",
	  0 },
	{ "mkswap -q $f", NULL, NULL, NULL, "swap area", 0 },
	{ "mkfs.vfat -n ESP $f", NULL, NULL, NULL, "vfat file system", 0 },
	/* by hand: what else a disk may hold */
	{ "printf XFSB | dd of=$f conv=notrunc status=none; "
	  "printf '\\000\\000\\020\\000' | "
	  "dd of=$f bs=1 seek=4 conv=notrunc status=none; "
	  "printf '_BHRfS_M' | "
	  "dd of=$f bs=1 seek=65600 conv=notrunc status=none",
	  NULL, NULL, NULL, "btrfs", 0 },
	{ "printf 'LABELONE\\001' | "
	  "dd of=$f bs=512 seek=1 conv=notrunc status=none; "
	  "printf '\\040\\000\\000\\000LVM2 001' | "
	  "dd of=$f bs=1 seek=532 conv=notrunc status=none",
	  NULL, NULL, NULL, "LVM2_member RAID or LVM member", 0 },
	/* Linux RAID 1.2: magic at 4 KiB, super_offset 8 */
	{ "printf '\\374\\116\\053\\251\\001\\000\\000\\000' | "
	  "dd of=$f bs=1 seek=4096 conv=notrunc status=none; "
	  "printf '\\010' | dd of=$f bs=1 seek=4240 conv=notrunc status=none",
	  NULL, NULL, NULL, "linux_raid_member RAID or LVM member", 0 },
	{ "printf 'LUKS\\272\\276\\000\\002' | "
	  "dd of=$f conv=notrunc status=none",
	  NULL, NULL, NULL, "crypto_LUKS encrypted volume", 0 },
	{ "printf '\\001CD001\\001' | "
	  "dd of=$f bs=1 seek=32768 conv=notrunc status=none; "
	  "printf '\\377CD001\\001' | "
	  "dd of=$f bs=1 seek=34816 conv=notrunc status=none",
	  NULL, NULL, NULL, "iso9660 file system", 0 },
	/* tables */
	{ NULL, "gpt", MINE, NULL, NULL, 1 },
	{ NULL, "msdos", MINE, NULL, NULL, 1 },
	{ NULL, "gpt", THEIRS, NULL, "gpt partition table", 0 },
	{ NULL, "msdos", THEIRS, NULL, "dos partition table", 0 },
	{ NULL, "gpt", MINE, "mkfs.ext4 -q -F -U $mine -E offset=$at $f 20m",
	  NULL, 2 },
	{ NULL, "msdos", MINE, "mkfs.ext4 -q -F -U $mine -E offset=$at $f 20m",
	  NULL, 2 },
	{ NULL, "gpt", MINE, "mkfs.ext4 -q -F -L data -E offset=$at $f 20m",
	  "ext4 file system 'data' on ", 1 },
	{ NULL, "msdos", MINE,
	  "mkfs.ext4 -q -F -U $theirs -E offset=$at $f 20m",
	  "ext4 file system on ", 1 },
	/* what lies inside our own file system is no lost partition */
	{ NULL, "gpt", MINE,
	  "mkfs.ext4 -q -F -U $mine -E offset=$at $f 20m; "
	  "mkfs.ext4 -q -F -L inner -E offset=2097152 $f 8m",
	  NULL, 2 },
	/* the first GPT header is gone, the backup still names it */
	{ "dd if=/dev/zero of=$f bs=512 count=34 conv=notrunc status=none",
	  "gpt", THEIRS, NULL, "gpt partition table", 0 },
	/* both are gone: what protects nothing makes the disk nobody's */
	{ "dd if=/dev/zero of=$f bs=512 seek=1 count=33 conv=notrunc "
	  "status=none; truncate -s 63M $f; truncate -s 64M $f",
	  "gpt", THEIRS, NULL, NULL, 0 },
	/* the table is gone, what was in its first partition is not */
	{ "mkfs.ext4 -q -F -L lost -E offset=1048576 $f 20m", NULL, NULL, NULL,
	  "ext4 file system 'lost' where", 0 },
	{ "mkfs.ext4 -q -F -L dos -E offset=32256 $f 20m", NULL, NULL, NULL,
	  "ext4 file system 'dos' where", 0 },
	/* two at once */
	{ "mkfs.ext4 -q -F -U $mine $f; "
	  "printf 'LABELONE\\001' | "
	  "dd of=$f bs=512 seek=1 conv=notrunc status=none; "
	  "printf '\\040\\000\\000\\000LVM2 001' | "
	  "dd of=$f bs=1 seek=532 conv=notrunc status=none",
	  NULL, NULL, NULL, "LVM2_member", 1 },
};

static int
shell(const char *command, struct err *e)
{
	char mine[MARK_UUID_TEXT], theirs[MARK_UUID_TEXT];
	const char *argv[] = { "/bin/sh", "-ec", NULL, NULL };
	AUTO_FREE char *text = NULL;

	if (!command)
		return 0;
	mark_uuid(MINE, mine);
	mark_uuid(THEIRS, theirs);
	text = base_printf("f=%s at=1048576 mine=%s theirs=%s; "
			   "PATH=$PATH:/sbin:/usr/sbin; %s",
			   path, mine, theirs, command);
	argv[2] = text;
	return proc_ok(argv, NULL, e);
}

static int
make_image(const struct image *im, struct err *e)
{
	static const struct disk_want want = { .size = { .bytes = 40 * MIB },
					       .type = "linux" };
	struct disk_part part;

	if (truncate(path, 0) < 0 || truncate(path, IMAGE_BYTES) < 0)
		return err_sys(e, "truncate");
	if (im->label && (disk_label(path, im->label, im->labeler, e) < 0 ||
			  disk_partition(path, &want, &part, e) < 0))
		return -1;
	if (im->label && part.start != MIB)
		return err_set(e, ERR_SYS, "partition at %llu",
			       (unsigned long long)part.start);
	return shell(im->make, e) < 0 || shell(im->inside, e) < 0 ? -1 : 0;
}

static void
hash_image(char out[HASH_HEX])
{
	AUTO_FREE char *bytes = NULL;
	struct err e = { 0 };
	size_t len = 0;

	if (file_read(path, IMAGE_BYTES, &bytes, &len, &e) == 0)
		hash_hex(bytes, len, out);
}

static void
test_images(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(images); i++) {
		const struct image *im = &images[i];
		char before[HASH_HEX] = "a", after[HASH_HEX] = "b";
		struct guard_found f = { 0 };
		struct err e = { 0 };

		CHECK_SHOW(i, make_image(im, &e) == 0, "%s", e.text);
		hash_image(before);
		CHECK_SHOW(i, guard_look(path, MINE, &f, &e) == 0, "%s",
			   e.text);
		hash_image(after);
		CHECK(i, strcmp(before, after) == 0);
		CHECK_SHOW(i,
			   im->strange ? strstr(buf_text(&f.strange),
						im->strange) != NULL
				       : f.strange_len == 0,
			   "%s", buf_text(&f.strange));
		CHECK_SHOW(i, im->ours ? (int)f.ours >= im->ours : f.ours == 0,
			   "ours %zu", f.ours);
		guard_found_clear(&f);
		/* and what it found, it can erase */
		CHECK_SHOW(i, guard_wipe(path, &e) == 0, "%s", e.text);
		CHECK_SHOW(i,
			   guard_look(path, MINE, &f, &e) == 0 &&
				   f.strange_len == 0 && f.ours == 0,
			   "%s, ours %zu", buf_text(&f.strange), f.ours);
		guard_found_clear(&f);
	}
}

/* ---- sizes and partitions on images ---- */

static const struct {
	const char *text;
	uint64_t bytes;
	unsigned percent;
	int rest, bad;
} sizes[] = {
	{ "8G", 8ULL << 30, 0, 0, 0 },
	{ "8GiB", 8ULL << 30, 0, 0, 0 },
	{ "8GB", 8000000000ULL, 0, 0, 0 },
	{ "500M", 500ULL << 20, 0, 0, 0 },
	{ "1T", 1ULL << 40, 0, 0, 0 },
	{ "4096", 4096, 0, 0, 0 },
	{ "50%", 0, 50, 0, 0 },
	{ "100%", 0, 100, 0, 0 },
	{ "rest", 0, 0, 1, 0 },
	{ "", 0, 0, 0, 1 },
	{ "0", 0, 0, 0, 1 },
	{ "0%", 0, 0, 0, 1 },
	{ "101%", 0, 0, 0, 1 },
	{ "-1G", 0, 0, 0, 1 },
	{ "1.5G", 0, 0, 0, 1 },
	{ "8g", 0, 0, 0, 1 },
	{ "8Gb", 0, 0, 0, 1 },
	{ "8 G", 0, 0, 0, 1 },
	{ "G", 0, 0, 0, 1 },
	{ "9999999999999T", 0, 0, 0, 1 },
	{ "18446744073709551616", 0, 0, 0, 1 },
};

static void
test_sizes(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		struct disk_size got;
		struct err e = { 0 };
		int bad = disk_size_parse(sizes[i].text, &got, &e);

		CHECK_SHOW(i, (bad != 0) == sizes[i].bad, "%s", sizes[i].text);
		CHECK(i, bad || (got.bytes == sizes[i].bytes &&
				 got.percent == sizes[i].percent &&
				 got.rest == sizes[i].rest));
	}
}

static const struct {
	const char *table, *type;
	struct disk_size size;
	const char *name;
	int boot;
	uint64_t start, bytes;
	const char *why; /* refused with that */
} parts[] = {
	/* one after the other on one GPT … */
	{ "gpt", "bios", { .bytes = MIB }, "grub", 0, MIB, MIB, NULL },
	{ NULL,
	  "esp",
	  { .bytes = 5 * MIB + 1 },
	  NULL,
	  0,
	  2 * MIB,
	  6 * MIB,
	  NULL },
	{ NULL, "swap", { .percent = 25 }, NULL, 0, 8 * MIB, 15 * MIB, NULL },
	{ NULL,
	  "linux",
	  { .bytes = 1000 * MIB },
	  NULL,
	  0,
	  0,
	  0,
	  "the largest free part has" },
	{ NULL, "nonsense", { .rest = true }, NULL, 0, 0, 0, "is none of" },
	{ NULL,
	  "linux",
	  { .rest = true },
	  "root",
	  1,
	  23 * MIB,
	  40 * MIB,
	  NULL },
	{ NULL, "linux", { .rest = true }, NULL, 0, 0, 0, "no room" },
	/* … and on one MBR */
	{ "msdos", "linux", { .bytes = 8 * MIB }, NULL, 1, MIB, 8 * MIB, NULL },
	{ NULL, "bios", { .bytes = MIB }, NULL, 0, 0, 0, "for gpt" },
	{ NULL, "linux", { .bytes = MIB }, "x", 0, 0, 0, "has no name" },
	{ NULL, "lvm", { .bytes = MIB }, NULL, 0, 9 * MIB, MIB, NULL },
	{ NULL, "raid", { .bytes = MIB }, NULL, 0, 10 * MIB, MIB, NULL },
	{ NULL, "swap", { .bytes = MIB }, NULL, 0, 11 * MIB, MIB, NULL },
	{ NULL, "linux", { .rest = true }, NULL, 0, 0, 0, "partition" },
};

static void
test_parts(void)
{
	struct err e = { 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		const struct disk_want want = { parts[i].size, parts[i].type,
						parts[i].name, parts[i].boot };
		struct disk_part part = { 0 };
		int bad;

		if (parts[i].table) {
			CHECK(i, truncate(path, 0) == 0 &&
					 truncate(path, IMAGE_BYTES) == 0);
			CHECK_SHOW(i,
				   disk_label(path, parts[i].table, MINE, &e) ==
					   0,
				   "%s", e.text);
		}
		bad = disk_partition(path, &want, &part, &e);
		CHECK_SHOW(i, (bad != 0) == (parts[i].why != NULL), "%s",
			   bad ? e.text : "accepted");
		CHECK_SHOW(i, !bad || strstr(e.text, parts[i].why), "%s",
			   e.text);
		CHECK_SHOW(i,
			   bad || (part.start == parts[i].start &&
				   part.size == parts[i].bytes),
			   "start %llu size %llu",
			   (unsigned long long)part.start,
			   (unsigned long long)part.size);
	}
	CHECK(0, disk_label(path, "bsd", MINE, &e) < 0);
	CHECK(0, disk_label("/nonexistent", "gpt", MINE, &e) < 0);
}

int
main(void)
{
	AUTO_CLOSE int fd = mkstemp(path);

	if (fd < 0)
		return 99;
	test_marks();
	test_sizes();
	test_images();
	test_parts();
	unlink(path);
	return test_end();
}
