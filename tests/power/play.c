/* Inside the machine whose disk is recorded: an installation, upgrades, boots,
 * rollbacks, by the functions that do them on a host, in the order that
 * roots/state.h asks for. Before and after each step that must be one or the
 * other it says on the disk itself, outside of the file system and without a
 * flush, what boot.cfg is from here on, so that the recorded writes tell.
 *
 *     play all TOP UUID MODULE INIT TREES DISK
 *
 * and one step each, for machines that are really booted:
 *
 *     play add TOP VERSION ARGS    its tree is there
 *     play install TOP UUID MODULE INIT VERSION
 *     play arm TOP VERSION STARTS
 *     play hide | prove TOP VERSION
 *     play boot TOP VERSION GEN FELL    what roots/init.c would do, once
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base.h"
#include "lib/file.h"
#include "lib/num.h"

#include "roots/flush.h"
#include "roots/seed.h"
#include "roots/state.h"
#include "roots/top.h"

#define MARK_SECTOR 2040 /* tests/power/disk.py reads it there */
#define MARK_SIZE 512

struct play {
	const char *top, *uuid, *module, *init, *trees, *disk;
	char *dir; /* top/edeploy */
	unsigned marks;
	struct state state;
};

/* ---- marks ---- */

/* "mark N STEP\n" and boot.cfg as it is durably from here on; "" before there
 * is one. */
static int
mark(struct play *p, const char *step, struct err *e)
{
	_Alignas(4096) static char sector[MARK_SIZE];
	AUTO_CLOSE int fd = open(p->disk, O_WRONLY | O_DIRECT | O_CLOEXEC);
	AUTO_FREE char *text = p->state.gen ? state_text(&p->state) : NULL;

	memset(sector, 0, sizeof(sector));
	snprintf(sector, sizeof(sector), "mark %u %s\n%s", ++p->marks, step,
		 text ? text : "");
	if (fd < 0 || pwrite(fd, sector, sizeof(sector),
			     (off_t)MARK_SECTOR * 512) != MARK_SIZE)
		return err_sys(e, "%s", p->disk);
	printf("mark %u %s\n", p->marks, step);
	return 0;
}

static int
write_marked(struct play *p, const char *step, struct err *e)
{
	if (state_write(&p->state, p->dir, e) < 0)
		return -1;
	return mark(p, step, e);
}

/* ---- a version comes ---- */

/* What both versions have is shared, as an upgrade does. */
static int
share(const char *from, const char *to, struct err *e)
{
	char **names = dir_names(from);
	size_t i;
	int bad = 0;

	if (!names)
		return err_sys(e, "%s", from);
	for (i = 0; names[i] && !bad; i++) {
		AUTO_FREE char *old = base_printf("%s/%s", from, names[i]);
		AUTO_FREE char *fresh = base_printf("%s/%s", to, names[i]);

		if (link(old, fresh) < 0 && errno != EEXIST)
			bad = err_sys(e, "%s", fresh);
	}
	names_free(names);
	return bad;
}

static int
stage(struct play *p, const char *version, struct err *e)
{
	AUTO_FREE char *tree = base_printf("%s/%s", p->trees, version);
	AUTO_FREE char *root = top_root(p->top, version);
	AUTO_FREE char *fresh = base_printf("%s.new", root);
	AUTO_FREE char *shared = base_printf("%s/usr/share", fresh);
	const struct top_version v = { version, "/boot/vmlinuz", "/boot/initrd",
				       "console=ttyS0,115200 panic=5 "
				       "no_timer_check" };

	if (seed(tree, fresh, e) < 0)
		return -1;
	if (p->state.gen) {
		AUTO_FREE char *good = top_root(p->top, p->state.good);
		AUTO_FREE char *from = base_printf("%s/usr/share", good);

		if (share(from, shared, e) < 0)
			return -1;
	}
	if (rename(fresh, root) < 0)
		return err_sys(e, "rename %s", fresh);
	return top_add(p->top, &v, e);
}

static int
install(struct play *p, const char *version, struct err *e)
{
	const struct top_boot b = { p->uuid, p->module, p->init };

	if (mark(p, "install", e) < 0 || top_make(p->top, e) < 0 ||
	    stage(p, version, e) < 0 || top_boot(p->top, &b, e) < 0 ||
	    top_name(p->top, version, e) < 0 ||
	    state_read(&p->state, p->dir, e) < 0)
		return -1;
	return mark(p, "installed", e);
}

static int
arm(struct play *p, const char *version, struct err *e)
{
	if (state_arm(&p->state, version, STATE_TRIES, e) < 0)
		return -1;
	return write_marked(p, "armed", e);
}

static int
upgrade(struct play *p, const char *version, struct err *e)
{
	if (stage(p, version, e) < 0 || flush(p->dir, e) < 0)
		return -1;
	return arm(p, version, e);
}

/* ---- it is booted, and is well or not ---- */

static int
boot(struct play *p, const char *root, const char *fell, struct err *e)
{
	struct state_words w = { .gen = p->state.gen };

	snprintf(w.root, sizeof(w.root), "%s", root);
	snprintf(w.fell, sizeof(w.fell), "%s", fell);
	if (state_boot(&p->state, &w) == STATE_ENTER)
		return 0;
	return write_marked(p, *fell ? "fell" : "counted", e);
}

