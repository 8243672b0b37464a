/* Disks as the kernel shows them. The first eDeploy took sd, hd, vd and nvme;
 * xvd (Xen) and mmcblk (soldered flash) are added, because machines boot from
 * them and a profile could not name them. */
#include <inttypes.h>

#include "agent/hwid.h"
#include "agent/probe.h"
#include "agent/sysfs.h"
#include "lib/file.h"

#define GB UINT64_C(1000000000)

/* NVMe's namespace hangs below its controller, which knows the words. */
static char *
device_word(const char *root, const char *name, const char *word)
{
	char *value = sys_line(root, "/sys/block/%s/device/%s", name, word);

	return value ? value
		     : sys_line(root, "/sys/block/%s/device/device/%s", name,
				word);
}

static char *
revision(const char *root, const char *name)
{
	static const char *const words[] = { "rev", "revision",
					     "firmware_rev" };
	char *value = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(words) && !value; i++)
		value = device_word(root, name, words[i]);
	return value;
}

static void
add_queue(const char *root, const char *name, struct facts *out)
{
	static const char *const words[] = { "optimal_io_size",
					     "physical_block_size",
					     "rotational" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		fact_take(out, "disk", name, words[i],
			  sys_line(root, "/sys/block/%s/queue/%s", name,
				   words[i]));
}

static const char *
id_property(const char *by_id)
{
	if (str_starts(by_id, "wwn-"))
		return "wwn-id";
	return str_starts(by_id, "scsi-") ? "scsi-id" : "id";
}

static void
add_identity(const struct hwid_disk *d, struct facts *out)
{
	size_t i;

	if (d->serial)
		facts_add(out, "disk", d->name, "serial", d->serial);
	if (d->wwn)
		facts_add(out, "disk", d->name, "wwn", d->wwn);
	if (d->by_path)
		facts_add(out, "disk", d->name, "by-path", d->by_path);
	for (i = 0; i < d->by_id_len; i++)
		facts_add(out, "disk", d->name, id_property(d->by_id[i]),
			  d->by_id[i]);
}

static int
add_disk(const char *root, const char *name, struct facts *out, struct err *e)
{
	AUTO_CLEAR(hwid_disk) d = { 0 };

	if (hwid_disk(root, name, &d, e) < 0)
		return -1;
	facts_addf(out, "disk", name, "size", "%" PRIu64, d.size_bytes / GB);
	fact_take(out, "disk", name, "vendor",
		  device_word(root, name, "vendor"));
	fact_take(out, "disk", name, "model", device_word(root, name, "model"));
	fact_take(out, "disk", name, "rev", revision(root, name));
	add_queue(root, name, out);
	add_identity(&d, out);
	return 0;
}

int
probe_disk(const char *root, struct facts *out, struct err *e)
{
	char **names = hwid_disks(root);
	size_t i, len = 0;
	int rc = 0;

	while (names[len])
		len++;
	facts_addf(out, "disk", "logical", "count", "%zu", len);
	for (i = 0; i < len; i++)
		if (add_disk(root, names[i], out, e) < 0)
			rc = -1;
	names_free(names);
	return rc;
}
