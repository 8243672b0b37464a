/* Disks by what they are. A kernel name is an accident of the order in which
 * controllers answered; serial, WWN and place stay. */
#include <ctype.h>
#include <stdio.h>

#include "agent/hwid.h"
#include "agent/hwid_names.h"
#include "agent/sysfs.h"
#include "lib/file.h"
#include "lib/num.h"

/* `name` has the form: '#' stands for digits, '@' for lower-case letters, and
 * everything else for itself. */
static bool
has_form(const char *name, const char *form)
{
	for (; *form; form++) {
		const char *start = name;

		if (*form == '#')
			while (isdigit((unsigned char)*name))
				name++;
		else if (*form == '@')
			while (islower((unsigned char)*name))
				name++;
		else if (*name == *form)
			name++;
		if (name == start)
			return false;
	}
	return *name == '\0';
}

bool
hwid_disk_name(const char *name)
{
	/* Not "nvme0n1p1", a partition, nor "nvme0c1n1", one of several paths
	 * to a disk, nor "mmcblk0boot0". */
	static const char *const forms[] = { "sd@",  "hd@",     "vd@",
					     "xvd@", "nvme#n#", "mmcblk#" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(forms); i++)
		if (has_form(name, forms[i]))
			return true;
	return false;
}

static uint64_t
disk_bytes(const char *root, const char *name)
{
	AUTO_FREE char *line = sys_line(root, "/sys/block/%s/size", name);
	struct err e = { 0 };
	uint64_t sectors = 0;

	/* Sectors of 512 bytes, whatever the disk's own are. */
	if (!line || num_u64(line, 0, UINT64_MAX / 512, &sectors, "size", &e))
		return 0;
	return sectors * 512;
}

/* A drive whose medium is not there now is no disk; neither is a CD-ROM that
 * an old driver calls hdc (SCSI type 5). */
static bool
disk_counts(const char *root, const char *name)
{
	AUTO_FREE char *type = NULL;

	if (!hwid_disk_name(name) || disk_bytes(root, name) == 0)
		return false;
	type = sys_line(root, "/sys/block/%s/device/type", name);
	return !str_eq(type, "5");
}

/* sda, sdb, …, sdz, sdaa: letters count like digits, shorter is earlier. */
static int
by_count(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	if (isdigit((unsigned char)(*x)[strlen(*x) - 1]) ||
	    strncmp(*x, *y, 2) != 0 || strlen(*x) == strlen(*y))
		return natural_cmp(*x, *y);
	return strlen(*x) < strlen(*y) ? -1 : 1;
}

char **
hwid_disks(const char *root)
{
	char **names = sys_names(root, "/sys/block");
	size_t i, kept = 0;

	for (i = 0; names[i]; i++) {
		if (disk_counts(root, names[i]))
			names[kept++] = names[i];
		else
			free(names[i]);
	}
	names[kept] = NULL;
	qsort(names, kept, sizeof(*names), by_count);
	return names;
}

int
hwid_disk(const char *root, const char *name, struct hwid_disk *out,
	  struct err *e)
{
	*out = (struct hwid_disk){ 0 };
	if (!disk_counts(root, name))
		return err_set(e, ERR_REFUSED, "%s: there is no such disk",
			       name);
	out->name = base_strdup(name);
	out->size_bytes = disk_bytes(root, name);
	out->by_path = hwid_by_path(root, name);
	hwid_names(root, out);
	return 0;
}

void
hwid_disk_clear(struct hwid_disk *d)
{
	size_t i;

	free(d->name);
	free(d->serial);
	free(d->wwn);
	free(d->by_path);
	for (i = 0; i < d->by_id_len; i++)
		free(d->by_id[i]);
	*d = (struct hwid_disk){ 0 };
}

/* The WWN without the words that people and tools put in front. */
static const char *
wwn_digits(const char *wwn)
{
	static const char *const heads[] = { "wwn-", "naa.", "eui.", "0x" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(heads); i++)
		if (str_starts(wwn, heads[i]))
			wwn += strlen(heads[i]);
	return wwn;
}

static bool
disk_is(const struct hwid_disk *d, const char *word)
{
	size_t i;

	if (str_eq(d->name, word) || str_eq(d->serial, word) ||
	    str_eq(d->by_path, word))
		return true;
	if (d->wwn && strcasecmp(wwn_digits(d->wwn), wwn_digits(word)) == 0)
		return true;
	for (i = 0; i < d->by_id_len; i++)
		if (str_eq(d->by_id[i], word))
			return true;
	return false;
}

static const char *
without_directory(const char *word)
{
	static const char *const dirs[] = { "/dev/disk/by-id/",
					    "/dev/disk/by-path/", "/dev/" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++)
		if (str_starts(word, dirs[i]))
			return word + strlen(dirs[i]);
	return word;
}

int
hwid_find(const char *root, const char *word, char **name, struct err *e)
{
	const char *wanted = without_directory(word);
	AUTO_FREE char *found = NULL;
	char **disks = hwid_disks(root);
	size_t i, hits = 0;

	for (i = 0; disks[i]; i++) {
		AUTO_CLEAR(hwid_disk) d = { 0 };

		if (hwid_disk(root, disks[i], &d, e) < 0 ||
		    !disk_is(&d, wanted))
			continue;
		if (++hits == 1)
			found = base_strdup(disks[i]);
		else
			err_set(e, ERR_REFUSED,
				"%s: both %s and %s are that; name one by its "
				"place (by-path)",
				word, found, disks[i]);
	}
	names_free(disks);
	if (hits == 0)
		return err_set(e, ERR_REFUSED,
			       "%s: no disk has this name, serial, WWN or "
			       "place; see `edeploy-agent detect`",
			       word);
	if (hits > 1)
		return -1;
	*name = STEAL(found);
	return 0;
}
