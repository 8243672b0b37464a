/* The facts of whole machines: two that were captured from guests, one made
 * by hand for what they cannot be. Rows name a fact that has to be there, or
 * with NULL one that must not. */
#include "agent/detect.h"
#include "agent/probe_ethtool.h"
#include "lib/base.h"
#include "tests/agent/fixture.h"
#include "tests/test.h"

struct row {
	const char *cls, *name, *property, *value;
};

/* Beside the capture: names of PCI devices, and a link that is up. */
#define E1000E "/sys/devices/pci0000:00/0000:00:02.0/net/enp0s2"
static const char q35_more[] =
	"t /usr/share/misc/pci.ids 5\n"
	"8086  Intel Corporation\n"
	"\t10d3  82574L Gigabit Network Connection\n"
	"C 02  Network controller\n"
	"\t00  Ethernet controller\n"
	"C 03  Display controller\n"
	"f " E1000E "/carrier 1\nf " E1000E "/speed 1000\n"
	"f " E1000E "/duplex full\n"
	"t /etc/os-release 2\n"
	"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
	"ID=debian\n";

static const struct row q35[] = {
	{ "disk", "logical", "count", "9" },
	{ "disk", "vda", "size", "1" },
	{ "disk", "vda", "serial", "VIRTIO-1" },
	{ "disk", "vda", "id", "virtio-VIRTIO-1" },
	{ "disk", "vda", "rotational", "1" },
	{ "disk", "vda", "physical_block_size", "512" },
	{ "disk", "vda", "wwn-id", NULL },
	{ "disk", "vdb", "serial", NULL },
	{ "disk", "vdb", "id", NULL },
	{ "disk", "nvme0n1", "model", "QEMU NVMe Ctrl" },
	{ "disk", "nvme0n1", "serial", "NVME 8" },
	{ "disk", "nvme0n1", "rotational", "0" },
	{ "disk", "sr0", NULL, NULL },
	{ "system", "product", "serial", "SN-0001" },
	{ "system", "product", "name", "Box 9000 (654081-B21)" },
	{ "system", "product", "vendor", "Example Corp" },
	{ "system", "product", "version", "A1" },
	{ "system", "product", "uuid", "7e5f1a90-2f7b-4d0e-9f0a-0123456789ab" },
	{ "system", "motherboard", "name", "Board X" },
	{ "system", "motherboard", "serial", "BRD-7" },
	{ "firmware", "bios", "version", "1.2" },
	{ "firmware", "bios", "date", "01/02/2026" },
	{ "system", "os", "vendor", "Debian" },
	{ "system", "os", "version", "Debian GNU/Linux 12 (bookworm)" },
	{ "system", "kernel", "version", "6.1.0-56-amd64" },
	{ "system", "kernel", "arch", "x86_64" },
	{ "system", "kernel", "cmdline", "console=ttyS0 quiet rdinit=/init" },
	{ "memory", "total", "size", "1073741824" },
	{ "memory", "bank:0", "size", "1073741824" },
	{ "memory", "bank:0", "vendor", "Chips" },
	{ "memory", "bank:0", "product", "P-4" },
	{ "memory", "bank:0", "slot", "DIMM 0" },
	{ "memory", "banks", "count", "1" },
	{ "network", "lo", NULL, NULL },
	{ "network", "enp0s1", "businfo", "virtio@0" },
	{ "network", "enp0s1", "driver", "virtio_net" },
	{ "network", "enp0s1", "link", "no" },
	{ "network", "enp0s1", "size", NULL },
	{ "network", "enp0s1", "vendor", "1af4" }, /* not in this pci.ids */
	{ "network", "enp0s1", "permanent-serial", "52:54:00:aa:00:01" },
	{ "network", "enp0s2", "businfo", "pci@0000:00:02.0" },
	{ "network", "enp0s2", "vendor", "Intel Corporation" },
	{ "network", "enp0s2", "product", "82574L Gigabit Network Connection" },
	{ "network", "enp0s2", "serial", "52:54:00:aa:00:02" },
	{ "network", "enp0s2", "link", "yes" },
	{ "network", "enp0s2", "size", "1000000000" },
	{ "network", "enp0s2", "speed", "1Gbit/s" },
	{ "network", "enp0s2", "duplex", "full" },
	{ "network", "enx525400aa0003", "businfo", "usb@1:1" },
	{ "network", "enx525400aa0003", "driver", "cdc_ether" },
	{ "cpu", "physical", "number", "2" },
	{ "cpu", "physical_0", "cores", "2" },
	{ "cpu", "physical_1", "threads", "2" },
	{ "cpu", "physical_1", "physid", "1" },
	{ "cpu", "physical_0", "vendor", "Advanced Micro Devices [AMD]" },
	{ "cpu", "physical_2", NULL, NULL },
	{ "cpu", "logical", "number", "4" },
	{ "pci", "0000:00:02.0", "id", "8086:10d3" },
	{ "pci", "0000:00:02.0", "class", "Ethernet controller" },
	{ "pci", "0000:00:02.0", "driver", "e1000e" },
	{ "pci", "0000:00:1f.2", "product", "2922" },
	{ NULL, NULL, NULL, NULL },
};