static int
prove(struct play *p, const char *version, struct err *e)
{
	if (state_prove(&p->state, version, e) < 0)
		return -1;
	return write_marked(p, "proved", e);
}

/* What a host goes through, with a file that its owner keeps changing. */
static int
play_all(struct play *p, struct err *e)
{
	AUTO_FREE char *busy =
		base_printf("%s/edeploy/state/var/lib/app/db", p->top);
	int round;

	if (install(p, "A", e) < 0 || upgrade(p, "B", e) < 0 ||
	    boot(p, "B", "", e) < 0 || prove(p, "B", e) < 0)
		return -1;
	/* back, by a boot; forth again, live: armed and at once proved */
	if (arm(p, "A", e) < 0 || boot(p, "A", "", e) < 0 ||
	    prove(p, "A", e) < 0 || arm(p, "B", e) < 0 ||
	    prove(p, "B", e) < 0 || upgrade(p, "C", e) < 0)
		return -1;
	/* a trial that is never proved */
	for (round = 0; round < STATE_TRIES; round++)
		if (boot(p, "C", "", e) < 0)
			return -1;
	if (boot(p, "B", "count", e) < 0)
		return -1;
	for (round = 0; round < 4; round++)
		if (file_replace(busy, "rows\n", 5, 0644, e) < 0 ||
		    arm(p, "C", e) < 0 || boot(p, "B", "load", e) < 0)
			return -1;
	return 0;
}

static int
all_main(char **argv, struct err *e)
{
	struct play p = {
		argv[0], argv[1], argv[2], argv[3], argv[4], argv[5]
	};
	int bad;

	p.dir = base_printf("%s/edeploy", p.top);
	bad = play_all(&p, e);
	free(p.dir);
	return bad;
}

/* ---- one step each ---- */

static int
install_main(char **argv, struct err *e)
{
	const struct top_boot b = { argv[1], argv[2], argv[3] };

	if (top_boot(argv[0], &b, e) < 0)
		return -1;
	return top_name(argv[0], argv[4], e);
}

static int
add_main(char **argv, struct err *e)
{
	const struct top_version v = { argv[1], "/boot/vmlinuz", "/boot/initrd",
				       argv[2] };
	AUTO_FREE char *dir = base_printf("%s/edeploy", argv[0]);

	if (top_make(argv[0], e) < 0 || top_add(argv[0], &v, e) < 0)
		return -1;
	return flush(dir, e);
}

static int
arm_main(char **argv, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/edeploy", argv[0]);
	struct state s;
	uint64_t starts;

	if (num_u64(argv[2], 1, STATE_TRIES, &starts, "STARTS", e) < 0 ||
	    state_read(&s, dir, e) < 0 ||
	    state_arm(&s, argv[1], (unsigned)starts, e) < 0)
		return -1;
	return state_write(&s, dir, e);
}

/* The same as a program that knows nothing of GRUB writes it: durable, and to
 * be seen by who replays the journal alone. */
static int
hide_main(char **argv, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/edeploy", argv[0]);
	AUTO_FREE char *path = base_printf("%s/boot.cfg", dir);
	AUTO_FREE char *text = NULL;
	struct state s;

	if (state_read(&s, dir, e) < 0 ||
	    state_arm(&s, argv[1], STATE_TRIES, e) < 0)
		return -1;
	text = state_text(&s);
	return file_replace(path, text, strlen(text), 0644, e);
}

static int
prove_main(char **argv, struct err *e)
{
	AUTO_FREE char *dir = base_printf("%s/edeploy", argv[0]);
	struct state s;

	if (state_read(&s, dir, e) < 0 || state_prove(&s, argv[1], e) < 0)
		return -1;
	return state_write(&s, dir, e);
}

/* One boot of a state that was left behind. */
static int
boot_main(char **argv, struct err *e)
{
	static const char *const names[] = { "enter", "count", "fell", "stale",
					     "give up" };
	AUTO_FREE char *dir = base_printf("%s/edeploy", argv[0]);
	struct state_words w = { 0 };
	enum state_step step;
	struct state s;

	snprintf(w.root, sizeof(w.root), "%s", argv[1]);
	snprintf(w.fell, sizeof(w.fell), "%s", argv[3]);
	if (num_u64(argv[2], 0, UINT64_MAX - 1, &w.gen, "GEN", e) < 0 ||
	    state_read(&s, dir, e) < 0)
		return -1;
	step = state_boot(&s, &w);
	if (step != STATE_ENTER && state_write(&s, dir, e) < 0)
		return -1;
	puts(names[step]);
	return 0;
}

static const struct {
	const char *name;
	int words;
	int (*run)(char **argv, struct err *e);
} commands[] = {
	{ "all", 6, all_main },   { "install", 5, install_main },
	{ "add", 3, add_main },   { "arm", 3, arm_main },
	{ "hide", 2, hide_main }, { "prove", 2, prove_main },
	{ "boot", 4, boot_main },
};

int
main(int argc, char **argv)
{
	struct err e = { 0 };
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < ARRAY_LEN(commands); i++) {
		if (argc != commands[i].words + 2 ||
		    !str_eq(argv[1], commands[i].name))
			continue;
		if (commands[i].run(argv + 2, &e) == 0)
			return 0;
		fprintf(stderr, "play: %s\n", e.text);
		return 1;
	}
	fputs("play: see the top of tests/power/play.c\n", stderr);
	return 2;
}
