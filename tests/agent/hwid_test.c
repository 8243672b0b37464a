/* Names of disks. The two whole machines were captured from guests whose udev
 * agreed (tests/e2e/40_names.py); what QEMU cannot be is made by hand here. */
#include "agent/hwid.h"
#include "agent/hwid_names.h"
#include "agent/sysfs.h"
#include "lib/base.h"
#include "lib/file.h"
#include "tests/agent/fixture.h"
#include "tests/test.h"

static const struct {
	const char *name;
	bool good;
} names[] = {
	{ "sda", true },        { "sdaa", true },
	{ "hda", true },        { "vdb", true },
	{ "xvda", true },       { "nvme0n1", true },
	{ "nvme12n34", true },  { "mmcblk0", true },
	{ "sda1", false },      { "sr0", false },
	{ "loop0", false },     { "md0", false },
	{ "dm-0", false },      { "nvme0n1p1", false },
	{ "nvme0c1n1", false }, { "nvme0", false },
	{ "mmcblk0p1", false }, { "mmcblk0boot0", false },
	{ "sd", false },        { "", false },
	{ "ram0", false },      { "zram0", false },
	{ "sda/../x", false },
};

static const struct {
	const char *text, *word;
} words[] = {
	{ "  QEMU   HARDDISK ", "QEMU_HARDDISK" },
	{ "a/b(c)", "a_b_c_" },
	{ "a-b+c.d:e=f@g_h#i", "a-b+c.d:e=f@g_h#i" },
	{ " \t ", "" },
};

/* One disk each: where it is, and what else the walk looks at. */
#define CARD "/sys/devices/pci0000:00/0000:00:05.0"
#define ON_PCI                                                                 \
	"l " CARD "/subsystem ../../../bus/pci\n"                              \
	"f /sys/block/size 0\n"
#define DISK(place, name)                                                      \
	"l /sys/block/" name " ../.." place "/block/" name "\n"                \
	"f " place "/block/" name "/size 100\n"                                \
	"l " place "/block/" name "/subsystem /sys/class/block\n"
#define SCSI(place) "l " place "/subsystem /sys/bus/scsi\n"

#define SAS_PORT CARD "/host1/port-1:0/expander-1:0/port-1:0:4"
#define SAS_DISK SAS_PORT "/end_device-1:0:4/target1:0:9/1:0:9:0"
#define SAS_ONE CARD "/host1/port-1:2/end_device-1:2/target1:0:0/1:0:0:0"
#define FC_DISK CARD "/host7/rport-7:0-3/target7:0:2/7:0:2:300"
#define ISCSI_DISK CARD "/host8/session1/target8:0:0/8:0:0:1"
#define PMP_DISK CARD "/ata3/host2/target2:2:0/2:2:0:0"
#define SECOND_HOST CARD "/host5/target5:0:0/5:0:0:0"
#define VMD "/sys/devices/pci0000:5d/0000:5d:05.5/pci10000:00/10000:00:02.0"
#define SHARED "/sys/devices/virtual/nvme-subsystem/nvme-subsys2"
#define MMC_PCI CARD "/mmc_host/mmc0/mmc0:0001"
#define MMC_SOC "/sys/devices/platform/soc/fe340000.mmc/mmc_host/mmc0/mmc0:1"