static const struct row pc[] = {
	{ "disk", "logical", "count", "6" },
	{ "disk", "sdc", "by-path", "pci-0000:00:03.0-scsi-0:0:2:0" },
	{ "disk", "sdc", "scsi-id", "scsi-0QEMU_QEMU_HARDDISK_Some_Id" },
	{ "disk", "sdd", "wwn", "0x6000c50000000004" },
	{ "disk", "sdd", "wwn-id", "wwn-0x6000c50000000004" },
	{ "disk", "sde", "by-path", "pci-0000:00:05.0-sas-phy3-lun-0" },
	{ "disk", "sde", "serial", "SAS-5" },
	{ "disk", "sde", "vendor", "QEMU" },
	{ "disk", "sde", "rev", "2.5+" },
	{ NULL, NULL, NULL, NULL },
};

/* An ARM board with no firmware table, a virtual bridge, and a serial that
 * nobody filled in. */
static const char odd_lines[] =
	"f /sys/class/dmi/id/product_serial 0123456789\n"
	"f /sys/class/dmi/id/product_uuid 11111111-2222-3333-4444-5555\n"
	"f /sys/class/dmi/id/product_name Board\n"
	"f /sys/class/dmi/id/product_sku Not Specified\n"
	"f /proc/meminfo MemTotal:  2048 kB\n"
	"f /proc/cmdline quiet FAKEIPMI\n"
	"t /proc/cpuinfo 4\n"
	"processor\t: 0\n"
	"\n"
	"processor\t: 1\n"
	"Features\t: fp asimd\n"
	"f /sys/devices/system/cpu/cpu1/topology/physical_package_id 36\n"
	"f /sys/block/mmcblk0/size 15269888\n"
	"f /sys/block/mmcblk0/device/name DA4064\n"
	"f /sys/block/mmcblk0/device/serial 0x1234abcd\n"
	"f /sys/block/xvda/size 41943040\n"
	"f /sys/class/net/br0/type 1\n"
	"f /sys/class/net/br0/address 02:00:00:00:00:01\n"
	"f /sys/class/net/eth0/type 1\n"
	"f /sys/class/net/eth0/address 02:00:00:00:00:02\n"
	"f /sys/class/net/eth0/addr_assign_type 3\n"
	"f /sys/class/net/eth0/speed -1\n"
	"f /sys/class/net/eth0/duplex unknown\n"
	"f /sys/class/net/eth0/device/x 1\n";

static const struct row odd[] = {
	{ "system", "product", "serial", "11111111-2222-3333-4444-5555" },
	{ "system", "product", "name", "Board" },
	{ "system", "ipmi-fake", "channel", "0" },
	{ "memory", "total", "size", "2097152" },
	{ "memory", "banks", "count", NULL },
	{ "cpu", "physical", "number", "2" },
	{ "cpu", "physical_1", "physid", "36" },
	{ "cpu", "physical_0", "threads", "1" },
	{ "cpu", "physical_0", "vendor", NULL },
	{ "cpu", "logical", "number", "2" },
	{ "disk", "logical", "count", "2" },
	{ "disk", "mmcblk0", "id", "mmc-DA4064_0x1234abcd" },
	{ "disk", "mmcblk0", "size", "7" },
	{ "disk", "xvda", "size", "21" },
	{ "network", "br0", NULL, NULL },
	{ "network", "eth0", "serial", "02:00:00:00:00:02" },
	{ "network", "eth0", "permanent-serial", NULL }, /* it was set */
	{ "network", "eth0", "size", NULL },
	{ "network", "eth0", "duplex", NULL },
	{ "pci", NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL },
};

