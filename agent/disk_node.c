/* From a partition to its node, and from text to a size. The node's name is
 * read from the kernel, never put together: sda1, nvme0n1p1, and whatever
 * comes next. */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/base.h"
#include "lib/clock.h"
#include "lib/file.h"
#include "lib/num.h"

#include "agent/disk.h"

static bool
sysfs_says(const char *dir, const char *file, uint64_t want)
{
	AUTO_FREE char *path = base_printf("%s/%s", dir, file);
	AUTO_FREE char *text = file_line("", path);
	struct err ignored;
	uint64_t value;

	return text &&
	       num_u64(text, 0, UINT64_MAX, &value, file, &ignored) == 0 &&
	       value == want;
}

/* Start and size are in units of 512 bytes in sysfs, whatever the sector. */
static char *
look_for(const char *disk, const struct disk_part *part)
{
	AUTO_FREE char *top = base_printf("/sys/class/block/%s", disk);
	char **names = dir_names(top), *found = NULL;
	size_t i;

	for (i = 0; names && names[i] && !found; i++) {
		AUTO_FREE char *dir = base_printf("%s/%s", top, names[i]);
		AUTO_FREE char *node = base_printf("/dev/%s", names[i]);
		struct stat st;

		if (str_starts(names[i], disk) &&
		    sysfs_says(dir, "partition", (uint64_t)part->number) &&
		    sysfs_says(dir, "start", part->start / 512) &&
		    sysfs_says(dir, "size", part->size / 512) &&
		    stat(node, &st) == 0 && S_ISBLK(st.st_mode))
			found = STEAL(node);
	}
	names_free(names);
	return found;
}

int
disk_part_node(const char *node, const struct disk_part *part, int wait_ms,
	       char **out, struct err *e)
{
	static const struct timespec pause = { 0, 20L * 1000 * 1000 };
	AUTO_FREE char *real = realpath(node, NULL);
	const char *name = real ? strrchr(real, '/') : NULL;
	int64_t end_ms = clock_boot_ms() + wait_ms;

	if (!name)
		return err_sys(e, "%s", node);
	while (!(*out = look_for(name + 1, part))) {
		if (clock_boot_ms() >= end_ms)
			return err_set(e, ERR_SYS,
				       "the kernel shows no node for partition "
				       "%d of %s after %d ms",
				       part->number, node, wait_ms);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* ---- sizes ---- */

static int
unit_of(const char *text, uint64_t *unit)
{
	static const char letters[] = "KMGT";
	const char *letter = *text ? strchr(letters, *text) : NULL;
	uint64_t base = str_eq(letter ? text + 1 : "", "B") ? 1000 : 1024;
	const char *end = text + 1;
	size_t i;

	*unit = 1;
	if (!*text)
		return 0;
	if (!letter)
		return -1;
	for (i = 0; i <= (size_t)(letter - letters); i++)
		*unit *= base;
	return *end && !str_eq(end, "B") && !str_eq(end, "iB") ? -1 : 0;
}

int
disk_size_parse(const char *text, struct disk_size *out, struct err *e)
{
	size_t digits = strspn(text, "0123456789");
	AUTO_FREE char *number = base_strndup(text, digits);
	struct err ignored;
	uint64_t n, unit;

	*out = (struct disk_size){ 0 };
	if (str_eq(text, "rest")) {
		out->rest = true;
		return 0;
	}
	if (num_u64(number, 1, UINT64_MAX, &n, "size", &ignored) < 0)
		goto refuse;
	if (str_eq(text + digits, "%")) {
		out->percent = n <= 100 ? (unsigned)n : 0;
		if (n <= 100)
			return 0;
		goto refuse;
	}
	if (unit_of(text + digits, &unit) < 0 || n > INT64_MAX / unit)
		goto refuse;
	out->bytes = n * unit;
	return 0;

refuse:
	return err_set(e, ERR_INPUT,
		       "size '%.40s' is none of '8G', '500M', '8GB', '50%%', "
		       "'rest'",
		       text);
}
