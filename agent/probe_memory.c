/* How much memory there is and in which slots. The total is that of the
 * modules, as lshw counted it: 17179869184, not what the kernel left of it. */
#include <inttypes.h>
#include <stdio.h>

#include "agent/probe.h"
#include "agent/probe_dmi.h"
#include "agent/sysfs.h"
#include "lib/base.h"
#include "lib/file.h"

static void
add_number(struct facts *out, const char *name, const char *property,
	   uint64_t value)
{
	if (value)
		facts_addf(out, "memory", name, property, "%" PRIu64, value);
}

static void
add_word(struct facts *out, const char *name, const char *property,
	 const char *value)
{
	if (value)
		facts_add(out, "memory", name, property, value);
}

static void
add_bank(struct facts *out, const char *name, const struct dmi_bank *b)
{
	add_number(out, name, "size", b->size_bytes);
	add_number(out, name, "clock", b->clock_hz);
	add_word(out, name, "description", b->description);
	add_word(out, name, "vendor", b->vendor);
	add_word(out, name, "product", b->product);
	add_word(out, name, "serial", b->serial);
	add_word(out, name, "slot", b->slot);
}

/* bank:N, or bank:M:N where there is more than one array M. */
static void
add_banks(struct facts *out, const struct dmi *d)
{
	unsigned next[64] = { 0 };
	size_t i;

	for (i = 0; i < d->banks; i++) {
		unsigned array = d->bank[i].array % ARRAY_LEN(next);
		char name[40];

		if (d->arrays > 1)
			snprintf(name, sizeof(name), "bank:%u:%u", array,
				 next[array]++);
		else
			snprintf(name, sizeof(name), "bank:%u", next[array]++);
		add_bank(out, name, &d->bank[i]);
	}
	if (d->banks > 0)
		facts_addf(out, "memory", "banks", "count", "%zu", d->banks);
}

/* Blocks that are online, or 0 when the kernel has no memory hotplug. */
static uint64_t
sysfs_bytes(const char *root)
{
	const char *dir = "/sys/devices/system/memory";
	AUTO_FREE char *block = sys_line(root, "%s/block_size_bytes", dir);
	uint64_t size = block ? strtoull(block, NULL, 16) : 0, total = 0;
	char **names = sys_names(root, "%s", dir);
	size_t i;

	for (i = 0; names[i]; i++) {
		AUTO_FREE char *online = NULL;

		if (!str_starts(names[i], "memory"))
			continue;
		online = sys_line(root, "%s/%s/online", dir, names[i]);
		if (str_eq(online, "1"))
			total += size;
	}
	names_free(names);
	return total;
}

static uint64_t
meminfo_bytes(const char *root)
{
	AUTO_FREE char *line = sys_line(root, "/proc/meminfo");
	uint64_t kib;

	if (!line || sscanf(line, "MemTotal: %" SCNu64 " kB", &kib) != 1)
		return 0;
	return kib * 1024;
}

int
probe_memory(const char *root, struct facts *out, struct err *e)
{
	AUTO(dmi) d = dmi_read(root);
	uint64_t total = 0;
	size_t i;

	for (i = 0; d && i < d->banks; i++)
		total += d->bank[i].size_bytes;
	if (!total)
		total = sysfs_bytes(root);
	if (!total)
		total = meminfo_bytes(root);
	if (!total)
		return err_set(e, ERR_SYS,
			       "no DMI table, no /proc/meminfo: is /proc "
			       "mounted?");
	add_number(out, "total", "size", total);
	if (d)
		add_banks(out, d);
	return 0;
}
