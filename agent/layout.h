#ifndef AGENT_LAYOUT_H
#define AGENT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base.h"
#include "lib/err.h"

/* How an installed disk is laid out. Whoever brings the tree, makes it the
 * machine's own or installs the boot loader asks here for places and names.
 *
 * plain: the tree is the root of its file system. versioned: the tree is one
 * of several roots below /edeploy (roots/top.h), and what is the machine's own
 * state stands beside them. */
struct classes; /* roots/classes.h */

struct layout_mount {
	char *node;    /* /dev/vda2 */
	char *where;   /* in the installed system: "/", "/boot"; "none": swap */
	char *fstype;  /* ext4, swap */
	char *options; /* for fstab */
	char *uuid;    /* of the file system, NULL when it has none */
};

struct layout {
	char *top;     /* where the root file system is mounted now */
	char *root;    /* where the tree goes: the same in plain */
	char *version; /* its name among the roots; NULL: plain */
	bool settled;  /* the state has what the tree brought for it */
	char *disk;    /* node that gets the boot loader, /dev/vda */
	struct layout_mount *mounts; /* "/" first, then as mounted, swap last */
	size_t len;
};

/* Look at what is mounted on and below `top` (as /proc/self/mountinfo has it,
 * so that mounts made by a script's own commands count). ERR_INPUT when `top`
 * is no mount point. Clear `out` in any case. */
int layout_plain(struct layout *out, const char *top, const char *disk,
		 struct err *e);

/* What the script knows of a place that it mounted, or of swap, which shows in
 * no mount table. Unknown places are added. `options` and `uuid` may be
 * NULL. */
void layout_know(struct layout *l, const struct layout_mount *known);

/* ERR_INPUT when a place has no UUID: fstab and boot loader name it so. */
int layout_check(const struct layout *l, struct err *e);

/* The mount that holds `path` of the installed system ("/boot"). Borrowed. */
const struct layout_mount *layout_holding(const struct layout *l,
					  const char *path);

/* The root for the kernel: "root=UUID=...". Owned. */
char *layout_root_words(const struct layout *l);

/* Everything written so far is on the disks, or ERR_SYS: sync(2) would not
 * tell that a write failed. */
int layout_sync(const struct layout *l, struct err *e);

/* The same, and where GRUB sees it (roots/flush.h), but for a file system of
 * which nobody knows how to do that. ERR_SYS. */
int layout_flush(const struct layout *l, struct err *e);

/* Unmount all of it, the last mounted first. What a program still uses is made
 * read only or, when it writes, frozen for a moment, so that its own place on
 * the disk holds all that was written: GRUB replays no journal. ERR_SYS when
 * not even that can be had. */
int layout_leave(const struct layout *l, struct err *e);

void layout_clear(struct layout *l);

/* ---- versioned ---- */

/* NULL when disks mounted so can hold versions beside one another, else a
 * sentence that says what is in the way. `sys` is /sys or a test's. Owned. */
char *layout_unfit(const struct layout *l, const struct classes *c,
		   const char *sys);

/* From plain to versioned, before the tree comes: the top is made, and file
 * systems of their own move from below `top` to where `version` will have
 * them. ERR_SYS. */
int layout_divide(struct layout *l, const char *version, struct err *e);

/* When the tree is complete and made the machine's own: what it brings for the
 * state is there, too. `args`: boot arguments. ERR_SYS, ERR_INPUT (the tree
 * has no kernel with an initrd or no init, its classes do not fit these
 * mounts). */
int layout_settle(struct layout *l, const char *args, struct err *e);

/* Where `path` ("/var/log/x") of the installed system is now. Owned. */
char *layout_place(const struct layout *l, const char *path);

/* UUID of the file system or swap on `node`, NULL when there is none. Owned. */
char *layout_uuid_of(const char *node);

/* Mount points on and below `top`, in the order of mounting, NULL-terminated;
 * free with names_free. */
char **layout_mounted_below(const char *top);

#endif