static const struct {
	const char *lines, *name, *by_path;
} places[] = {
	{ ON_PCI DISK(SAS_DISK, "sda") SCSI(SAS_DISK) /* behind an expander */
	  "f /sys/class/sas_port/port-1:0:4/num_phys 1\n"
	  "f /sys/class/sas_device/end_device-1:0:4/phy_identifier 12\n"
	  "f /sys/class/sas_device/end_device-1:0:4/sas_address 0x5000c5\n"
	  "f /sys/class/sas_device/expander-1:0/sas_address "
	  "0x500304800a\n",
	  "sda", "pci-0000:00:05.0-sas-exp0x500304800a-phy12-lun-0" },
	{ ON_PCI DISK(SAS_ONE, "sdb") SCSI(SAS_ONE) /* a wide port */
	  "f /sys/class/sas_port/port-1:2/num_phys 4\n"
	  "f /sys/class/sas_device/end_device-1:2/sas_address 0x5000c5\n",
	  "sdb", "pci-0000:00:05.0-sas-0x5000c5-lun-0" },
	{ ON_PCI DISK(FC_DISK, "sdc") SCSI(
		  FC_DISK) "f /sys/class/fc_remote_ports/rport-7:0-3/port_name "
			   "0x5006\n",
	  "sdc", "pci-0000:00:05.0-fc-0x5006-lun-0x012c000000000000" },
	{ ON_PCI DISK(ISCSI_DISK, "sdd") SCSI(ISCSI_DISK), "sdd", NULL },
	{ ON_PCI DISK(PMP_DISK, "sde")
		  SCSI(PMP_DISK) "f /sys/class/ata_port/ata3/port_no 3\n",
	  "sde", "pci-0000:00:05.0-ata-3.2.0" },
	{ ON_PCI DISK(SECOND_HOST, "sdf") SCSI(SECOND_HOST) "f " CARD
							    "/host4/x 1\n",
	  "sdf", "pci-0000:00:05.0-scsi-1:0:0:0" },
	{ DISK(VMD "/nvme/nvme0", "nvme0n1") /* a PCI bus behind a device */
	  "f " VMD "/nvme/nvme0/block/nvme0n1/nsid 1\n"
	  "l " VMD "/subsystem /sys/bus/pci\n"
	  "l /sys/devices/pci0000:5d/0000:5d:05.5/subsystem /sys/bus/pci\n",
	  "nvme0n1", "pci-0000:5d:05.5-pci-10000:00:02.0-nvme-1" },
	{ ON_PCI DISK(SHARED, "nvme3n2") /* a namespace of several paths */
	  "f " SHARED "/block/nvme3n2/nsid 2\n"
	  "f " CARD "/nvme/nvme3/model X\n"
	  "l /sys/class/nvme/nvme3 ../../.." CARD "/nvme/nvme3\n",
	  "nvme3n2", "pci-0000:00:05.0-nvme-2" },
	{ ON_PCI DISK(MMC_PCI, "mmcblk0"), "mmcblk0", NULL },
	{ DISK(MMC_SOC,
	       "mmcblk0") "l /sys/devices/platform/soc/fe340000.mmc/subsystem "
			  "/sys/bus/platform\n",
	  "mmcblk0", "platform-fe340000.mmc" },
	{ DISK("/sys/devices/vbd-51712", "xvda"), "xvda", NULL },
};

static void
test_places(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(places); i++) {
		char *root = fixture_make();
		AUTO_FREE char *got = NULL;

		fixture_add(root, places[i].lines);
		got = hwid_by_path(root, places[i].name);
		CHECK_SHOW(i, str_eq(got, places[i].by_path), "%s",
			   got ? got : "(none)");
		fixture_remove(root);
	}
}

/* Words of one machine that find a disk, or not. */
static const struct {
	const char *word, *name, *why; /* `why`: part of the refusal */
} finds[] = {
	{ "vda", "vda", NULL },
	{ "/dev/vda", "vda", NULL },
	{ "VIRTIO-1", "vda", NULL },
	{ "virtio-VIRTIO-1", "vda", NULL },
	{ "/dev/disk/by-id/virtio-VIRTIO-1", "vda", NULL },
	{ "pci-0000:00:1f.2-ata-4.0", "@QM00007", NULL },
	{ "/dev/disk/by-path/pci-0000:00:1f.2-ata-4.0", "@QM00007", NULL },
	{ "0x5000c500a1b2c3d4", "@ATA 01", NULL },
	{ "5000C500A1B2C3D4", "@ATA 01", NULL },
	{ "naa.5000c500a1b2c3d4", "@ATA 01", NULL },
	{ "wwn-0x5000c500a1b2c3d4", "@ATA 01", NULL },
	{ "NVME 8", "nvme0n1", NULL },
	{ "sdz", NULL, "no disk has this name" },
	{ "sr0", NULL, "no disk has this name" },
	{ "", NULL, "no disk has this name" },
	{ "/dev/", NULL, "no disk has this name" },
};

