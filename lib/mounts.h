#ifndef LIB_MOUNTS_H
#define LIB_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* /proc/self/mountinfo, with blanks and such unescaped. */
struct mount_row {
	int id, parent;
	unsigned major, minor; /* of its file system, as /proc says them */
	char *from;   /* what of the file system: "/" or a path in it */
	char *where;  /* "/var/lib" */
	char *fstype; /* "ext4" */
	char *node;   /* "/dev/vda1", "tmpfs" */
	bool shared;  /* what is mounted below shows in its copies, too */
};

struct mounts {
	struct mount_row *at; /* in the kernel's order: later ones cover */
	size_t len;
	char *text;
};

/* ERR_SYS. Clear `out` in any case. */
int mounts_read(struct mounts *out, struct err *e);

/* Those of the program `pid` ("1", "self"). */
int mounts_read_of(struct mounts *out, const char *pid, struct err *e);

/* The same of a text, which is changed and must live as long. Lines that are
 * none are left out. */
void mounts_parse(struct mounts *out, char *text);

/* "\040" and friends, in place: how the kernel writes blanks in paths. */
void mounts_unescape(char *text);

/* The row that is "/" to this program; NULL when it stands below one. Others of
 * that name may cover it for those who come from outside. */
const struct mount_row *mounts_root(const struct mounts *m);

void mounts_clear(struct mounts *m);

#endif