static const struct {
	const char *tree, *lines;
	const struct row *rows;
} machines[] = {
	{ "q35", q35_more, q35 },
	{ "pc", "", pc },
	{ NULL, odd_lines, odd },
};

static void
check_row(size_t i, const struct facts *out, const struct row *r)
{
	const char *got = facts_find(out, r->cls, r->name, r->property);

	CHECK_SHOW(i, str_eq(got, r->value), "%s %s %s: %s, wanted %s", r->cls,
		   r->name ? r->name : "*", r->property ? r->property : "*",
		   got ? got : "(none)", r->value ? r->value : "(none)");
}

static void
test_machine(size_t m)
{
	AUTO_CLEAR(detect_notes) notes = { 0 };
	AUTO_CLEAR(buf) first = { 0 }, second = { 0 };
	AUTO(facts) out = facts_new();
	AUTO(facts) again = facts_new();
	char *root = fixture_make();
	struct err e = { 0 };
	size_t i;

	if (machines[m].tree)
		fixture_load(root, machines[m].tree);
	fixture_add(root, machines[m].lines);
	CHECK(m, detect(root, out, &notes, &e) == 0);
	CHECK_SHOW(m, notes.lines.len == 0, "%s", buf_text(&notes.lines));
	for (i = 0; machines[m].rows[i].cls; i++)
		check_row(i, out, &machines[m].rows[i]);
	CHECK(m, detect(root, again, &notes, &e) == 0);
	facts_to_json(out, &first);
	facts_to_json(again, &second);
	CHECK(m, str_eq(buf_text(&first), buf_text(&second)));
	fixture_remove(root);
}

/* A folder with nothing in it: notes say what could not be found, and the
 * only fact is that there is no disk. */
static void
test_nothing(void)
{
	AUTO_CLEAR(detect_notes) notes = { 0 };
	AUTO(facts) out = facts_new();
	char *root = fixture_make();
	struct err e = { 0 };

	CHECK(0, detect(root, out, &notes, &e) == 0);
	CHECK(0, facts_len(out) == 1);
	CHECK(0, str_eq(facts_find(out, "disk", "logical", "count"), "0"));
	CHECK(0, strstr(buf_text(&notes.lines), "memory: "));
	CHECK(0, strstr(buf_text(&notes.lines), "cpu: "));
	fixture_remove(root);
}

static const struct {
	const unsigned char address[4], mask[4];
	const char *netmask, *cidr, *network;
} nets[] = {
	{ { 10, 1, 2, 3 },
	  { 255, 255, 255, 0 },
	  "255.255.255.0",
	  "24",
	  "10.1.2.0" },
	{ { 10, 1, 2, 203 },
	  { 255, 255, 255, 192 },
	  "255.255.255.192",
	  "26",
	  "10.1.2.192" },
	{ { 10, 1, 2, 3 },
	  { 255, 255, 255, 255 },
	  "255.255.255.255",
	  "32",
	  "10.1.2.3" },
	{ { 10, 1, 2, 3 }, { 0, 0, 0, 0 }, "0.0.0.0", "0", "0.0.0.0" },
};

static void
test_ipv4(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(nets); i++) {
		struct ipv4_words w;
		unsigned address, mask;

		memcpy(&address, nets[i].address, 4);
		memcpy(&mask, nets[i].mask, 4);
		ipv4_make(address, mask, &w);
		CHECK(i, str_eq(w.netmask, nets[i].netmask));
		CHECK(i, str_eq(w.cidr, nets[i].cidr));
		CHECK(i, str_eq(w.network, nets[i].network));
	}
}

int
main(void)
{
	size_t m;

	for (m = 0; m < ARRAY_LEN(machines); m++)
		test_machine(m);
	test_nothing();
	test_ipv4();
	return test_end();
}
