/* A disk's top is made once, by an installation; versions are added to it by
 * every upgrade. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/beneath.h"
#include "lib/buf.h"
#include "lib/file.h"

#include "roots/classes.h"
#include "roots/flush.h"
#include "roots/grub.h"
#include "roots/seed.h"
#include "roots/state.h"
#include "roots/top.h"

#define INIT_MAX (64 * 1024 * 1024)

bool
top_version_ok(const char *version)
{
	static const char *const beside[] = { ".new",    ".fix",   ".old",
					      ".record", ".local", ".mounts",
					      ".grub",   ".post" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(beside); i++)
		if (str_ends(version, beside[i]))
			return false;
	return name_is_safe(version);
}

char *
top_root(const char *top, const char *version)
{
	return base_printf("%s/" TOP_DIR "/roots/%s", top, version);
}

int
top_make(const char *top, struct err *e)
{
	static const struct {
		const char *path;
		mode_t mode;
	} dirs[] = {
		{ "dev", 0755 },
		{ "proc", 0755 },
		{ "run", 0755 },
		{ "sys", 0755 },
		/* old versions hold setuid programs with known holes */
		{ TOP_DIR, 0700 },
		{ TOP_DIR "/grub", 0755 },
		{ TOP_DIR "/roots", 0755 },
		{ TOP_DIR "/state", 0755 },
		{ TOP_DIR "/sysroot", 0755 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO_FREE char *path = base_printf("%s/%s", top, dirs[i].path);

		if (mkdir(path, dirs[i].mode) < 0 && errno != EEXIST)
			return err_sys(e, "%s", path);
	}
	return 0;
}

/* ---- a version ---- */

static int
write_beside(const char *root, const char *suffix, const char *text,
	     struct err *e)
{
	AUTO_FREE char *path = base_printf("%s%s", root, suffix);

	return file_replace(path, text, strlen(text), 0644, e);
}

static int
add_state(const char *top, const char *root, const struct enter_places *places,
	  struct err *e)
{
	size_t i;

	for (i = 0; i < places->len; i++) {
		const char *path = places->at[i].path;
		AUTO_FREE char *from = base_printf("%s/%s", root, path);
		AUTO_FREE char *to =
			base_printf("%s/" TOP_DIR "/state/%s", top, path);

		if (places->at[i].state && seed(from, to, e) < 0)
			return -1;
	}
	return 0;
}

static void
add_own(struct enter_places *places, const struct enter_places *own)
{
	size_t i, k;

	for (i = 0; own && i < own->len; i++) {
		const char *path = own->at[i].path;

		for (k = 0; k < places->len; k++)
			if (str_eq(places->at[k].path, path))
				break;
		if (own->at[i].state && k == places->len)
			enter_places_add(places, true, path);
	}
}

static int
add_mounts(const char *top, const char *root, const struct enter_places *own,
	   struct err *e)
{
	AUTO_CLEAR(classes) classes = { 0 };
	AUTO_CLEAR(enter_places) places = { 0 };
	AUTO_FREE char *state = base_printf("%s/" TOP_DIR "/state", top);
	AUTO_FREE char *text = NULL;

	if (classes_of_root(&classes, root, e) < 0 ||
	    classes_places(&classes, root, &places, e) < 0 ||
	    add_state(top, root, &places, e) < 0)
		return -1;
	classes_keep(&classes, state, &places);
	add_own(&places, own);
	if (places.len > ENTER_PLACES_MAX)
		return err_set(e, ERR_INPUT,
			       "%zu folders would be mounted in a version, and "
			       "%d may be: list fewer in /" CLASSES_FILE,
			       places.len, ENTER_PLACES_MAX);
	text = enter_places_text(&places);
	return write_beside(root, ".mounts", text, e);
}

/* systemd knows of /var only that it is mounted, and would unmount it while
 * the journal is still written there: a shutdown with an error for nothing. */
#define FLUSH_UNIT "lib/systemd/system/systemd-journal-flush.service"
#define FLUSH_DROP_IN "systemd-journal-flush.service.d"
static const char flush_text[] =
	"# written by edeploy: /var is a mount that no "
	"unit tells of\n"
	"[Unit]\nRequires=var.mount\n"
	"After=var.mount\n";

static bool
has_file(int root, const char *path)
{
	AUTO_CLOSE int fd = open_beneath(root, path, O_PATH, 0);

	return fd >= 0;
}

static int
add_drop_in(const char *root, struct err *e)
{
	AUTO_CLOSE int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int units = -1;
	AUTO_FREE char *path = NULL;

	if (fd < 0 ||
	    (!has_file(fd, "usr/" FLUSH_UNIT) && !has_file(fd, FLUSH_UNIT)))
		return 0;
	units = open_beneath(fd, "etc/systemd/system", O_PATH | O_DIRECTORY, 0);
	if (units < 0)
		return err_sys(e, "%s/etc/systemd/system", root);
	if (mkdirat(units, FLUSH_DROP_IN, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "%s", FLUSH_DROP_IN);
	path = base_printf("/proc/self/fd/%d/" FLUSH_DROP_IN "/edeploy.conf",
			   units);
	return file_replace(path, flush_text, strlen(flush_text), 0644, e);
}

int
top_add(const char *top, const struct top_version *v, struct err *e)
{
	AUTO_FREE char *root = top_root(top, v->version);
	AUTO_FREE char *kernel =
		base_printf("/" TOP_DIR "/roots/%s%s", v->version, v->kernel);
	AUTO_FREE char *initrd =
		base_printf("/" TOP_DIR "/roots/%s%s", v->version, v->initrd);
	AUTO_CLEAR(buf) grub = { 0 };

	if (grub_print_version(kernel, initrd, v->args, &grub, e) < 0 ||
	    enter_check_init(root, e) < 0 || add_drop_in(root, e) < 0 ||
	    add_mounts(top, root, v->own, e) < 0)
		return -1;
	return write_beside(root, ".grub", buf_text(&grub), e);
}

/* ---- the first boot ---- */

static int
put_init(const char *top, const char *from, struct err *e)
{
	AUTO_FREE char *to = base_printf("%s/" TOP_DIR "/init", top);
	AUTO_FREE char *bytes = NULL;
	size_t len;

	if (file_read(from, INIT_MAX, &bytes, &len, e) < 0)
		return -1;
	return file_replace(to, bytes, len, 0755, e);
}

static int
put_grub(const char *top, const struct top_boot *b, struct err *e)
{
	AUTO_FREE char *cfg = base_printf("%s/" TOP_DIR "/grub/grub.cfg", top);
	AUTO_FREE char *env = base_printf("%s/" TOP_DIR "/grub/grubenv", top);
	AUTO_CLEAR(buf) text = { 0 };
	AUTO_CLEAR(buf) block = { 0 };

	grub_print_cfg(b->uuid, b->module, &text);
	grub_print_env(&block);
	if (file_replace(cfg, text.at, text.len, 0644, e) < 0)
		return -1;
	return file_replace(env, block.at, block.len, 0644, e);
}

int
top_boot(const char *top, const struct top_boot *b, struct err *e)
{
	return put_init(top, b->init, e) < 0 ? -1 : put_grub(top, b, e);
}

int
top_name(const char *top, const char *version, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/" TOP_DIR, top);
	struct state s;

	if (flush(dir, e) < 0)
		return -1;
	state_first(&s, version);
	return state_write(&s, dir, e);
}
