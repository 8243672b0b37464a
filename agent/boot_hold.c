/* A plain root's boot loader is written before the notes that upgrades need,
 * for they tell of its files, too. A power cut between must not leave a machine
 * that boots without them: until all is there GRUB reads, in the place of its
 * grub.cfg, one that starts the machine again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "lib/file.h"

#include "agent/boot.h"

static const char stub[] =
	"# edeploy: grub.cfg.held takes this place when all is there\n"
	"echo \"edeploy: this machine was not installed to the end; it starts "
	"again in 10 s\"\n"
	"sleep 10\n"
	"reboot\n";

static char *
held_of(const char *cfg)
{
	return base_printf("%s" BOOT_HELD, cfg);
}

int
boot_hold(const char *cfg, struct err *e)
{
	AUTO_FREE char *held = held_of(cfg);

	if (rename(cfg, held) < 0)
		return err_sys(e, "%s", held);
	return file_replace(cfg, stub, strlen(stub), 0600, e);
}

/* The one that is held, by the name it will have; NULL: none is. Owned. */
static char *
find_held(const struct layout *l)
{
	static const char *const dirs[] = { "grub", "grub2" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO_FREE char *cfg =
			base_printf("%s/boot/%s/grub.cfg", l->root, dirs[i]);
		AUTO_FREE char *held = held_of(cfg);

		if (file_exists(held))
			return STEAL(cfg);
	}
	return NULL;
}

static int
require_held(const struct layout *l, char **cfg, struct err *e)
{
	*cfg = find_held(l);
	if (!*cfg)
		return err_set(e, ERR_SYS,
			       "no grub.cfg" BOOT_HELD " below %s/boot: "
			       "something removed it while the boot loader "
			       "was installed",
			       l->root);
	return 0;
}

int
boot_cover(const struct layout *l, struct err *e)
{
	AUTO_FREE char *cfg = NULL;
	AUTO_FREE char *held = NULL;

	if (require_held(l, &cfg, e) < 0)
		return -1;
	held = held_of(cfg);
	if (mount(held, cfg, NULL, MS_BIND, NULL) < 0)
		return err_sys(e, "bind %s", cfg);
	return 0;
}

int
boot_uncover(const struct layout *l, struct err *e)
{
	AUTO_FREE char *cfg = NULL;

	if (require_held(l, &cfg, e) < 0)
		return -1;
	return umount2(cfg, 0) < 0 ? err_sys(e, "unmount %s", cfg) : 0;
}

/* By one entry of a folder: GRUB, which replays no journal, never finds a name
 * that leads to a file that is gone. vfat of older kernels cannot. */
static int
change_places(const char *held, const char *cfg, struct err *e)
{
	if (renameat2(AT_FDCWD, held, AT_FDCWD, cfg, RENAME_EXCHANGE) == 0)
		return 0;
	if ((errno == EINVAL || errno == ENOSYS) && rename(held, cfg) == 0)
		return 0;
	return err_sys(e, "%s", cfg);
}

int
boot_name(const struct layout *l, struct err *e)
{
	AUTO_FREE char *cfg = NULL;
	AUTO_FREE char *held = NULL;

	if (require_held(l, &cfg, e) < 0)
		return -1;
	held = held_of(cfg);
	if (layout_flush(l, e) < 0 || change_places(held, cfg, e) < 0 ||
	    layout_flush(l, e) < 0)
		return -1;
	if (unlink(held) < 0 && errno != ENOENT)
		return err_sys(e, "%s", held);
	return 0;
}
