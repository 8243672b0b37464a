/* A boot loader that is never written anew: its core reads grub.cfg of the old
 * root, whose first 512 bytes become a way to ours. One sector is old or new
 * and nothing between, where GRUB, which replays no journal, may see a file
 * that was replaced by a rename as none at all. What follows those bytes is
 * never reached, and would be the old menu. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base.h"
#include "lib/file.h"

#include "roots/flush.h"

#include "host/convert.h"

#define SECTOR 512
#define HEAD "# edeploy convert: "
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

static char *
copy_of(const char *cfg)
{
	return base_printf("%s.plain", cfg);
}

void
convert_tidy(const char *cfg)
{
	AUTO_FREE char *copy = copy_of(cfg);
	AUTO_FREE char *left = base_printf("%s.new.", copy);
	AUTO_FREE char *dir =
		base_printf("%.*s", (int)(strrchr(cfg, '/') - cfg), cfg);
	char **names = dir_names(dir);
	size_t i;

	for (i = 0; names && names[i]; i++) {
		AUTO_FREE char *path = base_printf("%s/%s", dir, names[i]);

		if (str_starts(path, left))
			unlink(path);
	}
	names_free(names);
}

/* 1: its first sector is ours. */
static int
is_redirected(int fd, const char *cfg, struct err *e)
{
	char head[sizeof(HEAD) - 1];
	ssize_t len = pread(fd, head, sizeof(head), 0);

	if (len < 0)
		return err_sys(e, "%s", cfg);
	return len == (ssize_t)sizeof(head) &&
	       memcmp(head, HEAD, sizeof(head)) == 0;
}

/* update-grub may have made another since the last time. */
static int
keep_copy(int fd, const char *cfg, struct err *e)
{
	AUTO_FREE char *copy = copy_of(cfg);
	AUTO_FREE char *text = NULL;
	int ours = is_redirected(fd, cfg, e);
	size_t len;

	if (ours != 0)
		return ours < 0 ? -1 : 0;
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
		       HEAD "versions are in /edeploy; what this "
			    "was is kept in grub.cfg.plain\n"
			    "search --no-floppy --fs-uuid --set=root %s\n"
			    "configfile /edeploy/grub/grub.cfg\n#",
		       uuid);
	out[len] = '#';
}

/* In its place, and where GRUB sees it. */
static int
put_sector(int fd, const char *cfg, const char sector[SECTOR], struct err *e)
{
	if (pwrite(fd, sector, SECTOR, 0) != SECTOR || fdatasync(fd) < 0)
		return err_sys(e, "%s", cfg);
	return flush("/edeploy", e);
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
	if (keep_copy(fd, cfg, e) < 0 || lengthen(fd, cfg, e) < 0 ||
	    flush("/edeploy", e) < 0)
		return -1;
	print_sector(sector, uuid);
	return put_sector(fd, cfg, sector, e);
}

int
convert_restore(const char *cfg, struct err *e)
{
	AUTO_CLOSE int fd =
		open(cfg, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_DSYNC);
	AUTO_FREE char *copy = copy_of(cfg);
	AUTO_FREE char *text = NULL;
	char sector[SECTOR];
	size_t len;
	int ours;

	if (fd < 0)
		return err_sys(e, "%s", cfg);
	ours = is_redirected(fd, cfg, e);
	if (ours <= 0)
		return ours;
	if (!file_exists(copy))
		return err_set(e, ERR_REFUSED,
			       "%s is not there, which holds what %s was: make "
			       "it anew (update-grub), then convert",
			       copy, cfg);
	if (file_read(copy, CFG_MAX, &text, &len, e) < 0)
		return -1;
	/* as lengthen() made it, when it was shorter */
	memset(sector, '#', SECTOR);
	memcpy(sector, text, len < SECTOR ? len : SECTOR);
	if (len < SECTOR)
		sector[len] = '\n';
	return put_sector(fd, cfg, sector, e);
}
