/* A boot loader that is never written anew: its core reads grub.cfg of the old
 * root, whose first 512 bytes become a way to ours. One sector is old or new
 * and nothing between, where GRUB, which replays no journal, may see a file
 * that was replaced by a rename as none at all. What follows those bytes is
 * never reached, and would be the old menu. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/flush.h"

#include "host/convert.h"

#define SECTOR 512
#define CFG_MAX (4 * 1024 * 1024)

const char *
convert_find_cfg(void)
{
	static const char *const places[] = { "/boot/grub/grub.cfg",
					      "/boot/grub2/grub.cfg" };
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_LEN(places); i++)
		if (lstat(places[i], &st) == 0 && S_ISREG(st.st_mode))
			return places[i];
	return NULL;
}

static int
keep_copy(const char *cfg, struct err *e)
{
	AUTO_FREE char *copy = base_printf("%s.plain", cfg);
	AUTO_FREE char *text = NULL;
	size_t len;

	if (file_exists(copy))
		return 0;
	if (file_read(cfg, CFG_MAX, &text, &len, e) < 0)
		return -1;
	return file_replace(copy, text, len, 0600, e);
}

/* At least a sector, with comments at its end. */
static int
lengthen(int fd, const char *cfg, struct err *e)
{
	char fill[SECTOR];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "%s", cfg);
	if (st.st_size >= SECTOR)
		return 0;
	memset(fill, '#', sizeof(fill));
	fill[0] = fill[SECTOR - 1] = '\n';
	if (pwrite(fd, fill, SECTOR, st.st_size) != SECTOR)
		return err_sys(e, "%s", cfg);
	return 0;
}

/* The last line is a comment, and makes one of what is cut in the middle. */
static void
print_sector(char out[SECTOR], const char *uuid)
{
	int len;

	memset(out, '#', SECTOR);
	len = snprintf(out, SECTOR,
		       "# edeploy convert: versions are in /edeploy; what this "
		       "was is kept in grub.cfg.plain\n"
		       "search --no-floppy --fs-uuid --set=root %s\n"
		       "configfile /edeploy/grub/grub.cfg\n#",
		       uuid);
	out[len] = '#';
}

int
convert_redirect(const char *cfg, const char *uuid, struct err *e)
{
	AUTO_CLOSE int fd =
		open(cfg, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_DSYNC);
	char sector[SECTOR];

	if (fd < 0)
		return err_sys(e, "%s", cfg);
	/* flushed: the sector's place on the disk is final from here on */
	if (keep_copy(cfg, e) < 0 || lengthen(fd, cfg, e) < 0 ||
	    flush("/edeploy", e) < 0)
		return -1;
	print_sector(sector, uuid);
	if (pwrite(fd, sector, SECTOR, 0) != SECTOR || fdatasync(fd) < 0)
		return err_sys(e, "%s", cfg);
	return flush("/edeploy", e);
}