/* `name` is the disk, or "@" and its serial: kernels name SCSI disks in the
 * order in which they answered. */
static void
test_find(const char *root)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(finds); i++) {
		AUTO_FREE char *got = NULL;
		AUTO_CLEAR(hwid_disk) d = { 0 };
		struct err e = { 0 };
		const char *want = finds[i].name;

		if (!want) {
			CHECK(i, hwid_find(root, finds[i].word, &got, &e) < 0);
			CHECK(i, e.kind == ERR_REFUSED && !got);
			CHECK_SHOW(i, strstr(e.text, finds[i].why), "%s",
				   e.text);
			continue;
		}
		CHECK_SHOW(i, hwid_find(root, finds[i].word, &got, &e) == 0,
			   "%s", e.text);
		if (!got || hwid_disk(root, got, &d, &e) < 0)
			continue;
		CHECK_SHOW(i,
			   *want == '@' ? str_eq(d.serial, want + 1)
					: str_eq(got, want),
			   "%s", got);
	}
}

/* Two disks that say the same serial: neither is taken. */
static void
test_twins(void)
{
	char *root = fixture_make();
	AUTO_FREE char *got = NULL;
	struct err e = { 0 };

	fixture_add(root,
		    DISK(CARD "/virtio0", "vda")
			    DISK(CARD "/virtio1",
				 "vdb") "f " CARD
					"/virtio0/block/vda/serial TWIN\n"
					"f " CARD
					"/virtio1/block/vdb/serial TWIN\n");
	CHECK(0, hwid_find(root, "TWIN", &got, &e) < 0);
	CHECK(0, e.kind == ERR_REFUSED && !got);
	CHECK_SHOW(0, strstr(e.text, "both vda and vdb"), "%s", e.text);
	fixture_remove(root);
}

static void
test_order(void)
{
	static const char *const want[] = { "nvme0n1", "nvme0n2", "nvme0n10",
					    "sda",     "sdb",     "sdaa",
					    "vda",     NULL };
	char *root = fixture_make();
	char **got;
	size_t i;

	fixture_add(root, "f /sys/block/sdaa/size 8\nf /sys/block/sdb/size 8\n"
			  "f /sys/block/nvme0n10/size 8\n"
			  "f /sys/block/nvme0n2/size 8\n"
			  "f /sys/block/nvme0n1/size 8\n"
			  "f /sys/block/sda/size 8\nf /sys/block/vda/size 8\n"
			  "f /sys/block/sdc/size 0\nf /sys/block/sdd/size x\n"
			  "f /sys/block/hdc/size 8\n"
			  "f /sys/block/hdc/device/type 5\n"
			  "f /sys/block/loop0/size 8\n");
	got = hwid_disks(root);
	for (i = 0; want[i] && got[i]; i++)
		CHECK_SHOW(i, str_eq(got[i], want[i]), "%s", got[i]);
	CHECK(0, !want[i] && !got[i]);
	names_free(got);
	fixture_remove(root);
}

int
main(void)
{
	char *root = fixture_make();
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		CHECK(i, hwid_disk_name(names[i].name) == names[i].good);
	for (i = 0; i < ARRAY_LEN(words); i++) {
		AUTO_FREE char *word = hwid_udev_word(words[i].text);

		CHECK_SHOW(i, str_eq(word, words[i].word), "%s", word);
	}
	CHECK(0, natural_cmp("eth2", "eth10") < 0);
	CHECK(0, natural_cmp("eth10", "eth2") > 0);
	CHECK(0, natural_cmp("eth2", "eth2") == 0);
	CHECK(0, natural_cmp("eth", "eth0") < 0);
	test_order();
	test_places();
	test_twins();
	fixture_load(root, "q35");
	test_find(root);
	fixture_remove(root);
	return test_end();
}
